/**
 * All headers that one piece of work allows (spec 5.1.1, 5.1.2), in this order: nonces, then the version's general purpose
 * bits, then extranonces. The header time follows the clock beside them, so the space grows by one such space a second and
 * a search that has used up everything waits for the next second. No header comes twice.
 */

import { sha256d } from "../../bitcoin/hash.ts";
import { HEADER_SIZE, serializeHeader } from "../../bitcoin/header.ts";
import { foldMerklePath } from "../../bitcoin/merkle.ts";
import { absorbBlock, newState } from "../../bitcoin/sha256.ts";
import { meetsTargetBytes } from "../../bitcoin/target.ts";
import { concat } from "../../kernel/bytes.ts";
import { scan } from "./sha256d-scan.ts";
import type { Solution, Work } from "./work.ts";

/** Which nonces of every header this search tries; several threads share the work by them. */
export interface NonceRange {
  /** First nonce, u32. */
  readonly start: number;
  /** First nonce that is not tried any more, at most 2^32. */
  readonly end: number;
}

/** All nonces. */
export const ALL_NONCES: NonceRange = { start: 0, end: 2 ** 32 };

/** What a step found. */
export interface Step {
  /** Hashes that were tried; 0 when everything is used up until the header time moves on. */
  readonly hashes: number;
  readonly solution: Solution | undefined;
}

/** Bytes of extranonce that are counted through; 2^48 values outlast any job. */
const COUNTED_EXTRANONCE_BYTES = 6;

/** The search through one piece of work. */
export class SearchSpace {
  readonly #work: Work;
  readonly #nonces: NonceRange;
  readonly #versions: number;
  readonly #extranonces: number;
  readonly #limit: number;
  readonly #midstate = newState();
  readonly #tail = new Int32Array(3);
  #header: Uint8Array = new Uint8Array(HEADER_SIZE);
  #extranonce: Uint8Array = new Uint8Array(0);
  #ntime: number;
  #extranonceAt = 0;
  #versionAt = 0;
  #nonce: number;
  #exhausted = false;

  constructor(work: Work, nonces: NonceRange) {
    this.#work = work;
    this.#nonces = nonces;
    this.#versions = 2 ** bitCount(work.versionMask);
    this.#extranonces =
      work.root.kind === "fixed" ? 1 : 2 ** (8 * Math.min(work.root.extranonceSize, COUNTED_EXTRANONCE_BYTES));
    this.#limit = new DataView(work.target.buffer, work.target.byteOffset, 32).getUint32(28, true);
    this.#ntime = work.minNtime;
    this.#nonce = nonces.start;
    this.#prepare();
  }

  /** The work that is searched. */
  get work(): Work {
    return this.#work;
  }

  /**
   * Tries at most `maxHashes` headers and stops at the first below the target. `elapsedSeconds`: whole seconds since the
   * work was received, by which the header time is past its minimum.
   */
  step(maxHashes: number, elapsedSeconds: number): Step {
    const ntime = Math.min(this.#work.minNtime + elapsedSeconds, 0xffffffff);
    if (ntime > this.#ntime) this.#startSecond(ntime);
    if (this.#exhausted) return { hashes: 0, solution: undefined };
    const count = Math.min(maxHashes, this.#nonces.end - this.#nonce);
    const first = this.#nonce;
    let hashes = count;
    let solution: Solution | undefined;
    for (let at = first; at < first + count; ) {
      const nonce = scan(this.#midstate, this.#tail, at, first + count - at, this.#limit);
      if (nonce < 0) break;
      at = nonce + 1;
      solution = this.#check(nonce);
      if (solution !== undefined) {
        hashes = at - first;
        break;
      }
    }
    this.#nonce = first + hashes;
    if (this.#nonce === this.#nonces.end) this.#next();
    return { hashes, solution };
  }

  /** The solution that `nonce` makes, unless the lower words of the hash are above the target after all. */
  #check(nonce: number): Solution | undefined {
    const header = this.#header;
    new DataView(header.buffer).setUint32(76, nonce, true);
    const hash = sha256d(header);
    if (!meetsTargetBytes(hash, this.#work.target)) return undefined;
    const { workId } = this.#work;
    return { workId, nonce, ntime: this.#ntime, version: this.#version(), extranonce: this.#extranonce.slice(), hash };
  }

  #startSecond(ntime: number): void {
    this.#ntime = ntime;
    if (this.#exhausted) {
      this.#exhausted = false;
      this.#extranonceAt = 0;
      this.#versionAt = 0;
      this.#nonce = this.#nonces.start;
    }
    this.#prepare();
  }

  #next(): void {
    this.#nonce = this.#nonces.start;
    this.#versionAt += 1;
    if (this.#versionAt === this.#versions) {
      this.#versionAt = 0;
      this.#extranonceAt += 1;
    }
    if (this.#extranonceAt === this.#extranonces) this.#exhausted = true;
    else this.#prepare();
  }

  #version(): number {
    return (this.#work.version ^ spread(this.#versionAt, this.#work.versionMask)) >>> 0;
  }

  #prepare(): void {
    const { prevHash, nbits, root } = this.#work;
    let merkleRoot: Uint8Array;
    if (root.kind === "fixed") {
      merkleRoot = root.merkleRoot;
    } else {
      this.#extranonce = counted(this.#extranonceAt, root.extranonceSize);
      const coinbase = concat(root.coinbasePrefix, this.#extranonce, root.coinbaseSuffix);
      merkleRoot = foldMerklePath(sha256d(coinbase), root.merklePath);
    }
    const version = this.#version();
    this.#header = serializeHeader({ version, prevHash, merkleRoot, time: this.#ntime, nBits: nbits, nonce: 0 });
    this.#midstate.set(newState());
    absorbBlock(this.#midstate, this.#header, 0);
    const view = new DataView(this.#header.buffer, this.#header.byteOffset, HEADER_SIZE);
    for (let i = 0; i < 3; i++) this.#tail[i] = view.getInt32(64 + 4 * i);
  }
}

/** `size` bytes that count `n` up in their first bytes, little-endian. */
function counted(n: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, left = n; i < Math.min(size, COUNTED_EXTRANONCE_BYTES); i++, left = Math.floor(left / 256)) {
    bytes[i] = left % 256;
  }
  return bytes;
}

function bitCount(mask: number): number {
  let count = 0;
  for (let left = mask >>> 0; left !== 0; left &= left - 1) count += 1;
  return count;
}

/** The bits of `n`, lowest first, at the places of the bits of `mask`. */
function spread(n: number, mask: number): number {
  let out = 0;
  for (let bit = 0, left = n; bit < 32 && left !== 0; bit++) {
    if (((mask >>> bit) & 1) === 0) continue;
    out |= (left & 1) << bit;
    left >>>= 1;
  }
  return out;
}
