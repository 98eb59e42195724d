/**
 * Parent blocks for proofs, right by default and wrong in one respect where a case says so. Everything that hangs on the wrong
 * part is made anew, so that it breaks no other rule.
 */
import { sha256d } from "../../../src/bitcoin/hash.ts";
import { foldMerkleBranch } from "../../../src/bitcoin/merkle.ts";
import { hashToBigint } from "../../../src/bitcoin/target.ts";
import { stripWitness } from "../../../src/bitcoin/transaction.ts";
import { concat } from "../../../src/kernel/bytes.ts";

/** `n` as four bytes, little-endian. */
export const u32 = (n: number): Uint8Array => Uint8Array.of(n, n >>> 8, n >>> 16, n >>> 24);
/** A made-up hash. */
export const node = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
/** `size` made-up bytes. */
export const filler = (size: number): Uint8Array => new Uint8Array(size).fill(0x99);

/** How a parent is made. */
export interface ParentDraft {
  readonly scriptSig: Uint8Array;
  /** Scripts of outputs of value 0. */
  readonly outputs?: readonly Uint8Array[];
  /** Inputs of the coinbase: 1, or 0 for a transaction that is none. */
  readonly inputs?: 0 | 1;
  /** Whether the coinbase is handed over with its witness. */
  readonly witness?: boolean;
  /** Siblings of the coinbase, internal order. */
  readonly branch?: readonly Uint8Array[];
  readonly version?: number;
  /** Its hash is at most this, or above it when `weak`. */
  readonly target: bigint;
  readonly weak?: boolean;
  /** What becomes of the merkle root before it goes into the header. */
  readonly root?: (root: Uint8Array) => Uint8Array;
}

/** A parent. */
export interface Parent {
  readonly header: Uint8Array;
  readonly coinbase: Uint8Array;
  readonly branch: readonly Uint8Array[];
}

let made = 0;

/** Makes a parent; no two are the same. */
export function parent(draft: ParentDraft): Parent {
  const { branch = [node(0xb1), node(0xb2)], version = 0x20000000, target, weak = false, root } = draft;
  const coinbase = coinbaseOf(draft);
  const merkleRoot = foldMerkleBranch(sha256d(stripWitness(coinbase)), branch, 0);
  const time = Math.floor(Date.now() / 1000);
  const previous = concat(u32(++made), node(7).subarray(4));
  const header = concat(u32(version), previous, root?.(merkleRoot) ?? merkleRoot, u32(time), u32(0x207fffff), u32(0));
  const view = new DataView(header.buffer);
  for (let nonce = 0; ; nonce++) {
    view.setUint32(76, nonce, true);
    if (hashToBigint(sha256d(header)) <= target !== weak) return { header, coinbase, branch };
  }
}

function coinbaseOf({ scriptSig, outputs = [], inputs = 1, witness = false }: ParentDraft): Uint8Array {
  const all = [Uint8Array.of(0x51), ...outputs];
  const scripts = all.map((script) => concat(new Uint8Array(8), sized(script)));
  const outs = concat(Uint8Array.of(all.length), ...scripts);
  const input = concat(node(0), u32(0xffffffff), sized(scriptSig), u32(0xffffffff));
  // Without inputs the number of outputs would be read as the mark of a witness unless it is 0 too.
  const body = inputs === 0 ? Uint8Array.of(0, 0) : concat(Uint8Array.of(1), input, outs);
  if (!witness) return concat(u32(1), body, u32(0));
  return concat(u32(1), Uint8Array.of(0, 1), body, Uint8Array.of(1, 32), node(0), u32(0));
}

function sized(bytes: Uint8Array): Uint8Array {
  return concat(bytes.length < 0xfd ? Uint8Array.of(bytes.length) : Uint8Array.of(0xfd, bytes.length, 0), bytes);
}
