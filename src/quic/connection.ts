/**
 * One QUIC connection: carries datagrams into quiche and out of it, keeps its timer, and makes streams of what is inside. Whatever
 * quiche throws ends this connection and touches no other.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { describe } from "../kernel/fault.ts";
import type { HostPort, QuicheConnection } from "./quiche.ts";
import { QuicStream, STREAM_CODES, type StreamCarrier } from "./stream.ts";
import { StreamIds } from "./stream-ids.ts";

/** What a connection tells its owner. Callbacks never come from inside a call of the owner's. */
export interface QuicConnectionListener {
  /** The handshake is over; streams come after it. Throws to refuse the peer. */
  onEstablished(): void;
  /** The peer opened a stream. */
  onStream?(stream: QuicStream): void;
  /** One more of our connection IDs is in use, or is not any more. */
  onId?(id: Uint8Array, used: boolean): void;
  /** The peer is at another address and quiche does not follow it there: what we send does not arrive. */
  onUnfollowed?(from: HostPort, datagram: Uint8Array): void;
  /** All streams are over and told so. The connection goes on answering late packets until `onGone`. */
  onClosed(cause: Error | undefined): void;
  /** Nothing will come out of it any more. */
  onGone(): void;
}

/** What a connection works with. */
export interface QuicConnectionDeps {
  readonly conn: QuicheConnection;
  readonly clock: Clock;
  /** Sends a datagram, whose bytes do not change afterwards. Never throws. */
  readonly send: (datagram: Uint8Array, to: HostPort) => void;
  /** Fresh connection IDs, with what a stateless reset of each is known by. */
  readonly nextId: () => { readonly id: Uint8Array; readonly resetToken: bigint };
  /** A datagram's worth of room, and a stream window's; shared by all connections of a socket, since neither is held. */
  readonly scratch: Uint8Array;
}

/** Options of `QuicConnection`. */
export interface QuicConnectionOptions {
  readonly role: "client" | "server";
  readonly local: HostPort;
  readonly remote: HostPort;
  /** From now to the end of the handshake, ms. */
  readonly handshakeTimeoutMs: number;
  /** How often the peer is asked for a sign of life, ms. */
  readonly keepAliveMs: number;
}

/** Application codes of CONNECTION_CLOSE: no fault; something failed inside. */
export const CLOSE_CODES = { done: 0, failed: 1 } as const;

/** Transport codes (RFC 9000, 20.1), for a handshake that is not over: APPLICATION_ERROR; TLS's alert bad_certificate. */
const APPLICATION_ERROR = 0x0c;
const BAD_CERTIFICATE = 0x12a;

/** Bytes of a datagram buffer. */
const OUT_BYTES = 1500;

/** How often a path is looked at while datagrams come, ms. */
const FOLLOW_EVERY_MS = 1_000;

/** A peer that is heard for so long from an address that is not followed is cut off, ms. */
const STRAY_MS = 2_000;

/** After a change of address: when what was on its way must have settled, and when it is stuck if it still has not, ms. */
const SETTLED_MS = 1_500;
const STUCK_MS = 5_000;

/** Ended streams that are remembered. */
const MAX_LEAVING = 4096;

/** A connection from its first datagram to its last. */
export class QuicConnection implements StreamCarrier {
  readonly conn: QuicheConnection;
  readonly scratch: Uint8Array;
  readonly #deps: QuicConnectionDeps;
  readonly #options: QuicConnectionOptions;
  readonly #listener: QuicConnectionListener;
  readonly #streams = new Map<number, QuicStream>();
  readonly #blocked = new Set<QuicStream>();
  readonly #peerIds = new StreamIds();
  /** Streams that ended in order, until somebody asks whether all of it arrived. */
  readonly #leaving = new Set<number>();
  readonly #keepAlive: Timer;
  readonly #deadline: Timer;
  #remote: HostPort;
  #followedMs = 0;
  /** Since when nothing comes but from an address that is not followed, monotonic ms. */
  #strayMs: number | undefined;
  #nextId = 0;
  #timer: Timer | undefined;
  #formerPaths: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #flushing = false;
  #established = false;
  #closed = false;
  #gone = false;
  #why: Error | undefined;

  constructor(deps: QuicConnectionDeps, options: QuicConnectionOptions, listener: QuicConnectionListener) {
    this.#deps = deps;
    this.#options = options;
    this.#listener = listener;
    this.conn = deps.conn;
    this.scratch = deps.scratch;
    this.#remote = options.remote;
    this.#keepAlive = deps.clock.every(options.keepAliveMs, () => this.#ping());
    this.#deadline = deps.clock.after(options.handshakeTimeoutMs, () => {
      this.#why = new Error(`no QUIC handshake within ${options.handshakeTimeoutMs} ms`);
      this.close(CLOSE_CODES.failed);
    });
  }

  get remoteAddress(): string {
    return this.#remote.host;
  }

  get remotePort(): number {
    return this.#remote.port;
  }

  /** Whether the handshake is over and the connection is not. */
  get open(): boolean {
    return this.#established && !this.#closed;
  }

  /** Open streams. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Takes a datagram, whose bytes are scrambled by it. */
  receive(datagram: Uint8Array, from: HostPort): void {
    if (this.#gone) return;
    this.#guard(() => {
      try {
        this.conn.recv(datagram, { from, to: this.#options.local });
      } catch (error) {
        // quiche closes the connection by itself where it has to; what is no part of it is passed over.
        if (this.conn.localError() !== null) this.#why ??= new Error(`QUIC: ${describe(error)}`);
      }
      this.#watchPath(datagram, from);
      this.#advance();
    });
  }

  /** Sends what is there to be sent: the first packet of a client. */
  start(): void {
    this.#guard(() => this.#flush());
  }

  /** Opens a stream; `undefined` when the peer allows no more, or the connection is not open. */
  openStream(): QuicStream | undefined {
    if (!this.open || this.conn.peerStreamsLeftBidi() === 0) return undefined;
    const id = this.#nextId;
    try {
      // Makes quiche know the stream; nothing is sent by it.
      this.conn.streamSend(id, new Uint8Array(0), false);
    } catch {
      return undefined;
    }
    this.#nextId += 4;
    const stream = new QuicStream(this, id);
    this.#streams.set(id, stream);
    return stream;
  }

  /** Closes the connection; its streams are lost. */
  close(code: number, reason = ""): void {
    if (this.#gone) return;
    this.#guard(() => {
      if (this.#established) this.#leave(true, code, reason);
      else this.#leave(false, APPLICATION_ERROR, "");
    });
  }

  #leave(isApplication: boolean, code: number, reason: string): void {
    this.conn.close(isApplication, code, new TextEncoder().encode(reason));
    this.#flush();
    // Before there are keys quiche has nothing to say it with, and would wait for the idle timeout.
    if (!this.conn.isDraining()) this.#end();
  }

  /** Ends it without a word to the peer, which has been told or is not to be. */
  drop(): void {
    this.#end();
  }

  flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      if (this.#flushing) this.#guard(() => this.#flush());
    });
  }

  setBlocked(stream: QuicStream, blocked: boolean): void {
    if (blocked) this.#blocked.add(stream);
    else this.#blocked.delete(stream);
  }

  forget(stream: QuicStream): void {
    this.#streams.delete(stream.id);
  }

  leaving(stream: QuicStream): void {
    if (this.#leaving.size >= MAX_LEAVING) this.#leaving.clear();
    this.#leaving.add(stream.id);
  }

  /** Whether a stream that we ended may still be on its way: quiche knows it until the peer has all of it, and ended it too. */
  get delivering(): boolean {
    if (this.#closed) return false;
    for (const id of this.#leaving) {
      try {
        this.conn.streamCapacity(id);
        return true;
      } catch {
        this.#leaving.delete(id);
      }
    }
    return false;
  }

  /** Whatever fails inside costs this connection alone. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#why ??= error instanceof Error ? error : new Error(`QUIC: ${describe(error)}`);
      try {
        this.#leave(true, CLOSE_CODES.failed, "");
      } catch {
        this.#end();
      }
    }
  }

  #advance(): void {
    if (!this.#established && !this.#closed && this.conn.isEstablished()) {
      this.#established = true;
      this.#deadline.cancel();
      this.#giveIds();
      // Our last word of the handshake goes first: without it the peer could not read that we refuse it.
      this.#flush();
      try {
        this.#listener.onEstablished();
      } catch (error) {
        this.#why = error instanceof Error ? error : new Error(describe(error));
        this.#leave(false, BAD_CERTIFICATE, "");
        return;
      }
    }
    if (this.open) {
      this.#read();
      this.#write();
      this.#retireIds();
    }
    this.#flush();
  }

  #read(): void {
    for (const id of this.conn.readable()) {
      let stream = this.#streams.get(id);
      if (stream === undefined) {
        // One that is over here; the peer may not know yet.
        if (this.#options.role === "client" || !this.#peerIds.isNew(id)) {
          this.conn.streamShutdown(id, 0, STREAM_CODES.destroyed);
          continue;
        }
        stream = new QuicStream(this, id);
        this.#streams.set(id, stream);
        this.#listener.onStream?.(stream);
        if (!stream.attached) stream.destroy(STREAM_CODES.refused);
      }
      stream.readable();
    }
  }

  #write(): void {
    if (this.#blocked.size === 0) return;
    for (const id of this.conn.writable()) {
      const stream = this.#streams.get(id);
      if (stream !== undefined && this.#blocked.has(stream)) stream.writable();
    }
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#gone) return;
    for (;;) {
      const out = Buffer.allocUnsafe(OUT_BYTES);
      const sent = this.conn.send(out);
      if (sent === null) break;
      const [length, { to }] = sent;
      this.#deps.send(out.subarray(0, length), to);
    }
    if (this.conn.isClosed()) this.#end();
    else {
      if (this.conn.isDraining()) this.#close();
      this.#setTimer();
    }
  }

  /** quiche's timer: retransmissions, the idle timeout and the end of the time in which late packets are answered. */
  #setTimer(): void {
    const timeout = this.conn.timeout();
    if (timeout === null) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      return;
    }
    // A millisecond later, for quiche's clock is finer than ours.
    const delay = Math.max(1, Math.ceil(timeout) + 1);
    const atMs = this.#deps.clock.monotonicMs() + delay;
    // One that comes too early finds nothing to do and is set again: cheaper than a new timer for each datagram.
    if (this.#timer !== undefined && this.#timerAtMs <= atMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#deps.clock.after(delay, () => {
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      if (this.#gone) return;
      this.#guard(() => {
        this.conn.onTimeout();
        if (this.open) this.#write();
        this.#flush();
      });
    });
  }

  #ping(): void {
    if (!this.open) return;
    this.#guard(() => {
      this.conn.sendAckEliciting();
      this.#flush();
    });
  }

  /** Looks where the peer is when a datagram comes from elsewhere, and now and then: a path may be given up again. */
  #watchPath(datagram: Uint8Array, from: HostPort): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (!this.#isRemote(from) || nowMs - this.#followedMs > FOLLOW_EVERY_MS) {
      this.#followedMs = nowMs;
      this.#follow();
    }
    if (this.#isRemote(from)) this.#strayMs = undefined;
    else {
      this.#strayMs ??= nowMs;
      if (nowMs - this.#strayMs > STRAY_MS) this.#listener.onUnfollowed?.(from, datagram);
    }
  }

  #isRemote({ host, port }: HostPort): boolean {
    return port === this.#remote.port && host === this.#remote.host;
  }

  /** The peer may have moved: what counts is the path that quiche validated. */
  #follow(): void {
    // Told of in a queue that nobody else empties.
    while (this.conn.pathEventNext() !== null);
    const active = this.conn.pathStats().find((path) => path.active);
    if (active === undefined || this.#isRemote(active.peerHost)) return;
    this.#remote = { host: active.peerHost.host, port: active.peerHost.port };
    this.#watchFormerPaths();
  }

  /**
   * quiche 0.18 may go on for ever repeating bytes that were on their way to the former address without delivering them, and the stream they belong to
   * stands still on a connection that looks well. It shows by repetitions that do not cease; such a connection is closed, and the peer dials again.
   */
  #watchFormerPaths(): void {
    const repeated = (): number =>
      this.conn.pathStats().reduce((sum, path) => (path.active ? sum : sum + path.retrans), 0);
    const { after } = this.#deps.clock;
    this.#formerPaths?.cancel();
    this.#formerPaths = after(SETTLED_MS, () => {
      if (!this.open) return;
      const before = repeated();
      this.#formerPaths = after(STUCK_MS - SETTLED_MS, () => {
        if (this.open && repeated() > before) this.close(CLOSE_CODES.failed, "bytes for the former address are stuck");
      });
    });
  }

  /** Spare connection IDs, with which a peer that moves cannot be followed by who watches both networks. */
  #giveIds(): void {
    while (this.conn.sourceCidsLeft() > 0) {
      const { id, resetToken } = this.#deps.nextId();
      this.conn.newSourceCid(id, resetToken, false);
      this.#listener.onId?.(id, true);
    }
  }

  #retireIds(): void {
    let retired = this.conn.retiredScidNext();
    if (retired === null) return;
    for (; retired !== null; retired = this.conn.retiredScidNext()) this.#listener.onId?.(retired, false);
    this.#giveIds();
  }

  /** No stream goes on. */
  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline.cancel();
    this.#keepAlive.cancel();
    this.#formerPaths?.cancel();
    const cause = this.#cause();
    for (const stream of this.#streams.values()) stream.lost(cause);
    queueMicrotask(() => this.#listener.onClosed(cause));
  }

  #cause(): Error | undefined {
    const peer = this.conn.peerError();
    if (peer !== null) {
      if (peer.isApp && peer.errorCode === CLOSE_CODES.done) return undefined;
      return new Error(`the peer closed the QUIC connection with ${closeText(peer)}`);
    }
    if (this.conn.isTimedOut()) return new Error("the QUIC connection was silent for too long");
    const local = this.conn.localError();
    if (this.#why !== undefined) return this.#why;
    return local === null || (local.isApp && local.errorCode === CLOSE_CODES.done)
      ? undefined
      : new Error(`the QUIC connection was closed with ${closeText(local)}`);
  }

  #end(): void {
    if (this.#gone) return;
    this.#close();
    this.#gone = true;
    this.#timer?.cancel();
    queueMicrotask(() => this.#listener.onGone());
  }
}

function closeText(error: { isApp: boolean; errorCode: number; reason: Uint8Array }): string {
  const text = new TextDecoder().decode(error.reason.subarray(0, 100)).replaceAll(/[^\x20-\x7e]/g, "?");
  return `${error.isApp ? "application" : "transport"} code ${error.errorCode}${text === "" ? "" : ` (${text})`}`;
}
