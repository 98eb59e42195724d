/**
 * What waits to be sent to one peer: frames of one turn are joined into one write, what waits is bounded, and it is known
 * since when the peer has taken nothing.
 */
import { concat } from "../kernel/bytes.ts";
import type { Stream } from "./transport.ts";

/** The way out of a session. */
export class Outbox {
  readonly #stream: Stream;
  readonly #limit: () => number;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writtenBytes = 0;
  #takenBytes = 0;
  #takenMs: number;

  /** `limit`: bytes that may wait, asked for each time because it may change. `nowMs`: monotonic time of the start. */
  constructor(deps: { readonly stream: Stream }, options: { readonly limit: () => number; readonly nowMs: number }) {
    this.#stream = deps.stream;
    this.#limit = options.limit;
    this.#takenMs = options.nowMs;
  }

  /** Whether nothing was put in since the last flush. */
  get empty(): boolean {
    return this.#queue.length === 0;
  }

  /** Bytes that the peer has not taken. */
  get waiting(): number {
    return this.#stream.bufferedBytes + this.#queuedBytes;
  }

  /**
   * Puts in bytes that leave with the next flush. Never throws, for the sender may be in the middle of crediting a share:
   * beyond the limit bytes are dropped, and `flush` says so.
   */
  put(bytes: Uint8Array): void {
    this.#queuedBytes += bytes.length;
    if (this.waiting > this.#limit()) this.#queue = [];
    this.#queue.push(bytes);
  }

  /** Writes everything that was put in as one piece. Returns `false` when more waits than may: the peer has to go. */
  flush(): boolean {
    if (this.#queue.length === 0) return true;
    if (this.waiting > this.#limit()) return false;
    const [first] = this.#queue;
    const bytes = first !== undefined && this.#queue.length === 1 ? first : concat(...this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#writtenBytes += bytes.length;
    this.#stream.write(bytes);
    return true;
  }

  /** Forgets what was not flushed. */
  clear(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  /** For how long the peer has taken nothing of what waits for it, ms; to be asked about once a second. */
  stalledMs(nowMs: number): number {
    const { bufferedBytes } = this.#stream;
    const taken = this.#writtenBytes - bufferedBytes;
    if (bufferedBytes === 0 || taken !== this.#takenBytes) {
      this.#takenBytes = taken;
      this.#takenMs = nowMs;
    }
    return nowMs - this.#takenMs;
  }
}
