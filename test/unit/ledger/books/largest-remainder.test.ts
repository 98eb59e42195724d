import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitByWeight, type Weight } from "../../../../src/ledger/books/largest-remainder.ts";
import { shuffled, weightLists } from "./arbitrary-rewards.ts";

const amounts = (whole: bigint, ...weights: bigint[]): bigint[] =>
  splitByWeight(
    whole,
    weights.map((weight, at) => ({ name: String.fromCharCode(97 + at), weight })),
  ).map(({ amount }) => amount);
const whole = fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.bigInt({ min: 0n, max: 2n ** 120n }));

describe("a split by largest remainder", () => {
  test("gives what divides evenly, and single units to those that lost most by rounding", () => {
    expect(amounts(100n, 1n, 1n, 2n)).toEqual([25n, 25n, 50n]);
    // Exact shares 1.4, 2.8, 2.8 of 7: the two that lost 0.8 get a unit each.
    expect(amounts(7n, 1n, 2n, 2n)).toEqual([1n, 3n, 3n]);
    // The seats of the textbook: 47, 16, 15.8, 12, 6.1 and 3.1 per cent of 10 (Hamilton's method).
    expect(amounts(10n, 47_000n, 16_000n, 15_800n, 12_000n, 6_100n, 3_100n)).toEqual([5n, 2n, 1n, 1n, 1n, 0n]);
  });

  test("among equal remainders the heavier comes first, then the name", () => {
    // 1.5 and 4.5 of 6: one unit is left, and the heavier gets it.
    expect(amounts(6n, 1n, 3n)).toEqual([1n, 5n]);
    expect(
      splitByWeight(1n, [
        { name: "b", weight: 1n },
        { name: "a", weight: 1n },
      ]),
    ).toEqual([
      { name: "b", amount: 0n },
      { name: "a", amount: 1n },
    ]);
  });

  test("when all weigh nothing all count alike; nobody at all can only take nothing", () => {
    expect(amounts(5n, 0n, 0n)).toEqual([3n, 2n]);
    expect(splitByWeight(0n, [])).toEqual([]);
    expect(() => splitByWeight(1n, [])).toThrow(new TypeError("nobody takes 1"));
    expect(() => amounts(-1n, 1n)).toThrow(TypeError);
    expect(() => amounts(1n, 2n, -1n)).toThrow(TypeError);
  });

  test("sums up to the whole and keeps each part within a unit of its exact share, for any weights", () => {
    fc.assert(
      fc.property(whole, weightLists, (amount, weights) => {
        const parts = splitByWeight(amount, weights);
        const total = weights.reduce((sum, { weight }) => sum + weight, 0n);
        expect(parts.reduce((sum, part) => sum + part.amount, 0n)).toBe(amount);
        if (total === 0n) return;
        for (const [at, part] of parts.entries()) {
          const error = part.amount * total - amount * (weights[at] as Weight).weight;
          expect(error < total && error > -total).toBe(true);
        }
      }),
    );
  });

  test("does not depend on the order, and more weight never gets less", () => {
    fc.assert(
      fc.property(whole, weightLists, fc.integer(), (amount, weights, seed) => {
        const byName = (list: readonly Weight[]) =>
          new Map(splitByWeight(amount, list).map((part) => [part.name, part.amount]));
        const parts = byName(weights);
        expect(byName(shuffled(weights, seed))).toEqual(parts);
        const sorted = [...weights].sort((a, b) => (a.weight < b.weight ? -1 : a.weight > b.weight ? 1 : 0));
        for (const [at, { name, weight }] of sorted.entries()) {
          const lighter = sorted[at - 1];
          if (lighter === undefined || lighter.weight === weight) continue;
          expect((parts.get(name) as bigint) >= (parts.get(lighter.name) as bigint)).toBe(true);
        }
      }),
    );
  });

  test("ten thousand weights take no time that miners would notice", () => {
    const weights = Array.from({ length: 10_000 }, (_, n) => ({ name: `farm.rig${n}`, weight: BigInt(n) ** 5n + 7n }));
    splitByWeight(1n, weights);
    const start = performance.now();
    const parts = splitByWeight(10n ** 30n + 7n, weights);
    expect(performance.now() - start).toBeLessThan(500);
    expect(parts.reduce((sum, { amount }) => sum + amount, 0n)).toBe(10n ** 30n + 7n);
  });
});
