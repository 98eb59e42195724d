/**
 * Frames of the IPC: the payload's length as a u32 in big-endian order, the only big-endian number there is, and the
 * payload. What arrives is cut into payloads wherever the chunks of the socket end.
 */
import { Fault } from "../../../kernel/fault.ts";
import type { Schema } from "./schema.ts";

/** Size of the length in front of a payload. */
export const FRAME_HEADER_SIZE = 4;

/** The longest payload that a node of `schema` sends or takes: 40 MiB, in the N schemas 8 MiB. */
export function maxPayload(schema: Schema): number {
  return (schema.startsWith("n") ? 8 : 40) * 1024 * 1024;
}

/** Reserved at first for a payload that does not arrive at once; it doubles as the bytes come, not as the length promises. */
const FIRST_RESERVE = 64 * 1024;

/** Puts payloads together. Holds at most twice the bytes that arrived of one payload, and never more than `maxPayload`. */
export class FrameSlicer {
  readonly #maxPayload: number;
  /** Bytes of the length that have arrived, and their number so far. */
  #headerSize = 0;
  #length = 0;
  #payload: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #fault: Fault | undefined;

  constructor(options: { readonly maxPayload: number }) {
    this.#maxPayload = options.maxPayload;
  }

  /**
   * The payloads that end in `chunk`, as copies. Throws `Fault("bllvm-frame-too-long")` (drop), also at every later call:
   * where the next frame starts cannot be known any more.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#fault !== undefined) throw this.#fault;
    const payloads: Uint8Array[] = [];
    for (let at = 0; at < chunk.length; ) {
      at = this.#headerSize < FRAME_HEADER_SIZE ? this.#takeHeader(chunk, at) : this.#takePayload(chunk, at);
      if (this.#headerSize === FRAME_HEADER_SIZE && this.#filled === this.#length) {
        payloads.push(this.#payload);
        this.#headerSize = this.#length = this.#filled = 0;
        this.#payload = new Uint8Array(0);
      }
    }
    return payloads;
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    let next = at;
    while (next < chunk.length && this.#headerSize < FRAME_HEADER_SIZE) {
      this.#length = this.#length * 256 + (chunk[next++] as number);
      this.#headerSize++;
    }
    if (this.#headerSize === FRAME_HEADER_SIZE) {
      if (this.#length > this.#maxPayload) {
        this.#fault = new Fault("bllvm-frame-too-long", { length: this.#length, max: this.#maxPayload });
        throw this.#fault;
      }
      this.#payload = new Uint8Array(Math.min(this.#length, Math.max(chunk.length - next, FIRST_RESERVE)));
    }
    return next;
  }

  #takePayload(chunk: Uint8Array, at: number): number {
    const size = Math.min(this.#length - this.#filled, chunk.length - at);
    if (this.#filled + size > this.#payload.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(this.#filled + size, this.#payload.length * 2)));
      grown.set(this.#payload.subarray(0, this.#filled));
      this.#payload = grown;
    }
    this.#payload.set(chunk.subarray(at, at + size), this.#filled);
    this.#filled += size;
    return at + size;
  }
}
