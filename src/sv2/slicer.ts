/**
 * Cuts a byte stream into pieces whose sizes become known one after the other: a handshake act, a frame header, a payload.
 * A piece that lies whole in what was received costs no copy; one that spans several receipts is copied once.
 */

const NONE = new Uint8Array(0);

/** A stream's unread bytes. What it holds never exceeds the piece that was asked for last. */
export class Slicer {
  #input: Uint8Array = NONE;
  #at = 0;
  #held: Uint8Array = NONE;
  #heldLength = 0;

  /** Bytes of an incomplete piece that wait for the rest. */
  get buffered(): number {
    return this.#heldLength;
  }

  /** Hands in what was received; all of it must be taken, until `take` says `undefined`, before the next call. */
  feed(bytes: Uint8Array): void {
    this.#input = bytes;
    this.#at = 0;
  }

  /**
   * The next `size` bytes once they are all there, else `undefined`, the rest being kept aside. The caller may keep the
   * result: it is a view into what was fed, or memory that is not used again.
   */
  take(size: number): Uint8Array | undefined {
    const at = this.#at;
    const available = this.#input.length - at;
    if (this.#heldLength === 0 && available >= size) {
      this.#at = at + size;
      return this.#input.subarray(at, at + size);
    }
    const part = Math.min(size - this.#heldLength, available);
    this.#at = at + part;
    this.#hold(this.#input.subarray(at, at + part), size);
    if (this.#heldLength < size) {
      this.#input = NONE;
      this.#at = 0;
      return undefined;
    }
    const piece = this.#held.subarray(0, size);
    this.#held = NONE;
    this.#heldLength = 0;
    return piece;
  }

  /** What was fed and not taken, for another reader; forgets it. */
  rest(): Uint8Array {
    const rest = this.#input.subarray(this.#at);
    this.#input = NONE;
    this.#at = 0;
    return rest;
  }

  /** Grows by doubling, so that a peer gets memory for what it sent and not for what it announced. */
  #hold(part: Uint8Array, size: number): void {
    if (part.length === 0) return;
    const length = this.#heldLength + part.length;
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.min(size, Math.max(length, this.#held.length * 2)));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    this.#held.set(part, this.#heldLength);
    this.#heldLength = length;
  }
}
