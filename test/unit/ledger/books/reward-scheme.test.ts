import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CountedWork, cutWindow } from "../../../../src/ledger/books/counted-work.ts";
import { REWARD_RULES_DEFAULTS, type RewardRules } from "../../../../src/ledger/books/reward-rules.ts";
import { SCHEMES } from "../../../../src/ledger/books/reward-scheme.ts";
import { countedWork, shuffled, works } from "./arbitrary-rewards.ts";

const rules = (some: Partial<RewardRules>): RewardRules => ({ ...REWARD_RULES_DEFAULTS, ...some });
const round = { foundMs: 100_000_000_000, difficulty: 1000n, previousFoundMs: 99_999_990_000 };
const sum = (values: Iterable<bigint>): bigint => [...values].reduce((all, value) => all + value, 0n);

describe("how far back work counts", () => {
  test("pplns: a multiple of the block's difficulty, in whole hashes, within the longest window", () => {
    const reach = SCHEMES.pplns.reach(round, rules({ windowMillionths: 2_500_000, maxWindowMs: 5000 }));
    expect(reach).toEqual({ fromMs: 99_999_995_000, work: 2500n });
    expect(SCHEMES.pplns.reach({ ...round, difficulty: 1n }, rules({ windowMillionths: 1 }))?.work).toBe(1n);
  });

  test("proportional: since the block before, or as long as the window is when there is none", () => {
    expect(SCHEMES.proportional.reach(round, rules({ maxWindowMs: 60_000 }))).toEqual({
      fromMs: 99_999_990_000,
      work: undefined,
    });
    expect(SCHEMES.proportional.reach(round, rules({ maxWindowMs: 10 }))?.fromMs).toBe(99_999_999_990);
    const first = { ...round, previousFoundMs: undefined };
    expect(SCHEMES.proportional.reach(first, rules({ maxWindowMs: 60_000 }))?.fromMs).toBe(99_999_940_000);
  });

  test("solo: none is read", () => {
    expect(SCHEMES.solo.reach(round, rules({}))).toBeUndefined();
  });

  test("a window ends within the slice that fills it, and between slices when it just fits", () => {
    expect(cutWindow([10n, 20n, 30n], 45n)).toEqual({ full: 2, counts: 15n });
    expect(cutWindow([10n, 20n, 30n], 30n)).toEqual({ full: 2, counts: 0n });
    expect(cutWindow([10n, 20n, 30n], 61n)).toEqual({ full: 3, counts: 0n });
    expect(cutWindow([10n], 4n)).toEqual({ full: 0, counts: 4n });
    expect(cutWindow([0n, 0n, 5n], 5n)).toEqual({ full: 3, counts: 0n });
  });
});

/** A reference of another kind: every hash of work in a row, newest first, and the window laid over it as a fraction. */
function slowPplns(slices: readonly ReadonlyMap<string, bigint>[], window: bigint): Map<string, [bigint, bigint]> {
  const shares = new Map<string, [bigint, bigint]>();
  let before = 0n;
  for (const slice of slices) {
    const total = sum(slice.values());
    const counts = before + total <= window ? total : before < window ? window - before : 0n;
    before += total;
    if (counts === 0n) continue;
    for (const [worker, work] of slice) {
      const [above, below] = shares.get(worker) ?? [0n, 1n];
      shares.set(worker, [above * total + work * counts * below, below * total]);
    }
  }
  return shares;
}

describe("what work weighs", () => {
  test("pplns and proportional take the oldest slice in part, in exact proportion", () => {
    fc.assert(
      fc.property(
        fc.array(works, { maxLength: 5 }),
        fc.oneof(fc.bigInt({ min: 1n, max: 12n }), fc.bigInt({ min: 1n, max: 2n ** 101n })),
        (slices, window) => {
          const cut = cutWindow(
            slices.map((slice) => sum(slice.values())),
            window,
          );
          const full = new Map<string, bigint>();
          for (const [worker, work] of slices.slice(0, cut.full).flatMap((slice) => [...slice])) {
            full.set(worker, (full.get(worker) ?? 0n) + work);
          }
          const work = slices[cut.full];
          const oldest = cut.counts > 0n && work !== undefined ? { work, counts: cut.counts } : undefined;
          const weights = SCHEMES.pplns.weights({ finder: "finder", full, oldest });
          const expected = [...slowPplns(slices, window)].filter(([, [above]]) => above > 0n);
          if (expected.length === 0) {
            expect(weights).toEqual([{ name: "finder", weight: 1n }]);
            return;
          }
          expect(new Set(weights.map(({ name }) => name))).toEqual(new Set(expected.map(([name]) => name)));
          // The same proportions: every pair has the same ratio.
          const [first] = weights as [{ name: string; weight: bigint }];
          const [above, below] = new Map(expected).get(first.name) as [bigint, bigint];
          for (const { name, weight } of weights) {
            const [a, b] = new Map(expected).get(name) as [bigint, bigint];
            expect(weight * above * b).toBe(first.weight * a * below);
          }
        },
      ),
    );
  });

  test("solo: the finder alone, whatever anybody did", () => {
    fc.assert(
      fc.property(countedWork, (work) => {
        expect(SCHEMES.solo.weights(work)).toEqual([{ name: work.finder, weight: 1n }]);
      }),
    );
  });

  test.each(["pplns", "proportional"] as const)("%s: the finder takes all when no work counts", (scheme) => {
    const nothing: CountedWork = { finder: "lucky.1", full: new Map([["idle", 0n]]), oldest: undefined };
    expect(SCHEMES[scheme].weights(nothing)).toEqual([{ name: "lucky.1", weight: 1n }]);
  });

  test("the order of the workers does not matter, and more work in the window never weighs less", () => {
    fc.assert(
      fc.property(countedWork, fc.integer(), fc.bigInt({ min: 1n, max: 2n ** 70n }), (work, seed, more) => {
        const byName = (of: CountedWork) =>
          new Map(SCHEMES.pplns.weights(of).map(({ name, weight }) => [name, weight] as const));
        const weights = byName(work);
        expect(byName({ ...work, full: new Map(shuffled([...work.full], seed)) })).toEqual(weights);
        const [worker] = work.full.keys();
        if (worker === undefined) return;
        const harder = byName({ ...work, full: new Map(work.full).set(worker, (work.full.get(worker) ?? 0n) + more) });
        for (const [name, weight] of weights) {
          if (name === worker) expect((harder.get(name) as bigint) > weight || weights.size === 1).toBe(true);
          else if (name !== work.finder || weights.size > 1) expect(harder.get(name)).toBe(weight);
        }
      }),
    );
  });
});
