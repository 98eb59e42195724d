/**
 * SHA-256 (FIPS 180-4) for the share path: many digests of 64 to 300 bytes, where the set-up around the compression
 * function costs as much as the compression itself. Measured on Node 20: double SHA-256 of a header, a merkle node or a
 * coinbase takes less than half of the time that `@noble/hashes` takes (test/bench/hashing.ts). The tests check it against noble and against NIST's vectors.
 *
 * State is eight 32-bit words held by the caller. The message schedule is one private array, filled and used up
 * within each call; nothing of one call is seen by another, since all of this is synchronous.
 */

/** FIPS 180-4 §4.2.2: the round constants, for loops that are written out elsewhere. */
export const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

const INITIAL = new Int32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

const W = new Int32Array(64);

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

/** FIPS 180-4 §6.2.2 on the sixteen words at the start of `W`. */
function compress(state: Int32Array): void {
  const w = W;
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15] as number;
    const y = w[t - 2] as number;
    const sigma0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const sigma1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = ((w[t - 16] as number) + (w[t - 7] as number) + sigma0 + sigma1) | 0;
  }
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let t = 0; t < 64; t++) {
    const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + sum1 + (g ^ (e & (f ^ g))) + (K[t] as number) + (w[t] as number)) | 0;
    const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (sum0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
  state[4] = (state[4] as number) + e;
  state[5] = (state[5] as number) + f;
  state[6] = (state[6] as number) + g;
  state[7] = (state[7] as number) + h;
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
  compress(state);
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
  compress(state);
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
  W.fill(0, 0, 16);
  let i = 0;
  for (; p < end; p++, i++) W[i >> 2] = (W[i >> 2] as number) | ((bytes[p] as number) << (24 - 8 * (i & 3)));
  W[i >> 2] = (W[i >> 2] as number) | (0x80 << (24 - 8 * (i & 3)));
  if (i >= 56) {
    compress(state);
    W.fill(0, 0, 16);
  }
  W[14] = Math.floor(bits / 2 ** 32);
  W[15] = bits;
  compress(state);
}

/** Padding alone, for a message that `absorbBlock` and `absorbPair` took whole; `total` bytes, a multiple of 64. */
export function absorbEnd(state: Int32Array, total: number): void {
  W.fill(0, 0, 16);
  W[0] = 0x80000000;
  W[14] = Math.floor((total * 8) / 2 ** 32);
  W[15] = total * 8;
  compress(state);
}

/** Replaces the digest in `state` by the digest of that digest: the second half of Bitcoin's double SHA-256. */
export function absorbAgain(state: Int32Array): void {
  for (let i = 0; i < 8; i++) W[i] = state[i] as number;
  W[8] = 0x80000000;
  for (let i = 9; i < 15; i++) W[i] = 0;
  W[15] = 256;
  state.set(INITIAL);
  compress(state);
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
  compress(state);
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
