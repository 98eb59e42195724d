/**
 * The tree of all AuxPoW chains of a job and its commitment in the parent's coinbase (Bitcoin wiki "Merged mining
 * specification"). The nonce is always 0: it moves all leaves by the same distance, so it can never part two chains that
 * meet, and the height alone decides.
 */
import { sha256dPairInto } from "../../bitcoin/hash.ts";
import { concat, reversed } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { Writer } from "../../kernel/writer.ts";
import { slotOf } from "./slot.ts";

/** What the commitment begins with, so that verifiers find it in the scriptSig. */
export const AUXPOW_MAGIC = Uint8Array.of(0xfa, 0xbe, 0x6d, 0x6d);

/** Bytes of the commitment: magic, root, size, nonce. */
export const AUX_COMMITMENT_SIZE = 44;

/** The nonce of all our trees. */
export const TREE_NONCE = 0;

/** A chain's leaf. */
export interface AuxLeaf {
  readonly chainId: number;
  /** The aux block hash as the daemon prints it, `Uint8Array(32)`. */
  readonly hash: Uint8Array;
}

/** Where a leaf stands. */
export interface LeafPlace {
  /** Leaf index, `nChainIndex` of the proof. */
  readonly index: number;
  /** Siblings from leaf to root, each `Uint8Array(32)` in internal byte order. */
  readonly branch: readonly Uint8Array[];
}

/** A tree with the places of its leaves. */
export interface AuxTree {
  /** `Uint8Array(32)`, internal byte order. */
  readonly root: Uint8Array;
  /** One for each leaf, in the order in which the leaves were given. */
  readonly slots: readonly LeafPlace[];
}

/**
 * Height of the smallest tree in which every one of `chainIds` (u16) has a leaf of its own: the least h for which all are
 * different modulo 2^h, at most 16. Throws `Fault("merge-chain-id-twice")` for equal IDs, which meet in every tree.
 */
export function treeHeight(chainIds: readonly number[]): number {
  const distinct = new Set(chainIds);
  if (distinct.size < chainIds.length) {
    throw new Fault("merge-chain-id-twice", { chainId: chainIds.find((id, i) => chainIds.indexOf(id) !== i) });
  }
  let height = Math.ceil(Math.log2(Math.max(1, distinct.size)));
  while (meet(chainIds, 2 ** height - 1)) height++;
  return height;
}

function meet(chainIds: readonly number[], mask: number): boolean {
  const taken = new Set<number>();
  for (const id of chainIds) {
    if (taken.has(id & mask)) return true;
    taken.add(id & mask);
  }
  return false;
}

/**
 * The tree of 2^`height` leaves over `leaves`; leaves that no chain has are zeros. Costs `height` hashes a chain, however
 * large the tree. Throws `TypeError` when two chains meet: `treeHeight` over all of them prevents it.
 */
export function auxTree(leaves: readonly AuxLeaf[], height: number): AuxTree {
  const slots = leaves.map(({ chainId }) => ({
    index: slotOf(TREE_NONCE, chainId, height),
    branch: [] as Uint8Array[],
  }));
  let level = new Map<number, Uint8Array>();
  leaves.forEach(({ hash }, i) => {
    const { index } = slots[i] as LeafPlace;
    if (level.has(index)) throw new TypeError(`two chains meet in a tree of height ${height}`);
    level.set(index, reversed(hash));
  });
  let empty: Uint8Array = new Uint8Array(32);
  for (let depth = 0; depth < height; depth++) {
    for (const { index, branch } of slots) branch.push(level.get((index >>> depth) ^ 1) ?? empty);
    const above = new Map<number, Uint8Array>();
    for (const at of level.keys()) {
      if (above.has(at >>> 1)) continue;
      const left = at & ~1;
      above.set(at >>> 1, pair(level.get(left) ?? empty, level.get(left | 1) ?? empty));
    }
    level = above;
    empty = pair(empty, empty);
  }
  return { root: level.get(0) ?? empty, slots };
}

function pair(left: Uint8Array, right: Uint8Array): Uint8Array {
  const node = new Uint8Array(32);
  sha256dPairInto(node, left, right);
  return node;
}

/**
 * The 44 bytes that commit to a tree: magic ‖ `root` (`Uint8Array(32)`, internal byte order) reversed ‖ number of leaves ‖ nonce, both u32
 * little-endian.
 */
export function auxCommitment(tree: {
  readonly root: Uint8Array;
  readonly height: number;
  readonly nonce?: number;
}): Uint8Array {
  const numbers = new Writer(8)
    .u32(2 ** tree.height)
    .u32(tree.nonce ?? TREE_NONCE)
    .finish();
  return concat(AUXPOW_MAGIC, reversed(tree.root), numbers);
}
