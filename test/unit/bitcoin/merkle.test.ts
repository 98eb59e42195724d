/** Merkle trees: roots and paths of real blocks, and the doubling of CVE-2012-2459. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBlock } from "../../../src/bitcoin/block.ts";
import { sha256d } from "../../../src/bitcoin/hash.ts";
import { headerHash, parseHeader } from "../../../src/bitcoin/header.ts";
import {
  checkedMerkleRoot,
  foldMerkleBranch,
  foldMerklePath,
  foldMerklePathInto,
  merkleBranch,
  merklePathOfFirst,
  merkleRoot,
} from "../../../src/bitcoin/merkle.ts";
import { txid } from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import blocks from "../../vectors/bitcoin-blocks.json" with { type: "json" };
import paths from "../../vectors/bitcoin-merkle-paths.json" with { type: "json" };

const leaf = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** The definition, written a second time without sharing: recursion over a padded level. */
function slowRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  const padded = leaves.length % 2 === 1 ? [...leaves, leaves[leaves.length - 1]!] : leaves;
  const next: Uint8Array[] = [];
  for (let i = 0; i < padded.length; i += 2) next.push(sha256d(concat(padded[i]!, padded[i + 1]!)));
  return slowRoot(next);
}

describe("real blocks", () => {
  test.each(blocks.blocks)("$source: the root in the header", ({ hex }) => {
    const block = parseBlock(fromHex(hex));
    const txids = block.transactions.map(txid);
    expect(toHex(merkleRoot(txids))).toBe(toHex(block.header.merkleRoot));
    const path = merklePathOfFirst(txids.slice(1));
    expect(toHex(foldMerklePath(txids[0]!, path))).toBe(toHex(block.header.merkleRoot));
  });

  test.each(paths.vectors)("$source: the path of the coinbase", ({ coinbase, path, header, hash }) => {
    const out = sha256d(fromHex(coinbase));
    foldMerklePathInto(
      out,
      out,
      path.map((sibling) => fromHex(sibling)),
    );
    expect(toHex(out)).toBe(toHex(parseHeader(fromHex(header)).merkleRoot));
    expect(toDisplayHex(headerHash(fromHex(header)))).toBe(hash);
  });
});

describe("any tree", () => {
  const leaves = fc.array(leaf, { minLength: 1, maxLength: 40 });

  test("root is the definition's, leaves stay as they were", () => {
    fc.assert(
      fc.property(leaves, (list) => {
        const before = list.map(toHex);
        expect(toHex(merkleRoot(list))).toBe(toHex(slowRoot(list)));
        expect(list.map(toHex)).toEqual(before);
      }),
    );
  });

  test("every leaf's branch folds to the root", () => {
    fc.assert(
      fc.property(leaves, fc.nat(), (list, pick) => {
        const index = pick % list.length;
        const branch = merkleBranch(list, index);
        expect(toHex(foldMerkleBranch(list[index]!, branch, index))).toBe(toHex(slowRoot(list)));
      }),
    );
  });

  test("the path of the first does not depend on the first", () => {
    fc.assert(
      fc.property(leaf, fc.array(leaf, { maxLength: 20 }), (first, rest) => {
        const root = foldMerklePath(first, merklePathOfFirst(rest));
        expect(toHex(root)).toBe(toHex(slowRoot([first, ...rest])));
      }),
    );
  });

  test("no leaves have the zero root; no leaf has no branch", () => {
    expect(toHex(merkleRoot([]))).toBe("00".repeat(32));
    expect(() => merkleBranch([], 0)).toThrow(TypeError);
    expect(() => merkleBranch([new Uint8Array(32)], 1)).toThrow(TypeError);
  });
});

describe("CVE-2012-2459", () => {
  const list = [1, 2, 3].map((n) => new Uint8Array(32).fill(n));

  test("a repeated last leaf keeps the root and is told", () => {
    const doubled = [...list, list[2]!];
    expect(toHex(merkleRoot(doubled))).toBe(toHex(merkleRoot(list)));
    expect(checkedMerkleRoot(list).mutated).toBe(false);
    expect(checkedMerkleRoot(doubled).mutated).toBe(true);
  });

  test("a repeated pair one level up is told too", () => {
    const six = [1, 2, 3, 4, 5, 6].map((n) => new Uint8Array(32).fill(n));
    const eight = [...six, six[4]!, six[5]!];
    expect(toHex(merkleRoot(eight))).toBe(toHex(merkleRoot(six)));
    expect(checkedMerkleRoot(six).mutated).toBe(false);
    expect(checkedMerkleRoot(eight).mutated).toBe(true);
  });
});
