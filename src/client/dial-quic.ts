/**
 * Streams over QUIC. All dials of a process that name the same server share one connection: a farm's miners, or a miner's work and
 * whatever else it asks for, are streams of it. The first dial opens it, and it closes after its last stream. Where a server allows
 * no more streams on it, another one is opened beside it.
 */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { toHex } from "../kernel/bytes.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Random } from "../kernel/random.ts";
import { openClient } from "../quic/client-socket.ts";
import { clientConfig } from "../quic/config.ts";
import { CLOSE_CODES, type QuicConnection } from "../quic/connection.ts";
import type { Quiche } from "../quic/quiche.ts";
import type { QuicStream } from "../quic/stream.ts";
import type { OpenUdp } from "../quic/udp.ts";
import type { ClientIdentitySource } from "./identity.ts";
import {
  CONNECT_TIMEOUT_MS,
  type Dial,
  END_TIMEOUT_MS,
  type Link,
  type LinkListener,
  MAX_WAITING,
  NOT_TAKEN,
} from "./link.ts";
import { judgeChain, needsAuthorities, untrusted } from "./quic-trust.ts";
import type { ServerAddress } from "./url.ts";

/** What dialling works with. */
export interface QuicDialDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly udp: OpenUdp;
  /** Loads the library, `loadQuiche`. */
  readonly quiche: () => Promise<Quiche>;
  /** Certificates, PEM, of the authorities that are trusted where nothing else vouches for a server. */
  readonly authorities: () => readonly string[];
  /** Our own certificate, for servers that want one; asked before each connection. */
  readonly identity?: ClientIdentitySource;
}

/** Times of a client's connections. */
export interface QuicDialOptions {
  /** Silence after which a server is taken for gone, ms. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** How often a silent server is asked for a sign of life, ms. Default 10,000: translators of addresses forget UDP after 30 s. */
  readonly keepAliveMs?: number;
}

/** How long a connection without a stream stays, ms: its last bytes arrive, and who comes back at once finds it. */
const LINGER_MS = 500;

/** A connection, from its first packet on. */
interface Shared {
  readonly opening: Promise<QuicConnection>;
  /** Set once it is open. */
  connection: QuicConnection | undefined;
  /** Dials that wait for it or have a stream of it. */
  users: number;
  lingering: Timer | undefined;
}

/** Makes a `Dial`. Rejects with `server-unreachable`, `server-certificate`, or `transport-unavailable` without the library. */
export function dialQuic(deps: QuicDialDeps, options: QuicDialOptions = {}): Dial {
  const dialer = new QuicDialer(deps, options);
  return (server, listener, signal) => dialer.dial(server, listener, signal);
}

class QuicDialer {
  readonly #deps: QuicDialDeps;
  readonly #options: QuicDialOptions;
  readonly #shared = new Map<string, Set<Shared>>();

  constructor(deps: QuicDialDeps, options: QuicDialOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async dial(server: ServerAddress, listener: LinkListener, signal: AbortSignal): Promise<Link> {
    signal.throwIfAborted();
    const quiche = await this.#load();
    for (;;) {
      const shared = this.#find(server) ?? this.#open(quiche, server);
      shared.users += 1;
      shared.lingering?.cancel();
      let stream: QuicStream | undefined;
      try {
        const connection = await untilAborted(shared.opening, signal);
        stream = connection.openStream();
        if (stream !== undefined) return this.#link(stream, listener, () => this.#release(shared));
        if (!connection.open) throw new Error("the server closed the connection");
      } catch (error) {
        this.#release(shared);
        signal.throwIfAborted();
        if (error instanceof Fault) throw error;
        const { host, port } = server;
        throw (
          untrusted(server, error) ??
          new Fault("server-unreachable", { host, port, reason: describe(error) }, { cause: error })
        );
      }
      // It is full: look for another.
      this.#release(shared);
    }
  }

  async #load(): Promise<Quiche> {
    try {
      return await this.#deps.quiche();
    } catch (cause) {
      throw new Fault("transport-unavailable", { transport: "quic", reason: describe(cause) }, { cause });
    }
  }

  /** A connection to the server that is open with a stream to spare, or on its way. */
  #find(server: ServerAddress): Shared | undefined {
    for (const shared of this.#shared.get(keyOf(server)) ?? []) {
      const { connection } = shared;
      if (connection === undefined || (connection.open && connection.conn.peerStreamsLeftBidi() > 0)) return shared;
    }
    return undefined;
  }

  #open(quiche: Quiche, server: ServerAddress): Shared {
    const key = keyOf(server);
    const all = this.#shared.get(key) ?? new Set();
    this.#shared.set(key, all);
    const gone = (): void => {
      all.delete(shared);
      if (all.size === 0) this.#shared.delete(key);
    };
    const opening = this.#connect(quiche, server, () => gone());
    const shared: Shared = { opening, connection: undefined, users: 0, lingering: undefined };
    all.add(shared);
    opening.then((connection) => {
      shared.connection = connection;
      if (shared.users === 0) this.#linger(shared);
    }, gone);
    return shared;
  }

  /** Tries the server's addresses one after the other, within one time for all. */
  async #connect(quiche: Quiche, server: ServerAddress, onClosed: () => void): Promise<QuicConnection> {
    const { clock, random, udp, authorities, identity } = this.#deps;
    const { idleTimeoutMs = 30_000, keepAliveMs = 10_000 } = this.#options;
    const byName = !/^[\d.]+$|:/.test(server.host);
    const startMs = clock.monotonicMs();
    const addresses = await this.#resolve(server.host);
    const trusted = needsAuthorities(server) ? authorities().join("\n") : undefined;
    const config = clientConfig(quiche, trusted, idleTimeoutMs, await identity?.());
    let failure: unknown = new Error("the host has no address");
    for (const [index, { address }] of addresses.entries()) {
      const leftMs = CONNECT_TIMEOUT_MS - (clock.monotonicMs() - startMs);
      if (leftMs <= 0) break;
      try {
        return await openClient(
          { quiche, clock, random, udp, config, verify: (chain) => judgeChain(server, chain), onClosed },
          {
            remote: { host: address, port: server.port },
            serverName: byName ? server.host : undefined,
            handshakeTimeoutMs: leftMs / (addresses.length - index),
            keepAliveMs,
          },
        );
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #resolve(host: string): Promise<readonly LookupAddress[]> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const why = `no answer about ${host} for ${CONNECT_TIMEOUT_MS} ms`;
      timer = this.#deps.clock.after(CONNECT_TIMEOUT_MS, () => reject(new Error(why)));
    });
    try {
      return await Promise.race([lookup(host, { all: true }), late]);
    } finally {
      timer?.cancel();
    }
  }

  #link(stream: QuicStream, listener: LinkListener, release: () => void): Link {
    let deadline: Timer | undefined;
    let isDeaf = false;
    stream.attach({
      onData: (bytes) => listener.onData(bytes),
      onDrain: () => undefined,
      onClose: (cause) => {
        deadline?.cancel();
        release();
        listener.onClose(isDeaf ? NOT_TAKEN : (cause?.message ?? "the server closed the connection"));
      },
    });
    return {
      write: (bytes) => {
        stream.write(bytes);
        if (stream.bufferedBytes <= MAX_WAITING) return;
        isDeaf = true;
        stream.destroy();
      },
      end: () => {
        deadline ??= this.#deps.clock.after(END_TIMEOUT_MS, () => stream.destroy());
        stream.end();
      },
      destroy: () => stream.destroy(),
    };
  }

  #release(shared: Shared): void {
    shared.users -= 1;
    if (shared.users === 0 && shared.connection !== undefined) this.#linger(shared);
  }

  #linger(shared: Shared): void {
    shared.lingering?.cancel();
    shared.lingering = this.#deps.clock.after(LINGER_MS, () => shared.connection?.close(CLOSE_CODES.done));
  }
}

/** Dials with the same key may share a connection: the same server, found to be the right one in the same way. */
function keyOf(server: ServerAddress): string {
  const { host, port, certSha256 } = server;
  return [host, port, certSha256 === undefined ? "" : toHex(certSha256), needsAuthorities(server)].join(" ");
}

/** Settles as `promise` does, or rejects with the signal's reason before. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
