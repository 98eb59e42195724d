import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addShare, emptyTally, isCountable, workOf } from "../../../../src/ledger/credit/tally.ts";
import { workOfDifficulty } from "../../../support/share-work.ts";

/** Difficulties from regtest's smallest to beyond the whole network's. */
const difficulty = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 1, max: 1e14, noNaN: true }),
  fc.integer({ min: 0, max: 47 }).map((power) => 2 ** power),
);

function sumOf(difficulties: readonly number[]): bigint {
  const tally = emptyTally(0);
  for (const each of difficulties) addShare(tally, each, 0);
  return workOf(tally);
}

describe("a tally", () => {
  test("is the sum of its shares' work, whatever their difficulties and order", () => {
    fc.assert(
      fc.property(fc.array(difficulty, { maxLength: 50 }), (difficulties) => {
        const plain = difficulties.reduce((sum, each) => sum + workOfDifficulty(each), 0n);
        expect(sumOf(difficulties)).toBe(plain);
        expect(sumOf(difficulties.toReversed())).toBe(plain);
      }),
    );
  });

  test("is exact where a sum of doubles is not", () => {
    // 2^53 + 1 has no double: the second share would be lost.
    expect(sumOf([2 ** 21, 2 ** -32])).toBe(2n ** 53n + 1n);
    expect(sumOf([2 ** 47, ...Array<number>(3000).fill(2 ** -32)])).toBe(2n ** 79n + 3000n);
  });

  test("knows when its first and its last share came", () => {
    const tally = emptyTally(50);
    for (const atMs of [50, 70, 40, 60]) addShare(tally, 1, atMs);
    expect(tally).toMatchObject({ shares: 4, firstMs: 40, lastMs: 70 });
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 48])("cannot count a difficulty of %d", (each) => {
    expect(isCountable(each)).toBe(false);
  });

  test("counts all that can be found", () => {
    expect([0, 1e-9, 1, 1e14].map(isCountable)).toEqual([true, true, true, true]);
  });
});
