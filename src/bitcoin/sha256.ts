/**
 * SHA-256 (FIPS 180-4) for the share path: many digests of 64 to 300 bytes, where the set-up around the compression
 * function costs as much as the compression itself. Measured on Node 20: double SHA-256 of a header, a merkle node or a
 * coinbase takes less than half of the time that `@noble/hashes` takes (test/bench/hashing.ts). The tests check it against noble and against NIST's vectors.
 *
 * State is eight 32-bit words held by the caller. A block's words are put into one private array and used up within
 * each call; nothing of one call is seen by another, since all of this is synchronous.
 */
import { compress, INITIAL } from "./sha256-compress.ts";

const W = new Int32Array(16);

/** Bytes that one call of the compression function takes. */
export const BLOCK_SIZE = 64;

/** A state that is ready for the first block. */
export function newState(): Int32Array {
  return Int32Array.from(INITIAL);
}

/** Makes `state` ready for the first block again. */
export function resetState(state: Int32Array): void {
  state.set(INITIAL);
}

/** Loads bytes of `block` from `at` on as big-endian words `W[first..15]`. */
function load(block: Uint8Array, at: number, first: number): void {
  for (let i = first, p = at; i < 16; i++, p += 4) {
    W[i] =
      ((block[p] as number) << 24) |
      ((block[p + 1] as number) << 16) |
      ((block[p + 2] as number) << 8) |
      (block[p + 3] as number);
  }
}

/** Takes the 64 bytes of `bytes` at `at` into `state`. */
export function absorbBlock(state: Int32Array, bytes: Uint8Array, at: number): void {
  load(bytes, at, 0);
  compress(state, W);
}

/** Takes the 64 bytes `left` ‖ `right`, 32 each, into `state`. */
export function absorbPair(state: Int32Array, left: Uint8Array, right: Uint8Array): void {
  load(right, 0, 8);
  for (let i = 0, p = 0; i < 8; i++, p += 4) {
    W[i] =
      ((left[p] as number) << 24) |
      ((left[p + 1] as number) << 16) |
      ((left[p + 2] as number) << 8) |
      (left[p + 3] as number);
  }
  compress(state, W);
}

/**
 * Takes `bytes` from `at` to their end and then FIPS 180-4's padding into `state`, which then holds the digest.
 * `before`: bytes taken earlier, a multiple of 64.
 */
export function absorbRest(state: Int32Array, bytes: Uint8Array, at: number, before: number): void {
  const end = bytes.length;
  const bits = (before + end - at) * 8;
  let p = at;
  for (; p + BLOCK_SIZE <= end; p += BLOCK_SIZE) absorbBlock(state, bytes, p);
  W.fill(0);
  let i = 0;
  for (; p < end; p++, i++) W[i >> 2] = (W[i >> 2] as number) | ((bytes[p] as number) << (24 - 8 * (i & 3)));
  W[i >> 2] = (W[i >> 2] as number) | (0x80 << (24 - 8 * (i & 3)));
  if (i >= 56) {
    compress(state, W);
    W.fill(0);
  }
  W[14] = Math.floor(bits / 2 ** 32);
  W[15] = bits;
  compress(state, W);
}

/** Padding alone, for a message that `absorbBlock` and `absorbPair` took whole; `total` bytes, a multiple of 64. */
export function absorbEnd(state: Int32Array, total: number): void {
  W.fill(0);
  W[0] = 0x80000000;
  W[14] = Math.floor((total * 8) / 2 ** 32);
  W[15] = total * 8;
  compress(state, W);
}

/** Replaces the digest in `state` by the digest of that digest: the second half of Bitcoin's double SHA-256. */
export function absorbAgain(state: Int32Array): void {
  for (let i = 0; i < 8; i++) W[i] = state[i] as number;
  W[8] = 0x80000000;
  for (let i = 9; i < 15; i++) W[i] = 0;
  W[15] = 256;
  state.set(INITIAL);
  compress(state, W);
}

/** The last 16 bytes of an 80-byte header, its last word given apart, with their padding: the body of a nonce search. */
export function absorbHeaderTail(state: Int32Array, tail: Int32Array, lastWord: number): void {
  W[0] = tail[0] as number;
  W[1] = tail[1] as number;
  W[2] = tail[2] as number;
  W[3] = lastWord;
  W[4] = 0x80000000;
  for (let i = 5; i < 15; i++) W[i] = 0;
  W[15] = 640;
  compress(state, W);
}

/** Writes the digest in `state` to `out[0..31]`. */
export function squeeze(state: Int32Array, out: Uint8Array): void {
  for (let i = 0, p = 0; i < 8; i++, p += 4) {
    const word = state[i] as number;
    out[p] = word >>> 24;
    out[p + 1] = word >>> 16;
    out[p + 2] = word >>> 8;
    out[p + 3] = word;
  }
}
