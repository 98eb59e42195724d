/**
 * The one bounds-checked decoder that untrusted bytes meet. All integers are little-endian, as in Bitcoin and SV2.
 * A read past the end throws `Fault("bytes-truncated")`; nothing is ever read from outside the given array.
 */
import { Fault } from "./fault.ts";

/** Reads a byte array from front to back. Byte strings it returns are views into that array, not copies. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes still to be read. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #take(size: number): number {
    const at = this.#offset;
    if (size > this.#bytes.length - at) {
      throw new Fault("bytes-truncated", { wanted: size, remaining: this.#bytes.length - at });
    }
    this.#offset = at + size;
    return at;
  }

  /** One byte. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** Two bytes, little-endian. */
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  /** Three bytes, little-endian. */
  u24(): number {
    const at = this.#take(3);
    return this.#view.getUint16(at, true) | (this.#view.getUint8(at + 2) << 16);
  }

  /** Four bytes, little-endian, 0 to 2^32 - 1. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Four bytes, little-endian, signed. */
  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** Eight bytes, little-endian, unsigned. */
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** IEEE 754 binary32, little-endian. NaN and infinities pass: the message's rules judge them. */
  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  /** IEEE 754 binary64, little-endian. NaN and infinities pass: the message's rules judge them. */
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** The next `size` bytes, as a view. */
  bytes(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** All that is left, as a view; may be empty. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** Throws `Fault("bytes-trailing")` unless everything was read. */
  end(): void {
    if (this.remaining > 0) throw new Fault("bytes-trailing", { remaining: this.remaining });
  }
}
