/** Random weights, work and rules for the tests of the books. */
import fc from "fast-check";
import type { CountedWork } from "../../../../src/ledger/books/counted-work.ts";
import type { Weight } from "../../../../src/ledger/books/largest-remainder.ts";
import { type RewardRules, rewardRulesFlaw } from "../../../../src/ledger/books/reward-rules.ts";

/** Small numbers meet ties, large ones meet the ends of 64 bits. */
const weight = fc.oneof(fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 0n, max: 2n ** 100n }));
const name = fc.constantFrom("a", "b", "c.1", "c.10", "c.2", "é", "z");

/** Weights of different names. */
export const weightLists: fc.Arbitrary<Weight[]> = fc.uniqueArray(fc.record({ name, weight }), {
  selector: (entry) => entry.name,
  minLength: 1,
});

/** Work by worker. */
export const works: fc.Arbitrary<Map<string, bigint>> = fc
  .uniqueArray(fc.tuple(name, weight), { selector: ([worker]) => worker })
  .map((entries) => new Map(entries));

/** Work that counts. */
export const countedWork: fc.Arbitrary<CountedWork> = fc
  .record({ finder: name, full: works, oldest: works, counts: weight })
  .map(({ finder, full, oldest, counts }) => {
    const all = [...oldest.values()].reduce((sum, work) => sum + work, 0n);
    return { finder, full, oldest: counts < all ? { work: oldest, counts } : undefined };
  });

const share = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1_000_000 }));

/** Fees and beneficiaries that an operator may set. */
export const fees: fc.Arbitrary<Pick<RewardRules, "feeMillionths" | "beneficiaries">> = fc
  .record({
    feeMillionths: share,
    beneficiaries: fc.array(
      fc.record({ name, millionths: share, of: fc.constantFrom("reward" as const, "fee" as const) }),
      { maxLength: 4 },
    ),
  })
  .filter(
    (some) =>
      rewardRulesFlaw({
        ...some,
        scheme: "pplns",
        windowMillionths: 1,
        maxWindowMs: 1,
        distributeAt: "mature",
      }) === undefined,
  );

/** `list` in another order that `seed` decides. */
export function shuffled<T>(list: readonly T[], seed: number): T[] {
  const key = (at: number): number => Math.sin(seed + at * 7919);
  return list
    .map((item, at) => ({ item, key: key(at) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
