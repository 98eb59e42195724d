import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { feeParts, type RewardPart, rewardParts } from "../../../../src/ledger/books/reward-parts.ts";
import {
  commonsFee,
  REVENUE_SPLIT,
  REWARD_RULES_DEFAULTS,
  rewardRulesFlaw,
} from "../../../../src/ledger/books/reward-rules.ts";
import { fees, shuffled, weightLists } from "./arbitrary-rewards.ts";

const reward = fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.bigInt({ min: 0n, max: 2n ** 120n }));
const total = (parts: readonly RewardPart[]): bigint => parts.reduce((sum, { amount }) => sum + amount, 0n);
const byAccount = (parts: readonly RewardPart[]): Map<string, bigint> =>
  new Map(parts.map(({ kind, name, amount }) => [`${kind} ${name}`.trim(), amount]));
const anna = [{ name: "anna", weight: 1n }];

describe("the parts of a reward", () => {
  test("all of it goes to the workers unless the operator says otherwise", () => {
    expect(rewardParts(625_000_000n, REWARD_RULES_DEFAULTS, anna)).toEqual([
      { kind: "worker", name: "anna", amount: 625_000_000n },
    ]);
  });

  test("fee, the fee's division, the Commons' share and two workers", () => {
    const parts = rewardParts(
      1_000_003n,
      { feeMillionths: 20_000, beneficiaries: [...REVENUE_SPLIT, commonsFee(10_000)] },
      [
        { name: "anna", weight: 2n },
        { name: "ben", weight: 1n },
      ],
    );
    // 2 % are 20,000.06, 1 % is 10,000.03: rounded down. 970,003 are left, 646,668 2/3 and 323,334 1/3.
    expect(byAccount(parts)).toEqual(
      new Map([
        ["beneficiary core", 12_000n],
        ["beneficiary grants", 5000n],
        ["beneficiary audits", 2000n],
        ["beneficiary operations", 1000n],
        ["beneficiary commons", 10_000n],
        ["worker anna", 646_669n],
        ["worker ben", 323_334n],
      ]),
    );
  });

  test("the operator keeps of the fee what nobody was promised, and units that do not divide go by largest remainder", () => {
    const half = { beneficiaries: [{ name: "core", millionths: 500_000, of: "fee" as const }] };
    expect(byAccount(feeParts(100n, half))).toEqual(
      new Map([
        ["beneficiary core", 50n],
        ["operator", 50n],
      ]),
    );
    // 1.8, 0.75, 0.3 and 0.15 of 3.
    expect(byAccount(feeParts(3n, { beneficiaries: REVENUE_SPLIT }))).toEqual(
      new Map([
        ["beneficiary core", 2n],
        ["beneficiary grants", 1n],
      ]),
    );
  });

  test("sum up to the reward for any reward, fees and weights; each account comes once and gets something", () => {
    fc.assert(
      fc.property(reward, fees, weightLists, (amount, rules, weights) => {
        const parts = rewardParts(amount, rules, weights);
        expect(total(parts)).toBe(amount);
        expect(parts.every((part) => part.amount > 0n)).toBe(true);
        expect(byAccount(parts).size).toBe(parts.length);
        expect(total(feeParts(amount, rules))).toBe(amount);
      }),
    );
  });

  test("do not depend on the order of the workers, and come out the same again", () => {
    fc.assert(
      fc.property(reward, fees, weightLists, fc.integer(), (amount, rules, weights, seed) => {
        const parts = byAccount(rewardParts(amount, rules, weights));
        expect(byAccount(rewardParts(amount, rules, weights))).toEqual(parts);
        expect(byAccount(rewardParts(amount, rules, shuffled(weights, seed)))).toEqual(parts);
      }),
    );
  });

  test("a higher fee never gives the workers more, and the operator's side never takes more than its millionths", () => {
    fc.assert(
      fc.property(reward, weightLists, fc.tuple(fc.nat(1_000_000), fc.nat(1_000_000)), (amount, weights, pair) => {
        const [low, high] = pair.sort((a, b) => a - b) as [number, number];
        const ofWorkers = (feeMillionths: number): bigint =>
          total(
            rewardParts(amount, { feeMillionths, beneficiaries: [] }, weights).filter(({ kind }) => kind === "worker"),
          );
        expect(ofWorkers(low) >= ofWorkers(high)).toBe(true);
        expect((amount - ofWorkers(high)) * 1_000_000n <= amount * BigInt(high)).toBe(true);
      }),
    );
  });
});

describe("rules that cannot be", () => {
  const flaw = (some: Partial<typeof REWARD_RULES_DEFAULTS>) => rewardRulesFlaw({ ...REWARD_RULES_DEFAULTS, ...some });

  test("are said in words", () => {
    expect(flaw({})).toBeUndefined();
    expect(flaw({ feeMillionths: 990_000, beneficiaries: [commonsFee(10_000), ...REVENUE_SPLIT] })).toBeUndefined();
    expect(flaw({ feeMillionths: 990_001, beneficiaries: [commonsFee(10_000)] })).toMatch(/more than the whole reward/);
    expect(flaw({ beneficiaries: [...REVENUE_SPLIT, { name: "me", millionths: 1, of: "fee" }] })).toMatch(/whole fee/);
    expect(flaw({ feeMillionths: -1 })).toMatch(/between 0 and 1,000,000/);
    expect(flaw({ feeMillionths: 0.5 })).toMatch(/between 0 and 1,000,000/);
    expect(flaw({ windowMillionths: 0 })).toMatch(/window/);
    expect(flaw({ maxWindowMs: 0 })).toMatch(/longest window/);
    expect(flaw({ beneficiaries: [{ name: "", millionths: 1, of: "fee" }] })).toMatch(/no name/);
  });
});
