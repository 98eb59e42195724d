/**
 * The server's side of a UDP socket: finds out whose a datagram is, and lets a newcomer in once it has shown that it is where it says
 * it is. What is no QUIC is dropped without an answer, and nothing here keeps anything of a peer before `admit` said yes.
 */
import type { Clock } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import { QuicConnection, type QuicConnectionListener } from "./connection.ts";
import { CONNECTION_ID_BYTES, type HostPort, type Quiche, type QuicheConfig } from "./quiche.ts";
import type { RetryTokens } from "./retry-token.ts";
import type { ResetTokens } from "./stateless-reset.ts";

/** What a server presents to newcomers; a changed certificate makes a new one. */
export interface ServerIdentity {
  readonly config: QuicheConfig;
  readonly resets: ResetTokens;
}

/** What the socket works with. */
export interface ServerSocketDeps {
  readonly quiche: Quiche;
  readonly clock: Clock;
  readonly random: Random;
  readonly retries: RetryTokens;
  readonly identity: () => ServerIdentity;
  readonly send: (datagram: Uint8Array, to: HostPort) => void;
  /** Whether an answer without a connection may be sent: a retry, a version, a reset. */
  readonly mayAnswer: () => boolean;
  /** Lets a connection from there in, or not; then its packets are dropped. */
  readonly admit: (from: HostPort) => ((connection: QuicConnection) => QuicConnectionListener) | undefined;
}

/** Options of `ServerSocket`. */
export interface ServerSocketOptions {
  readonly local: HostPort;
  readonly handshakeTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly streamWindow: number;
}

/** First byte of a packet: a long header; the bit that QUIC version 1 always sets. */
const LONG_HEADER = 0x80;
const FIXED_BIT = 0x40;

/** Shortest datagram that may begin a connection (RFC 9000, 14.1): a short one could not be answered without amplifying. */
const MIN_INITIAL_BYTES = 1200;

/** Datagrams in, connections out. */
export class ServerSocket {
  readonly #deps: ServerSocketDeps;
  readonly #options: ServerSocketOptions;
  readonly #byId = new Map<string, QuicConnection>();
  readonly #scratch: Uint8Array;

  constructor(deps: ServerSocketDeps, options: ServerSocketOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#scratch = new Uint8Array(options.streamWindow);
  }

  /** Connection IDs in use: a few for each connection. */
  get ids(): number {
    return this.#byId.size;
  }

  /** Takes a datagram. Never throws. */
  receive(datagram: Uint8Array, from: HostPort): void {
    const first = datagram[0] ?? 0;
    if ((first & LONG_HEADER) === 0) this.#receiveShort(datagram, from, first);
    else this.#receiveLong(datagram, from);
  }

  #receiveShort(datagram: Uint8Array, from: HostPort, first: number): void {
    if ((first & FIXED_BIT) === 0 || datagram.length < 1 + CONNECTION_ID_BYTES) return;
    const id = datagram.subarray(1, 1 + CONNECTION_ID_BYTES);
    const connection = this.#byId.get(key(id));
    if (connection !== undefined) {
      connection.receive(datagram, from);
      return;
    }
    this.#reset(id, datagram.length, from);
  }

  #reset(id: Uint8Array, length: number, to: HostPort): void {
    const packet = this.#deps.identity().resets.packet(id, length);
    if (packet !== undefined && this.#deps.mayAnswer()) this.#deps.send(packet, to);
  }

  #receiveLong(datagram: Uint8Array, from: HostPort): void {
    const { quiche, random, retries, send, mayAnswer } = this.#deps;
    try {
      const header = quiche.Header.fromSlice(datagram, CONNECTION_ID_BYTES);
      const { dcid, scid, version } = header;
      const connection = this.#byId.get(key(dcid));
      if (connection !== undefined) {
        connection.receive(datagram, from);
        return;
      }
      if (datagram.length < MIN_INITIAL_BYTES) return;
      const out = Buffer.alloc(MIN_INITIAL_BYTES);
      if (!quiche.versionIsSupported(version)) {
        if (mayAnswer()) send(out.subarray(0, quiche.negotiateVersion(scid, dcid, out)), from);
        return;
      }
      // `Type.Initial`
      if (header.ty !== 0) return;
      const { token } = header;
      if (token === undefined || token.length === 0) {
        if (!mayAnswer()) return;
        const id = random.bytes(CONNECTION_ID_BYTES);
        const length = quiche.retry(scid, dcid, id, retries.mint(from, id, dcid), version, out);
        send(out.subarray(0, length), from);
        return;
      }
      const originalId = retries.read(token, from, dcid);
      if (originalId !== undefined) this.#accept(datagram, from, dcid, originalId);
    } catch {
      // It was no QUIC, or none that can be answered.
    }
  }

  #accept(datagram: Uint8Array, from: HostPort, id: Uint8Array, originalId: Uint8Array): void {
    const { quiche, clock, random, send, identity, admit } = this.#deps;
    const makeListener = admit(from);
    if (makeListener === undefined) return;
    const { config, resets } = identity();
    config.setStatelessResetToken(resets.token(id));
    const { local } = this.#options;
    const conn = quiche.Connection.accept(id, originalId, local, from, config);
    const ids = new Set([key(id)]);
    const nextId = (): { id: Uint8Array; resetToken: bigint } => {
      const fresh = random.bytes(CONNECTION_ID_BYTES);
      return { id: fresh, resetToken: resets.token(fresh) };
    };
    let listener: QuicConnectionListener | undefined;
    const connection: QuicConnection = new QuicConnection(
      { conn, clock, send, nextId, scratch: this.#scratch },
      { ...this.#options, role: "server", remote: from },
      {
        onEstablished: () => listener?.onEstablished(),
        onStream: (stream) => listener?.onStream?.(stream),
        onId: (fresh, used) => {
          if (used) {
            ids.add(key(fresh));
            this.#byId.set(key(fresh), connection);
          } else {
            ids.delete(key(fresh));
            this.#byId.delete(key(fresh));
          }
        },
        // It dials again, which is sooner than by its idle timeout.
        onUnfollowed: (there, packet) => this.#reset(packet.subarray(1, 1 + CONNECTION_ID_BYTES), packet.length, there),
        onClosed: (cause) => listener?.onClosed(cause),
        onGone: () => {
          for (const known of ids) this.#byId.delete(known);
          listener?.onGone();
        },
      },
    );
    listener = makeListener(connection);
    this.#byId.set(key(id), connection);
    connection.receive(datagram, from);
  }
}

function key(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("latin1");
}
