import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldMerkleBranch, merkleRoot } from "../../../../src/bitcoin/merkle.ts";
import { fromHex, reversed, toHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { slotOf } from "../../../../src/merge/auxpow/slot.ts";
import { auxCommitment, auxTree, treeHeight } from "../../../../src/merge/auxpow/tree.ts";
import vectors from "../../../vectors/mergemining.json" with { type: "json" };

/** Namecoin's `CAuxPow::getExpectedIndex` with numbers that never wrap by themselves. */
function expectedIndex(nonce: number, chainId: number, height: number): number {
  const modulus = 2n ** 32n;
  let rand = (BigInt(nonce) * 1103515245n + 12345n) % modulus;
  rand = (rand + BigInt(chainId)) % modulus;
  rand = (rand * 1103515245n + 12345n) % modulus;
  return Number(rand % 2n ** BigInt(height));
}

const chainId = fc.integer({ min: 0, max: 0xffff });

describe("the slot of a chain", () => {
  test.each(vectors.slots)("for nonce %i, chain %i, height %i is %i", (nonce, id, height, slot) => {
    expect(slotOf(nonce!, id!, height!)).toBe(slot);
  });

  test("is that of Namecoin's own arithmetic for every nonce, chain and height", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffffff }),
        chainId,
        fc.integer({ min: 0, max: 30 }),
        (nonce, id, height) => {
          expect(slotOf(nonce, id, height)).toBe(expectedIndex(nonce, id, height));
        },
      ),
    );
  });
});

describe("the height of the tree", () => {
  test.each([
    [[], 0],
    [[1], 0],
    [[1, 16], 1],
    [[1, 8228], 1],
    [[1, 16, 8228], 3],
    [[1, 16, 1224, 8228], 4],
    [[1, 16, 1224, 8228, 117, 50, 90, 666], 7],
    [[0, 0x8000], 16],
  ])("of chains %j is %i", (ids, height) => {
    expect(treeHeight(ids)).toBe(height);
  });

  test("parts any chains and is the least that does, by trial of all smaller ones with many nonces", () => {
    const sets = fc.oneof(
      fc.uniqueArray(chainId, { maxLength: 12 }),
      fc.uniqueArray(chainId, { minLength: 100, maxLength: 300 }),
    );
    fc.assert(
      fc.property(sets, fc.integer({ min: 0, max: 0xffffffff }), (ids, nonce) => {
        const height = treeHeight(ids);
        const slots = (h: number, n: number) => new Set(ids.map((id) => expectedIndex(n, id, h))).size;
        expect(slots(height, 0)).toBe(ids.length);
        for (let h = 0; h < height; h++) {
          expect(slots(h, 0)).toBeLessThan(ids.length);
          expect(slots(h, nonce)).toBeLessThan(ids.length);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("does not exist for equal IDs", () => {
    expect(() => treeHeight([1, 16, 1])).toThrow(Fault);
    expect(() => treeHeight([1, 16, 1])).toThrow("two AuxPoW chains have the same chain ID (chainId 1)");
  });
});

describe("the tree", () => {
  test.each(vectors.trees)("of size $size is as computed independently", ({ entries, height, commitment, size }) => {
    expect(treeHeight(entries.map(({ chainId }) => chainId))).toBe(height);
    const leaves = entries.map(({ chainId, auxHash }) => ({ chainId, hash: fromHex(auxHash) }));
    const tree = auxTree(leaves, height);
    expect(tree.slots.map(({ index, branch }) => ({ slot: index, branch: branch.map(toHex) }))).toEqual(
      entries.map(({ slot, branch }) => ({ slot, branch })),
    );
    expect(toHex(auxCommitment({ root: tree.root, height }))).toBe(commitment);
    expect(2 ** height).toBe(size);
  });

  test("has the root of Bitcoin's merkle tree over all leaves, and branches that lead there", () => {
    const leaf = fc.record({ chainId, hash: fc.uint8Array({ minLength: 32, maxLength: 32 }) });
    const leaves = fc.uniqueArray(leaf, { minLength: 1, maxLength: 20, selector: ({ chainId }) => chainId % 256 });
    fc.assert(
      fc.property(leaves, fc.integer({ min: 0, max: 2 }), (some, more) => {
        const height = treeHeight(some.map(({ chainId }) => chainId)) + more;
        const { root, slots } = auxTree(some, height);
        const all: Uint8Array[] = Array.from({ length: 2 ** height }, () => new Uint8Array(32));
        for (const { chainId, hash } of some) all[expectedIndex(0, chainId, height)] = reversed(hash);
        expect(toHex(root)).toBe(toHex(merkleRoot(all)));
        some.forEach(({ hash }, i) => {
          const { index, branch } = slots[i]!;
          expect(branch).toHaveLength(height);
          expect(toHex(foldMerkleBranch(reversed(hash), branch, index))).toBe(toHex(root));
        });
      }),
      { numRuns: 40 },
    );
  });

  test("holds hundreds of chains", () => {
    const leaves = Array.from({ length: 300 }, (_, i) => ({ chainId: i * 211, hash: new Uint8Array(32).fill(i) }));
    const height = treeHeight(leaves.map(({ chainId }) => chainId));
    const { root, slots } = auxTree(leaves, height);
    leaves.forEach(({ hash }, i) => {
      expect(foldMerkleBranch(reversed(hash), slots[i]!.branch, slots[i]!.index)).toEqual(root);
    });
  });

  test("is not made where two chains meet", () => {
    const leaves = [1, 3].map((chainId) => ({ chainId, hash: new Uint8Array(32) }));
    expect(() => auxTree(leaves, 1)).toThrow("two chains meet in a tree of height 1");
  });
});
