/**
 * Merkle roots of many leaves on one path: what an extended job costs per share, and most of what a share costs at all.
 * Each level is a double SHA-256 (FIPS 180-4) of 64 bytes, three calls of the compression function. Here they run on
 * words from level to level, the rounds are written out on local variables, and the padding block, which is the same for
 * every node, has its schedule in the constants: two thirds of the time of `foldMerklePath` (test/bench/shares.ts).
 */
import { K } from "./sha256.ts";

/** FIPS 180-4 §5.3.3, as signed words. */
const [H0, H1, H2, H3] = [0x6a09e667 | 0, 0xbb67ae85 | 0, 0x3c6ef372 | 0, 0xa54ff53a | 0] as const;
const [H4, H5, H6, H7] = [0x510e527f | 0, 0x9b05688c | 0, 0x1f83d9ab | 0, 0x5be0cd19 | 0] as const;

/** The round constants plus the scheduled words of the block that pads 64 bytes. */
const PADDING = ((): Int32Array => {
  const w = new Int32Array(64);
  w[0] = 0x80000000;
  w[15] = 512;
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15] as number;
    const y = w[t - 2] as number;
    const sigma0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const sigma1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = (w[t - 16] as number) + sigma0 + (w[t - 7] as number) + sigma1;
  }
  return w.map((word, t) => word + (K[t] as number));
})();

// biome-ignore format: one round and one schedule step a line are easier to check against the standard than wrapped ones
/** Replaces `node`, eight big-endian words, by the root over it and the siblings in `path`, eight words each. */
function fold(node: Int32Array, path: Int32Array): void {
  let n0 = node[0] as number, n1 = node[1] as number, n2 = node[2] as number, n3 = node[3] as number;
  let n4 = node[4] as number, n5 = node[5] as number, n6 = node[6] as number, n7 = node[7] as number;
  for (let p = 0; p < path.length; p += 8) {
    let w0 = n0, w1 = n1, w2 = n2, w3 = n3, w4 = n4, w5 = n5, w6 = n6, w7 = n7;
    let w8 = path[p] as number, w9 = path[p + 1] as number, w10 = path[p + 2] as number, w11 = path[p + 3] as number;
    let w12 = path[p + 4] as number, w13 = path[p + 5] as number, w14 = path[p + 6] as number, w15 = path[p + 7] as number;
    let a = H0, b = H1, c = H2, d = H3, e = H4, f = H5, g = H6, h = H7;
    n0 = a; n1 = b; n2 = c; n3 = d; n4 = e; n5 = f; n6 = g; n7 = h;
    let k: Int32Array = K;
    // Three blocks: the two nodes, their padding, and the digest of both with its padding.
    for (let block = 0; ; block++) {
      for (let t = 0; ; t += 16) {
        h = (h + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + (g ^ (e & (f ^ g))) + (k[t] as number) + w0) | 0; d = (d + h) | 0;
        h = (h + (((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) | (c & (a | b)))) | 0;
        g = (g + (((d >>> 6) | (d << 26)) ^ ((d >>> 11) | (d << 21)) ^ ((d >>> 25) | (d << 7))) + (f ^ (d & (e ^ f))) + (k[t + 1] as number) + w1) | 0; c = (c + g) | 0;
        g = (g + (((h >>> 2) | (h << 30)) ^ ((h >>> 13) | (h << 19)) ^ ((h >>> 22) | (h << 10))) + ((h & a) | (b & (h | a)))) | 0;
        f = (f + (((c >>> 6) | (c << 26)) ^ ((c >>> 11) | (c << 21)) ^ ((c >>> 25) | (c << 7))) + (e ^ (c & (d ^ e))) + (k[t + 2] as number) + w2) | 0; b = (b + f) | 0;
        f = (f + (((g >>> 2) | (g << 30)) ^ ((g >>> 13) | (g << 19)) ^ ((g >>> 22) | (g << 10))) + ((g & h) | (a & (g | h)))) | 0;
        e = (e + (((b >>> 6) | (b << 26)) ^ ((b >>> 11) | (b << 21)) ^ ((b >>> 25) | (b << 7))) + (d ^ (b & (c ^ d))) + (k[t + 3] as number) + w3) | 0; a = (a + e) | 0;
        e = (e + (((f >>> 2) | (f << 30)) ^ ((f >>> 13) | (f << 19)) ^ ((f >>> 22) | (f << 10))) + ((f & g) | (h & (f | g)))) | 0;
        d = (d + (((a >>> 6) | (a << 26)) ^ ((a >>> 11) | (a << 21)) ^ ((a >>> 25) | (a << 7))) + (c ^ (a & (b ^ c))) + (k[t + 4] as number) + w4) | 0; h = (h + d) | 0;
        d = (d + (((e >>> 2) | (e << 30)) ^ ((e >>> 13) | (e << 19)) ^ ((e >>> 22) | (e << 10))) + ((e & f) | (g & (e | f)))) | 0;
        c = (c + (((h >>> 6) | (h << 26)) ^ ((h >>> 11) | (h << 21)) ^ ((h >>> 25) | (h << 7))) + (b ^ (h & (a ^ b))) + (k[t + 5] as number) + w5) | 0; g = (g + c) | 0;
        c = (c + (((d >>> 2) | (d << 30)) ^ ((d >>> 13) | (d << 19)) ^ ((d >>> 22) | (d << 10))) + ((d & e) | (f & (d | e)))) | 0;
        b = (b + (((g >>> 6) | (g << 26)) ^ ((g >>> 11) | (g << 21)) ^ ((g >>> 25) | (g << 7))) + (a ^ (g & (h ^ a))) + (k[t + 6] as number) + w6) | 0; f = (f + b) | 0;
        b = (b + (((c >>> 2) | (c << 30)) ^ ((c >>> 13) | (c << 19)) ^ ((c >>> 22) | (c << 10))) + ((c & d) | (e & (c | d)))) | 0;
        a = (a + (((f >>> 6) | (f << 26)) ^ ((f >>> 11) | (f << 21)) ^ ((f >>> 25) | (f << 7))) + (h ^ (f & (g ^ h))) + (k[t + 7] as number) + w7) | 0; e = (e + a) | 0;
        a = (a + (((b >>> 2) | (b << 30)) ^ ((b >>> 13) | (b << 19)) ^ ((b >>> 22) | (b << 10))) + ((b & c) | (d & (b | c)))) | 0;
        h = (h + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + (g ^ (e & (f ^ g))) + (k[t + 8] as number) + w8) | 0; d = (d + h) | 0;
        h = (h + (((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) | (c & (a | b)))) | 0;
        g = (g + (((d >>> 6) | (d << 26)) ^ ((d >>> 11) | (d << 21)) ^ ((d >>> 25) | (d << 7))) + (f ^ (d & (e ^ f))) + (k[t + 9] as number) + w9) | 0; c = (c + g) | 0;
        g = (g + (((h >>> 2) | (h << 30)) ^ ((h >>> 13) | (h << 19)) ^ ((h >>> 22) | (h << 10))) + ((h & a) | (b & (h | a)))) | 0;
        f = (f + (((c >>> 6) | (c << 26)) ^ ((c >>> 11) | (c << 21)) ^ ((c >>> 25) | (c << 7))) + (e ^ (c & (d ^ e))) + (k[t + 10] as number) + w10) | 0; b = (b + f) | 0;
        f = (f + (((g >>> 2) | (g << 30)) ^ ((g >>> 13) | (g << 19)) ^ ((g >>> 22) | (g << 10))) + ((g & h) | (a & (g | h)))) | 0;
        e = (e + (((b >>> 6) | (b << 26)) ^ ((b >>> 11) | (b << 21)) ^ ((b >>> 25) | (b << 7))) + (d ^ (b & (c ^ d))) + (k[t + 11] as number) + w11) | 0; a = (a + e) | 0;
        e = (e + (((f >>> 2) | (f << 30)) ^ ((f >>> 13) | (f << 19)) ^ ((f >>> 22) | (f << 10))) + ((f & g) | (h & (f | g)))) | 0;
        d = (d + (((a >>> 6) | (a << 26)) ^ ((a >>> 11) | (a << 21)) ^ ((a >>> 25) | (a << 7))) + (c ^ (a & (b ^ c))) + (k[t + 12] as number) + w12) | 0; h = (h + d) | 0;
        d = (d + (((e >>> 2) | (e << 30)) ^ ((e >>> 13) | (e << 19)) ^ ((e >>> 22) | (e << 10))) + ((e & f) | (g & (e | f)))) | 0;
        c = (c + (((h >>> 6) | (h << 26)) ^ ((h >>> 11) | (h << 21)) ^ ((h >>> 25) | (h << 7))) + (b ^ (h & (a ^ b))) + (k[t + 13] as number) + w13) | 0; g = (g + c) | 0;
        c = (c + (((d >>> 2) | (d << 30)) ^ ((d >>> 13) | (d << 19)) ^ ((d >>> 22) | (d << 10))) + ((d & e) | (f & (d | e)))) | 0;
        b = (b + (((g >>> 6) | (g << 26)) ^ ((g >>> 11) | (g << 21)) ^ ((g >>> 25) | (g << 7))) + (a ^ (g & (h ^ a))) + (k[t + 14] as number) + w14) | 0; f = (f + b) | 0;
        b = (b + (((c >>> 2) | (c << 30)) ^ ((c >>> 13) | (c << 19)) ^ ((c >>> 22) | (c << 10))) + ((c & d) | (e & (c | d)))) | 0;
        a = (a + (((f >>> 6) | (f << 26)) ^ ((f >>> 11) | (f << 21)) ^ ((f >>> 25) | (f << 7))) + (h ^ (f & (g ^ h))) + (k[t + 15] as number) + w15) | 0; e = (e + a) | 0;
        a = (a + (((b >>> 2) | (b << 30)) ^ ((b >>> 13) | (b << 19)) ^ ((b >>> 22) | (b << 10))) + ((b & c) | (d & (b | c)))) | 0;
        if (t === 48) break;
        if (block === 1) continue;
        w0 = (w0 + w9 + (((w1 >>> 7) | (w1 << 25)) ^ ((w1 >>> 18) | (w1 << 14)) ^ (w1 >>> 3)) + (((w14 >>> 17) | (w14 << 15)) ^ ((w14 >>> 19) | (w14 << 13)) ^ (w14 >>> 10))) | 0;
        w1 = (w1 + w10 + (((w2 >>> 7) | (w2 << 25)) ^ ((w2 >>> 18) | (w2 << 14)) ^ (w2 >>> 3)) + (((w15 >>> 17) | (w15 << 15)) ^ ((w15 >>> 19) | (w15 << 13)) ^ (w15 >>> 10))) | 0;
        w2 = (w2 + w11 + (((w3 >>> 7) | (w3 << 25)) ^ ((w3 >>> 18) | (w3 << 14)) ^ (w3 >>> 3)) + (((w0 >>> 17) | (w0 << 15)) ^ ((w0 >>> 19) | (w0 << 13)) ^ (w0 >>> 10))) | 0;
        w3 = (w3 + w12 + (((w4 >>> 7) | (w4 << 25)) ^ ((w4 >>> 18) | (w4 << 14)) ^ (w4 >>> 3)) + (((w1 >>> 17) | (w1 << 15)) ^ ((w1 >>> 19) | (w1 << 13)) ^ (w1 >>> 10))) | 0;
        w4 = (w4 + w13 + (((w5 >>> 7) | (w5 << 25)) ^ ((w5 >>> 18) | (w5 << 14)) ^ (w5 >>> 3)) + (((w2 >>> 17) | (w2 << 15)) ^ ((w2 >>> 19) | (w2 << 13)) ^ (w2 >>> 10))) | 0;
        w5 = (w5 + w14 + (((w6 >>> 7) | (w6 << 25)) ^ ((w6 >>> 18) | (w6 << 14)) ^ (w6 >>> 3)) + (((w3 >>> 17) | (w3 << 15)) ^ ((w3 >>> 19) | (w3 << 13)) ^ (w3 >>> 10))) | 0;
        w6 = (w6 + w15 + (((w7 >>> 7) | (w7 << 25)) ^ ((w7 >>> 18) | (w7 << 14)) ^ (w7 >>> 3)) + (((w4 >>> 17) | (w4 << 15)) ^ ((w4 >>> 19) | (w4 << 13)) ^ (w4 >>> 10))) | 0;
        w7 = (w7 + w0 + (((w8 >>> 7) | (w8 << 25)) ^ ((w8 >>> 18) | (w8 << 14)) ^ (w8 >>> 3)) + (((w5 >>> 17) | (w5 << 15)) ^ ((w5 >>> 19) | (w5 << 13)) ^ (w5 >>> 10))) | 0;
        w8 = (w8 + w1 + (((w9 >>> 7) | (w9 << 25)) ^ ((w9 >>> 18) | (w9 << 14)) ^ (w9 >>> 3)) + (((w6 >>> 17) | (w6 << 15)) ^ ((w6 >>> 19) | (w6 << 13)) ^ (w6 >>> 10))) | 0;
        w9 = (w9 + w2 + (((w10 >>> 7) | (w10 << 25)) ^ ((w10 >>> 18) | (w10 << 14)) ^ (w10 >>> 3)) + (((w7 >>> 17) | (w7 << 15)) ^ ((w7 >>> 19) | (w7 << 13)) ^ (w7 >>> 10))) | 0;
        w10 = (w10 + w3 + (((w11 >>> 7) | (w11 << 25)) ^ ((w11 >>> 18) | (w11 << 14)) ^ (w11 >>> 3)) + (((w8 >>> 17) | (w8 << 15)) ^ ((w8 >>> 19) | (w8 << 13)) ^ (w8 >>> 10))) | 0;
        w11 = (w11 + w4 + (((w12 >>> 7) | (w12 << 25)) ^ ((w12 >>> 18) | (w12 << 14)) ^ (w12 >>> 3)) + (((w9 >>> 17) | (w9 << 15)) ^ ((w9 >>> 19) | (w9 << 13)) ^ (w9 >>> 10))) | 0;
        w12 = (w12 + w5 + (((w13 >>> 7) | (w13 << 25)) ^ ((w13 >>> 18) | (w13 << 14)) ^ (w13 >>> 3)) + (((w10 >>> 17) | (w10 << 15)) ^ ((w10 >>> 19) | (w10 << 13)) ^ (w10 >>> 10))) | 0;
        w13 = (w13 + w6 + (((w14 >>> 7) | (w14 << 25)) ^ ((w14 >>> 18) | (w14 << 14)) ^ (w14 >>> 3)) + (((w11 >>> 17) | (w11 << 15)) ^ ((w11 >>> 19) | (w11 << 13)) ^ (w11 >>> 10))) | 0;
        w14 = (w14 + w7 + (((w15 >>> 7) | (w15 << 25)) ^ ((w15 >>> 18) | (w15 << 14)) ^ (w15 >>> 3)) + (((w12 >>> 17) | (w12 << 15)) ^ ((w12 >>> 19) | (w12 << 13)) ^ (w12 >>> 10))) | 0;
        w15 = (w15 + w8 + (((w0 >>> 7) | (w0 << 25)) ^ ((w0 >>> 18) | (w0 << 14)) ^ (w0 >>> 3)) + (((w13 >>> 17) | (w13 << 15)) ^ ((w13 >>> 19) | (w13 << 13)) ^ (w13 >>> 10))) | 0;
      }
      a = (a + n0) | 0; b = (b + n1) | 0; c = (c + n2) | 0; d = (d + n3) | 0; e = (e + n4) | 0; f = (f + n5) | 0; g = (g + n6) | 0; h = (h + n7) | 0;
      if (block === 1) {
        k = K;
        w0 = a; w1 = b; w2 = c; w3 = d; w4 = e; w5 = f; w6 = g; w7 = h; w8 = 0x80000000 | 0; w15 = 256;
        a = H0; b = H1; c = H2; d = H3; e = H4; f = H5; g = H6; h = H7;
      }
      n0 = a; n1 = b; n2 = c; n3 = d; n4 = e; n5 = f; n6 = g; n7 = h;
      if (block === 2) break;
      if (block === 0) {
        k = PADDING;
        w0 = w1 = w2 = w3 = w4 = w5 = w6 = w7 = w8 = w9 = w10 = w11 = w12 = w13 = w14 = w15 = 0;
      }
    }
  }
  node[0] = n0; node[1] = n1; node[2] = n2; node[3] = n3; node[4] = n4; node[5] = n5; node[6] = n6; node[7] = n7;
}

/** The path of a first leaf, the coinbase, made ready for many leaves. One a job; its calls must not overlap. */
export class MerklePathFolder {
  readonly #path: Int32Array;
  readonly #node = new Int32Array(8);

  /** `path`: siblings from leaf to root, each `Uint8Array(32)` in internal byte order; copied. */
  constructor(path: readonly Uint8Array[]) {
    this.#path = new Int32Array(8 * path.length);
    path.forEach((sibling, level) => {
      if (sibling.length !== 32) throw new TypeError(`a merkle node has 32 bytes, got ${sibling.length}`);
      load(this.#path, 8 * level, sibling);
    });
  }

  /** Writes the root over `leaf`, `Uint8Array(32)`, to `out[0..31]` without an allocation; `out` may be `leaf`. */
  rootInto(out: Uint8Array, leaf: Uint8Array): void {
    const node = this.#node;
    load(node, 0, leaf);
    fold(node, this.#path);
    for (let i = 0, p = 0; i < 8; i++, p += 4) {
      const word = node[i] as number;
      out[p] = word >>> 24;
      out[p + 1] = word >>> 16;
      out[p + 2] = word >>> 8;
      out[p + 3] = word;
    }
  }
}

/** Puts 32 `bytes` as big-endian words into `words` from `at` on. */
function load(words: Int32Array, at: number, bytes: Uint8Array): void {
  for (let i = 0, p = 0; i < 8; i++, p += 4) {
    words[at + i] =
      ((bytes[p] as number) << 24) |
      ((bytes[p + 1] as number) << 16) |
      ((bytes[p + 2] as number) << 8) |
      (bytes[p + 3] as number);
  }
}
