import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MerklePathFolder } from "../../../src/bitcoin/merkle-fold.ts";
import { concat, toHex } from "../../../src/kernel/bytes.ts";

/** The definition, with another SHA-256 than ours. */
function root(leaf: Uint8Array, path: readonly Uint8Array[]): string {
  return toHex(path.reduce((node, sibling) => sha256(sha256(concat(node, sibling))), leaf));
}

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe("MerklePathFolder", () => {
  test("gives the root over a leaf and its siblings: any leaves, any paths", () => {
    fc.assert(
      fc.property(fc.array(hash, { minLength: 1, maxLength: 3 }), fc.array(hash, { maxLength: 14 }), (leaves, path) => {
        const folder = new MerklePathFolder(path);
        const out = new Uint8Array(32);
        for (const leaf of leaves) {
          folder.rootInto(out, leaf);
          expect(toHex(out)).toBe(root(leaf, path));
        }
      }),
    );
  });

  test("writes over the leaf if told so, and without siblings the leaf is the root", () => {
    const leaf = Uint8Array.from({ length: 32 }, (_, i) => 0xff - i);
    const path = [leaf.slice().reverse(), new Uint8Array(32).fill(0xff)];
    const expected = root(leaf, path);
    const both = leaf.slice();
    new MerklePathFolder(path).rootInto(both, both);
    expect(toHex(both)).toBe(expected);
    new MerklePathFolder([]).rootInto(both, leaf);
    expect(toHex(both)).toBe(toHex(leaf));
  });

  test("keeps its own copy of the path", () => {
    const path = [new Uint8Array(32).fill(7)];
    const folder = new MerklePathFolder(path);
    const expected = root(new Uint8Array(32), path);
    path[0]!.fill(8);
    const out = new Uint8Array(32);
    folder.rootInto(out, out);
    expect(toHex(out)).toBe(expected);
  });

  test("a sibling of another length is a mistake", () => {
    expect(() => new MerklePathFolder([new Uint8Array(31)])).toThrow(TypeError);
  });
});
