/**
 * One bidirectional stream of a QUIC connection as one byte stream with back pressure, the shape of `pool/transport.ts`. A peer that
 * does not read is held by flow control: what quiche does not take stays in `bufferedBytes` here, where the owner bounds it. A
 * stream that is not read fills its window and no more.
 */
import { errorCode, type QuicheConnection } from "./quiche.ts";

/** What a stream tells its owner; callbacks never come from inside a call of the owner's. */
export interface QuicStreamListener {
  onData(bytes: Uint8Array): void;
  onDrain(): void;
  /** The peer ended its direction. Left out, ours ends with it, as on TCP. */
  onEnd?(): void;
  /** Both directions are over; once and last. `cause` when it ended by an error. */
  onClose(cause: Error | undefined): void;
}

/** What a stream needs of its connection. */
export interface StreamCarrier {
  readonly conn: QuicheConnection;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Where received bytes are put, at least as long as a stream's window; used by one read at a time. */
  readonly scratch: Uint8Array;
  /** Something was given to quiche that has to be sent. */
  flushSoon(): void;
  /** The stream has bytes that quiche does not take yet, or has none any more. */
  setBlocked(stream: QuicStream, blocked: boolean): void;
  /** Our direction ended in order: what was written is still to arrive. */
  leaving(stream: QuicStream): void;
  /** Both directions are over. */
  forget(stream: QuicStream): void;
}

/** Codes of RESET_STREAM and STOP_SENDING: the owner gave the stream up; the server takes no more streams. */
export const STREAM_CODES = { destroyed: 0, refused: 1 } as const;

/** `Shutdown` of quiche, whose enum is not there at run time without the package. */
const READ = 0;
const WRITE = 1;

/** A stream from its first byte to its end. */
export class QuicStream {
  readonly id: number;
  readonly #carrier: StreamCarrier;
  #listener: QuicStreamListener | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #paused = false;
  #readEnded = false;
  #ending = false;
  #writeEnded = false;
  #gone = false;

  constructor(carrier: StreamCarrier, id: number) {
    this.#carrier = carrier;
    this.id = id;
  }

  /** Where the connection's peer is now: it may move. */
  get remoteAddress(): string {
    return this.#carrier.remoteAddress;
  }

  /** The port to it. */
  get remotePort(): number {
    return this.#carrier.remotePort;
  }

  /** Bytes that quiche did not take. */
  get bufferedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether an owner took the stream. */
  get attached(): boolean {
    return this.#listener !== undefined;
  }

  /** Names the one listener; nothing is read before. */
  attach(listener: QuicStreamListener): void {
    if (this.#listener !== undefined) throw new TypeError("the stream has a listener already");
    this.#listener = listener;
    queueMicrotask(() => this.readable());
  }

  /** Queues `bytes`, which must not change afterwards; `false` when the peer reads too slowly. */
  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.#gone) return true;
    let rest = bytes;
    if (this.#queue.length === 0) {
      rest = this.#give(bytes);
      if (rest.length === 0 || this.#gone) return true;
    }
    this.#queue.push(rest);
    this.#queuedBytes += rest.length;
    this.#carrier.setBlocked(this, true);
    return false;
  }

  /** Stops reading; the window fills up. */
  pause(): void {
    this.#paused = true;
  }

  /** Reads again. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(() => this.readable());
  }

  /** Ends our direction once everything was taken. */
  end(): void {
    if (this.#ending || this.#gone) return;
    this.#ending = true;
    if (this.#queue.length === 0) this.#sendFin();
  }

  /** Ends both directions at once (RESET_STREAM, STOP_SENDING). */
  destroy(code: number = STREAM_CODES.destroyed): void {
    if (this.#gone) return;
    if (!this.#readEnded) this.#shutdown(READ, code);
    if (!this.#writeEnded) this.#shutdown(WRITE, code);
    this.#carrier.flushSoon();
    this.#finish(undefined);
  }

  /** The connection says: there may be bytes to read, or an end. */
  readable(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    const { conn, scratch } = this.#carrier;
    while (!this.#paused && !this.#readEnded && !this.#gone) {
      let read: [number, boolean] | null;
      try {
        read = conn.streamRecv(this.id, scratch);
      } catch (error) {
        // Nothing came yet on a stream that we opened: quiche does not know it.
        if (error instanceof Error && error.message.startsWith("InvalidStreamState")) return;
        this.#fail(error, "reset");
        return;
      }
      if (read === null) return;
      const [length, fin] = read;
      this.#carrier.flushSoon();
      if (length > 0) listener.onData(scratch.slice(0, length));
      if (fin) {
        // As on TCP: a peer that has nothing more to say is not spoken to for long.
        this.#readEnded = true;
        if (listener.onEnd === undefined) this.end();
        else listener.onEnd();
        this.#finishWhenOver();
      }
    }
  }

  /** The connection says: quiche may take bytes again, or the peer takes no more. */
  writable(): void {
    if (this.#gone) return;
    while (this.#queue.length > 0) {
      const [first] = this.#queue;
      if (first === undefined) break;
      const rest = this.#give(first);
      if (this.#gone) return;
      this.#queuedBytes -= first.length - rest.length;
      if (rest.length > 0) {
        this.#queue[0] = rest;
        return;
      }
      this.#queue.shift();
    }
    this.#carrier.setBlocked(this, false);
    if (this.#ending) this.#sendFin();
    else this.#listener?.onDrain();
  }

  /** The connection is gone. */
  lost(cause: Error | undefined): void {
    this.#finish(cause);
  }

  /** Gives bytes to quiche and returns what it did not take. */
  #give(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return bytes;
    try {
      const taken = this.#carrier.conn.streamSend(this.id, bytes, false) ?? 0;
      if (taken > 0) this.#carrier.flushSoon();
      return bytes.subarray(taken);
    } catch (error) {
      this.#fail(error, "stopped");
      return bytes;
    }
  }

  #sendFin(): void {
    if (this.#writeEnded) return;
    try {
      this.#carrier.conn.streamSend(this.id, new Uint8Array(0), true);
    } catch (error) {
      this.#fail(error, "stopped");
      return;
    }
    this.#writeEnded = true;
    this.#carrier.leaving(this);
    this.#carrier.flushSoon();
    this.#finishWhenOver();
  }

  #finishWhenOver(): void {
    if (this.#readEnded && this.#writeEnded) this.#finish(undefined);
  }

  /** The peer gave one direction up, or quiche knows the stream no more: then the other direction is worth nothing either. */
  #fail(error: unknown, how: "reset" | "stopped"): void {
    const code = errorCode(error, how === "reset" ? "StreamReset" : "StreamStopped");
    const why = code === undefined ? String(error) : `the peer ${how} the stream with code ${code}`;
    if (how === "reset") this.#readEnded = true;
    else this.#writeEnded = true;
    if (!this.#readEnded) this.#shutdown(READ, STREAM_CODES.destroyed);
    this.#shutdown(WRITE, STREAM_CODES.destroyed);
    this.#carrier.flushSoon();
    this.#finish(new Error(why, { cause: error }));
  }

  #shutdown(direction: typeof READ | typeof WRITE, code: number): void {
    try {
      this.#carrier.conn.streamShutdown(this.id, direction, code);
    } catch {
      // quiche knows the stream no more, or not yet: then there is nothing to end.
    }
  }

  #finish(cause: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#carrier.setBlocked(this, false);
    this.#carrier.forget(this);
    const listener = this.#listener;
    queueMicrotask(() => listener?.onClose(cause));
  }
}
