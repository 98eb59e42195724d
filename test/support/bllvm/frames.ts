/** Cuts a stream into frames: a big-endian `u32` length and as many bytes, as tokio's LengthDelimitedCodec does. */

/** A frame claims to be longer than the receiver takes. */
export class FrameTooLong extends Error {}

/** Collects chunks and gives whole payloads. */
export class FrameCutter {
  readonly #most: number;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** The payloads that `chunk` completes. Throws `FrameTooLong`. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(Buffer.from(chunk));
    this.#size += chunk.length;
    const payloads: Uint8Array[] = [];
    for (let payload = this.#next(); payload !== undefined; payload = this.#next()) payloads.push(payload);
    return payloads;
  }

  #next(): Uint8Array | undefined {
    if (this.#size < 4) return undefined;
    const size = this.#join(4).readUInt32BE(0);
    if (size > this.#most) throw new FrameTooLong(`a frame of ${size} bytes; at most ${this.#most} are taken`);
    if (this.#size < 4 + size) return undefined;
    const first = this.#join(4 + size);
    this.#chunks[0] = first.subarray(4 + size);
    this.#size -= 4 + size;
    return Uint8Array.from(first.subarray(4, 4 + size));
  }

  /** The first chunk, made to hold `least` bytes of those that came. */
  #join(least: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= least) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
