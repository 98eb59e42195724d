/**
 * QUIC: each bidirectional stream that a client opens is one SV2 connection (docs/transports.md). A farm's miners share one handshake, one
 * congestion control and one path through its address translator, and a lost packet holds up only the miner whose bytes were in it.
 */
import type { Clock, Timer } from "../../kernel/clock.ts";
import { sleep } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Random } from "../../kernel/random.ts";
import { type QuicCertificate, serverConfig } from "../../quic/config.ts";
import { CLOSE_CODES, type QuicConnection, type QuicConnectionListener } from "../../quic/connection.ts";
import type { HostPort, Quiche } from "../../quic/quiche.ts";
import { RetryTokens } from "../../quic/retry-token.ts";
import { type ServerIdentity, ServerSocket } from "../../quic/server-socket.ts";
import { ResetTokens } from "../../quic/stateless-reset.ts";
import { STREAM_CODES } from "../../quic/stream.ts";
import type { OpenUdp, UdpSocket } from "../../quic/udp.ts";
import { Admission, type AdmissionNetwork } from "../admission.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { Stream, Transport } from "../transport.ts";
import { StreamListeners } from "./stream-listeners.ts";
import { hostPort } from "./tcp-listener.ts";

/** What the transport works with. */
export interface QuicTransportDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Loads the library, `loadQuiche`. */
  readonly quiche: () => Promise<Quiche>;
  readonly udp: OpenUdp;
  /** The certificate as it is now; asked at the start and by `renew`. */
  readonly certificate: () => QuicCertificate;
}

/** Options of `QuicTransport`. */
export interface QuicOptions {
  /** IP address to bind, `0.0.0.0` or `::` for all. */
  readonly host: string;
  /** UDP port; 0 lets the system choose one. */
  readonly port: number;
  /** Whether the Noise handshake runs inside each stream. Default true. */
  readonly noise?: boolean;
  /** Streams that a client may have open on one connection. Default 1000. */
  readonly streamsPerConnection?: number;
  /** QUIC connections in all. Default 20,000. */
  readonly connections?: number;
  /** QUIC connections of one IPv4 address or IPv6 /64. Default 100. */
  readonly connectionsPerAddress?: number;
  /** Networks with a limit of their own. */
  readonly networks?: readonly AdmissionNetwork[];
  /** QUIC handshakes begun per second, with twice as many at once; what comes above is dropped and comes again. Default 500. */
  readonly handshakesPerSecond?: number;
  /** From a connection's first packet to the end of its handshake, and from there or its last stream to its first or next one, ms. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** Silence after which a connection is over, ms. Default 60,000. */
  readonly idleTimeoutMs?: number;
  /** How often a silent peer is asked for a sign of life, ms. Default 20,000. */
  readonly keepAliveMs?: number;
}

/** Bytes of one stream that a peer may send ahead of us: two hundred shares. */
const STREAM_WINDOW = 16 * 1024;

/** Streams that a connection may open per second, beside as many at once as it may hold: a client that opens and resets costs no more. */
const STREAMS_PER_SECOND = 50;

/** Answers per second to whoever has no connection; a retry costs a tenth of a millisecond of nobody's time but ours. */
const ANSWERS_PER_SECOND = 2000;

/** How often connections are looked at, ms. */
const SWEEP_EVERY_MS = 250;

/** Stopping: time in which the last bytes of streams that ended are repeated until they arrive, ms. */
const LINGER_MS = 500;

/** Listens on one UDP address. */
export class QuicTransport implements Transport {
  readonly name: string;
  readonly kind = "quic";
  readonly noise: boolean;
  readonly #deps: QuicTransportDeps;
  readonly #options: QuicOptions;
  readonly #limits: { readonly streams: number; readonly streamWindow: number; readonly idleTimeoutMs: number };
  readonly #admission: Admission;
  readonly #handshakes: TokenBucket;
  readonly #answers: TokenBucket;
  readonly #listeners = new StreamListeners();
  /** Each with the time since when it has had no stream, monotonic ms. */
  readonly #connections = new Map<QuicConnection, number>();
  #sweeper: Timer | undefined;
  #quiche: Quiche | undefined;
  #identity: ServerIdentity | undefined;
  #socket: UdpSocket | undefined;
  #refusing = false;

  constructor(deps: QuicTransportDeps, options: QuicOptions) {
    this.#deps = deps;
    this.#options = options;
    this.noise = options.noise ?? true;
    this.name = `quic ${hostPort(options.host, options.port)}`;
    const { streamsPerConnection = 1000, idleTimeoutMs = 60_000, handshakesPerSecond = 500, networks } = options;
    this.#limits = { streams: streamsPerConnection, streamWindow: STREAM_WINDOW, idleTimeoutMs };
    const { connections = 20_000, connectionsPerAddress = 100 } = options;
    this.#admission = new Admission(
      {},
      { connections, connectionsPerAddress, ...(networks === undefined ? {} : { networks }) },
    );
    const nowMs = deps.clock.monotonicMs();
    this.#handshakes = new TokenBucket({ perSecond: handshakesPerSecond, burst: 2 * handshakesPerSecond }, nowMs);
    this.#answers = new TokenBucket({ perSecond: ANSWERS_PER_SECOND, burst: ANSWERS_PER_SECOND }, nowMs);
  }

  get address(): string | undefined {
    return this.#socket === undefined ? undefined : hostPort(this.#socket.local.host, this.#socket.local.port);
  }

  /** QUIC connections, those in their handshake or their last packets included. */
  get connections(): number {
    return this.#connections.size;
  }

  onStream(listener: (stream: Stream) => void): Unsubscribe {
    return this.#listeners.onStream(listener);
  }

  onTrouble(listener: (error: Error) => void): Unsubscribe {
    return this.#listeners.onTrouble(listener);
  }

  /** Loads the library, takes the certificate and binds. Throws `Fault("quic-missing")`, `quic-certificate-invalid` or `listen-failed`. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { host, port } = this.#options;
    try {
      this.#quiche = await this.#deps.quiche();
    } catch (cause) {
      throw new Fault("quic-missing", { reason: describe(cause) }, { cause });
    }
    this.renew();
    // Datagrams that come before the socket is known find nothing to go to.
    let receive = (_bytes: Uint8Array, _from: HostPort): void => undefined;
    const socket = await this.#deps
      .udp(host, port, {
        onDatagram: (bytes, from) => receive(bytes, from),
        onError: (error) => this.#listeners.trouble(error),
      })
      .catch((cause: NodeJS.ErrnoException) => {
        throw new Fault("listen-failed", { address: hostPort(host, port), reason: cause.code }, { cause });
      });
    this.#socket = socket;
    const server = this.#serve(this.#quiche, socket);
    receive = (bytes, from) => server.receive(bytes, from);
    this.#sweeper = this.#deps.clock.every(SWEEP_EVERY_MS, () => this.#sweep());
  }

  /** Takes the certificate anew, for connections from now on. Throws `Fault("quic-certificate-invalid")`; then the former one stays. */
  renew(): void {
    if (this.#quiche === undefined) return;
    const certificate = this.#deps.certificate();
    try {
      const config = serverConfig(this.#quiche, certificate, this.#limits);
      this.#identity = { config, resets: new ResetTokens(this.#deps, { secret: certificate.key }) };
    } catch (cause) {
      throw new Fault("quic-certificate-invalid", { reason: describe(cause) }, { cause });
    }
  }

  refuse(): void {
    this.#refusing = true;
  }

  async stop(): Promise<void> {
    this.refuse();
    this.#sweeper?.cancel();
    const { clock } = this.#deps;
    const untilMs = clock.monotonicMs() + LINGER_MS;
    while ([...this.#connections.keys()].some((connection) => connection.delivering) && clock.monotonicMs() < untilMs) {
      await sleep(clock, 10);
    }
    for (const connection of this.#connections.keys()) {
      connection.close(CLOSE_CODES.done);
      connection.drop();
    }
    await this.#socket?.close();
    this.#socket = undefined;
  }

  /** Closes connections without a stream: our keep-alive would hold them for ever, and nobody is served by them. */
  #sweep(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const { handshakeTimeoutMs = 10_000 } = this.#options;
    for (const [connection, emptySinceMs] of this.#connections) {
      if (connection.streamCount > 0) this.#connections.set(connection, nowMs);
      else if (nowMs - emptySinceMs > handshakeTimeoutMs) connection.close(CLOSE_CODES.done, "no stream");
    }
  }

  #serve(quiche: Quiche, socket: UdpSocket): ServerSocket {
    const { clock, random } = this.#deps;
    const { handshakeTimeoutMs = 10_000, keepAliveMs = 20_000 } = this.#options;
    return new ServerSocket(
      {
        quiche,
        clock,
        random,
        retries: new RetryTokens({ clock }, { key: random.bytes(32) }),
        identity: () => {
          if (this.#identity === undefined) throw new TypeError("the transport was not started");
          return this.#identity;
        },
        send: (datagram, to) => socket.send(datagram, to),
        mayAnswer: () => !this.#refusing && this.#answers.tryTake(clock.monotonicMs()),
        admit: (from) => this.#admit(from),
      },
      { local: socket.local, handshakeTimeoutMs, keepAliveMs, streamWindow: STREAM_WINDOW },
    );
  }

  #admit(from: HostPort): ((connection: QuicConnection) => QuicConnectionListener) | undefined {
    const { clock } = this.#deps;
    if (this.#refusing || !this.#handshakes.tryTake(clock.monotonicMs())) return undefined;
    const ticket = this.#admission.admit(from.host);
    if (typeof ticket === "string") return undefined;
    const bucket = new TokenBucket({ perSecond: STREAMS_PER_SECOND, burst: this.#limits.streams }, clock.monotonicMs());
    return (connection) => {
      this.#connections.set(connection, clock.monotonicMs());
      return {
        onEstablished: () => undefined,
        onStream: (stream) => {
          if (this.#refusing || !bucket.tryTake(clock.monotonicMs())) stream.destroy(STREAM_CODES.refused);
          else this.#listeners.stream(stream);
        },
        onClosed: () => undefined,
        onGone: () => {
          this.#connections.delete(connection);
          ticket.release();
        },
      };
    };
  }
}
