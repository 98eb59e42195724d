import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DuplicateShares } from "../../../src/mining/duplicates.ts";

/** A hash with a number in its lowest 64 bits. */
function hash(n: bigint | number): Uint8Array {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n), true);
  return bytes;
}

describe("DuplicateShares", () => {
  test("knows a share again", () => {
    const shares = new DuplicateShares({}, { capacity: 10 });
    expect(shares.add(hash(1))).toBe("new");
    expect(shares.add(hash(2))).toBe("new");
    expect(shares.add(hash(1))).toBe("duplicate");
    expect(shares.size).toBe(2);
  });

  test("tells apart hashes whose first or second word is 0, and keeps the hash of zeros", () => {
    const shares = new DuplicateShares({}, { capacity: 10 });
    expect(shares.add(hash(0))).toBe("new");
    expect(shares.add(hash(0))).toBe("duplicate");
    expect(shares.add(hash(1n << 33n))).toBe("new");
    expect(shares.add(hash(1n << 33n))).toBe("duplicate");
    expect(shares.add(hash(5))).toBe("new");
  });

  test("forgets all on clear, and the memory with it", () => {
    const shares = new DuplicateShares({}, { capacity: 1000 });
    const least = shares.bytes;
    for (let i = 0; i < 1000; i++) shares.add(hash(i));
    expect(shares.bytes).toBeGreaterThan(least);
    shares.clear();
    expect(shares.size).toBe(0);
    expect(shares.bytes).toBe(least);
    expect(shares.add(hash(7))).toBe("new");
    shares.clear();
    expect(shares.add(hash(7))).toBe("new");
  });

  test("refuses new shares at the bound, still knows the old ones, and takes no more memory", () => {
    const shares = new DuplicateShares({}, { capacity: 65_536 });
    const verdicts = new Set<string>();
    for (let i = 0n; i < 65_536n; i++) verdicts.add(shares.add(hash(BigInt.asUintN(64, i * 0x9e3779b97f4a7c15n))));
    expect([...verdicts]).toEqual(["new"]);
    for (let i = 70_000; i < 71_000; i++) verdicts.add(shares.add(hash(i)));
    expect([...verdicts]).toEqual(["new", "full"]);
    expect(shares.add(hash(0x9e3779b97f4a7c15n))).toBe("duplicate");
    expect(shares.size).toBe(65_536);
    expect(shares.bytes).toBe(1 << 20);
  });

  test("is small while there are few shares", () => {
    const shares = new DuplicateShares({}, { capacity: 65_536 });
    for (let i = 0; i < 20; i++) shares.add(hash(i));
    expect(shares.bytes).toBe(256);
  });

  test("answers as a set of the lowest 64 bits does: any shares", () => {
    // Few values of each word, so that probing runs into neighbours.
    const word = fc.constantFrom(0, 1, 2, 3, 32, 33, 64, 0x80000000, 0xffffffff);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(word, word), { maxLength: 120 }),
        fc.integer({ min: 1, max: 60 }),
        (keys, capacity) => {
          const shares = new DuplicateShares({}, { capacity });
          const known = new Set<string>();
          for (const [low, high] of keys) {
            const bytes = hash((BigInt(high || 1) << 32n) | BigInt(low));
            const key = `${low} ${high || 1}`;
            const expected = known.has(key) ? "duplicate" : known.size >= capacity ? "full" : "new";
            expect(shares.add(bytes)).toBe(expected);
            if (expected === "new") known.add(key);
          }
          expect(shares.size).toBe(known.size);
        },
      ),
    );
  });
});
