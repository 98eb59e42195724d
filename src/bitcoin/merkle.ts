/**
 * Bitcoin's merkle tree: each level pairs neighbours and hashes them twice; the last of an odd level pairs with itself.
 * All hashes are `Uint8Array(32)` in internal byte order.
 */
import { equal } from "../kernel/bytes.ts";
import { sha256dPairInto } from "./hash.ts";

/** The root over `leaves`; 32 zero bytes for none, the leaf itself for one. Never one of the given arrays. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return checkedMerkleRoot(leaves).root;
}

/**
 * The root, and whether two equal neighbours were paired on some level (CVE-2012-2459): such a list has the same root as
 * a shorter one, so a block with it must be refused without condemning its hash.
 */
export function checkedMerkleRoot(leaves: readonly Uint8Array[]): { root: Uint8Array; mutated: boolean } {
  if (leaves.length === 0) return { root: new Uint8Array(32), mutated: false };
  let mutated = false;
  let level = leaves.map((leaf) => Uint8Array.from(leaf));
  while (level.length > 1) {
    const next: Uint8Array<ArrayBuffer>[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as Uint8Array<ArrayBuffer>;
      const right = level[i + 1];
      if (right !== undefined && equal(left, right)) mutated = true;
      sha256dPairInto(left, left, right ?? left);
      next.push(left);
    }
    level = next;
  }
  return { root: level[0] as Uint8Array, mutated };
}

/**
 * The siblings of `leaves[index]` from leaf to root. Throws `TypeError` when there is no such leaf. Fold them with
 * `foldMerkleBranch`.
 */
export function merkleBranch(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new TypeError(`no leaf ${index} among ${leaves.length}`);
  }
  const path: Uint8Array[] = [];
  let level: readonly Uint8Array[] = leaves;
  for (let at = index; level.length > 1; at >>>= 1) {
    path.push(Uint8Array.from(level[at ^ 1] ?? (level[at] as Uint8Array)));
    const next: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as Uint8Array;
      const node = new Uint8Array(32);
      sha256dPairInto(node, left, level[i + 1] ?? left);
      next.push(node);
    }
    level = next;
  }
  return path;
}

/**
 * The siblings of the first leaf, the coinbase, when `rest` are the txids after it: what SV2 calls merkle path. It does
 * not depend on the coinbase, so one path serves all jobs of a template.
 */
export function merklePathOfFirst(rest: readonly Uint8Array[]): Uint8Array[] {
  return merkleBranch([new Uint8Array(32), ...rest], 0);
}

/** The root over `leaf` as first leaf and the siblings `path`, as a new array. */
export function foldMerklePath(leaf: Uint8Array, path: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(32);
  foldMerklePathInto(out, leaf, path);
  return out;
}

/** As `foldMerklePath`, written to `out[0..31]` without an allocation; `out` may be `leaf`. */
export function foldMerklePathInto(out: Uint8Array, leaf: Uint8Array, path: readonly Uint8Array[]): void {
  if (out !== leaf) out.set(leaf);
  for (let i = 0; i < path.length; i++) sha256dPairInto(out, out, path[i] as Uint8Array);
}

/** The root over `leaf` at position `index` and its siblings from `merkleBranch`. */
export function foldMerkleBranch(leaf: Uint8Array, branch: readonly Uint8Array[], index: number): Uint8Array {
  const out = Uint8Array.from(leaf);
  let at = index;
  for (const sibling of branch) {
    if (at & 1) sha256dPairInto(out, sibling, out);
    else sha256dPairInto(out, out, sibling);
    at >>>= 1;
  }
  return out;
}
