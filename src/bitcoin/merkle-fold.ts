/**
 * Merkle roots of many leaves on one path: what an extended job costs per share, and most of what a share costs at all.
 * Each level is a double SHA-256 (FIPS 180-4) of 64 bytes, three calls of the compression function. Here they run on
 * words from level to level, and the padding block, which is the same for every node, has its schedule in the constants.
 */
import { compress, constantBlock, INITIAL } from "./sha256-compress.ts";

/** The block that pads 64 bytes. */
const PADDING = constantBlock(Int32Array.of(0x80000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 512));
const ZEROS = new Int32Array(16);

/** The path of a first leaf, the coinbase, made ready for many leaves. One a job; its calls must not overlap. */
export class MerklePathFolder {
  readonly #path: Int32Array;
  readonly #node = new Int32Array(8);
  readonly #words = new Int32Array(16);

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
    this.#fold();
    for (let i = 0, p = 0; i < 8; i++, p += 4) {
      const word = node[i] as number;
      out[p] = word >>> 24;
      out[p + 1] = word >>> 16;
      out[p + 2] = word >>> 8;
      out[p + 3] = word;
    }
  }

  /** Replaces the node by the root over it and the siblings. */
  #fold(): void {
    const path = this.#path;
    const node = this.#node;
    const words = this.#words;
    for (let p = 0; p < path.length; p += 8) {
      for (let i = 0; i < 8; i++) {
        words[i] = node[i] as number;
        words[8 + i] = path[p + i] as number;
        node[i] = INITIAL[i] as number;
      }
      compress(node, words);
      compress(node, ZEROS, PADDING);
      // The second hash: the first digest, its padding and its length of 256 bits.
      for (let i = 0; i < 8; i++) {
        words[i] = node[i] as number;
        words[8 + i] = 0;
        node[i] = INITIAL[i] as number;
      }
      words[8] = 0x80000000;
      words[15] = 256;
      compress(node, words);
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
