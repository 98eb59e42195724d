/** The 80 bytes of a block header, and the search for a nonce. */
import { Reader } from "../kernel/reader.ts";
import { sha256d } from "./hash.ts";
import { absorbAgain, absorbBlock, absorbHeaderTail, newState, squeeze } from "./sha256.ts";
import { meetsTargetBytes, targetToBytes } from "./target.ts";

/** Bytes of a serialised header. */
export const HEADER_SIZE = 80;

/** A block header. */
export interface Header {
  /** u32; Bitcoin treats it as signed, BIP9 and BIP320 as bits. */
  readonly version: number;
  /** `Uint8Array(32)`, internal byte order. */
  readonly prevHash: Uint8Array;
  /** `Uint8Array(32)`, internal byte order. */
  readonly merkleRoot: Uint8Array;
  /** Unix seconds, u32. */
  readonly time: number;
  /** Compact target, u32. */
  readonly nBits: number;
  /** u32. */
  readonly nonce: number;
}

/** Writes the 80 bytes of `header` to `into` from `offset` on; for callers that keep one buffer. */
export function writeHeader(into: Uint8Array, header: Header, offset = 0): void {
  writeU32(into, offset, header.version);
  into.set(header.prevHash, offset + 4);
  into.set(header.merkleRoot, offset + 36);
  writeU32(into, offset + 68, header.time);
  writeU32(into, offset + 72, header.nBits);
  writeU32(into, offset + 76, header.nonce);
}

/** `header` as a new `Uint8Array(80)`. */
export function serializeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE);
  writeHeader(bytes, header);
  return bytes;
}

/**
 * The header in exactly 80 `bytes`; its hashes are views into them. Throws `Fault("bytes-truncated")` or
 * `Fault("bytes-trailing")` for another length.
 */
export function parseHeader(bytes: Uint8Array): Header {
  const reader = new Reader(bytes);
  const header = readHeader(reader);
  reader.end();
  return header;
}

/** Reads the next 80 bytes of `reader` as a header. Throws `Fault("bytes-truncated")`. */
export function readHeader(reader: Reader): Header {
  return {
    version: reader.u32(),
    prevHash: reader.bytes(32),
    merkleRoot: reader.bytes(32),
    time: reader.u32(),
    nBits: reader.u32(),
    nonce: reader.u32(),
  };
}

/** The block hash of 80 header bytes: `Uint8Array(32)`, internal byte order. */
export function headerHash(header80: Uint8Array): Uint8Array {
  if (header80.length !== HEADER_SIZE) throw new TypeError(`a header has 80 bytes, got ${header80.length}`);
  return sha256d(header80);
}

/**
 * Hashes one header with many nonces: the first 64 bytes are taken once (the midstate), so each nonce costs two calls of
 * the compression function instead of three and no allocation.
 */
export class HeaderHasher {
  readonly #midstate = newState();
  readonly #tail = new Int32Array(3);
  readonly #state = newState();
  readonly #hash = new Uint8Array(32);

  /** `header80`: its nonce bytes do not matter. They are copied; later changes to the array have no effect. */
  constructor(header80: Uint8Array) {
    if (header80.length !== HEADER_SIZE) throw new TypeError(`a header has 80 bytes, got ${header80.length}`);
    absorbBlock(this.#midstate, header80, 0);
    const view = new DataView(header80.buffer, header80.byteOffset, HEADER_SIZE);
    for (let i = 0; i < 3; i++) this.#tail[i] = view.getInt32(64 + 4 * i);
  }

  #compute(nonce: number): void {
    this.#state.set(this.#midstate);
    absorbHeaderTail(this.#state, this.#tail, swap32(nonce));
    absorbAgain(this.#state);
  }

  /** Writes the block hash for `nonce` (u32) to `out[0..31]`, internal byte order. */
  hashInto(out: Uint8Array, nonce: number): void {
    this.#compute(nonce);
    squeeze(this.#state, out);
  }

  /**
   * The first nonce from `start` on, of at most `count`, whose hash meets `target`; `undefined` if there is none.
   * Nonces go up to 2^32 - 1 and do not wrap. Synchronous: choose `count` for the time you may hold the thread.
   */
  search(start: number, count: number, target: bigint): number | undefined {
    const bytes = targetToBytes(target);
    const top = new DataView(bytes.buffer).getUint32(28, true);
    const end = Math.min(start + count, 2 ** 32);
    for (let nonce = start; nonce < end; nonce++) {
      this.#compute(nonce);
      // The last word of the digest is the highest of the number; it settles nearly every comparison.
      if (swap32(this.#state[7] as number) > top) continue;
      squeeze(this.#state, this.#hash);
      if (meetsTargetBytes(this.#hash, bytes)) return nonce;
    }
    return undefined;
  }
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

/** The four bytes of `word` in the opposite order, unsigned. */
function swap32(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
