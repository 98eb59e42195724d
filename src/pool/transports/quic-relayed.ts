/** A stream whose other end is in the QUIC process: what its owner does goes there as messages, what comes back is told to it. */
import type { Stream, StreamListener } from "../transport.ts";
import { TO_PROCESS } from "./quic-wire.ts";

/** What a stream needs. */
export interface RelayedStreamDeps {
  /** Sends a message of this stream to the process; does nothing once that is gone. */
  readonly send: (type: number, payload?: Uint8Array) => void;
}

/** Waiting bytes above which a writer had better wait. */
const HIGH_WATER = 16 * 1024;

/** One stream. */
export class RelayedStream implements Stream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #deps: RelayedStreamDeps;
  #listener: StreamListener | undefined;
  #waiting = 0;
  #wantsDrain = false;
  #paused = false;
  #ended = false;
  #peerEnded = false;
  #gone = false;
  /** What came while paused: bytes that were on their way already, no more than a stream's window. */
  #held: Uint8Array[] = [];

  constructor(deps: RelayedStreamDeps, peer: { readonly host: string; readonly port: number }) {
    this.#deps = deps;
    this.remoteAddress = peer.host;
    this.remotePort = peer.port;
  }

  /** Whether an owner took the stream. */
  get attached(): boolean {
    return this.#listener !== undefined;
  }

  get bufferedBytes(): number {
    return this.#waiting;
  }

  attach(listener: StreamListener): void {
    if (this.#listener !== undefined) throw new TypeError("the stream has a listener already");
    this.#listener = listener;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended || this.#gone) return true;
    this.#waiting += bytes.length;
    this.#deps.send(TO_PROCESS.data, bytes);
    this.#wantsDrain ||= this.#waiting > HIGH_WATER;
    return !this.#wantsDrain;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#deps.send(TO_PROCESS.pause);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deps.send(TO_PROCESS.resume);
    if (this.#held.length > 0 || this.#peerEnded) queueMicrotask(() => this.#giveHeld());
  }

  end(): void {
    if (this.#ended || this.#gone) return;
    this.#ended = true;
    this.#deps.send(TO_PROCESS.end);
  }

  destroy(): void {
    if (this.#gone) return;
    this.#deps.send(TO_PROCESS.destroy);
    this.#finish(undefined);
  }

  /** The peer sent bytes. */
  received(bytes: Uint8Array): void {
    if (this.#gone) return;
    this.#held.push(bytes);
    if (!this.#paused) this.#giveHeld();
  }

  /** The peer ended its direction: ours ends once what came before was read, as on TCP. */
  peerEnded(): void {
    this.#peerEnded = true;
    if (!this.#paused) this.#giveHeld();
  }

  /** So many bytes left for the peer. */
  taken(count: number): void {
    this.#waiting -= count;
    if (this.#waiting > 0 || !this.#wantsDrain || this.#gone) return;
    this.#wantsDrain = false;
    this.#listener?.onDrain();
  }

  /** The stream is over at the other end. */
  closed(cause: Error | undefined): void {
    // What came before its end and was not read for a pause is read now: its owner is told the end last.
    this.#paused = false;
    if (!this.#gone) this.#giveHeld();
    this.#finish(cause);
  }

  #giveHeld(): void {
    while (!this.#paused && !this.#gone) {
      const bytes = this.#held.shift();
      if (bytes === undefined) {
        if (this.#peerEnded) this.end();
        return;
      }
      this.#listener?.onData(bytes);
    }
  }

  #finish(cause: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#held = [];
    this.#waiting = 0;
    const listener = this.#listener;
    queueMicrotask(() => listener?.onClose(cause));
  }
}
