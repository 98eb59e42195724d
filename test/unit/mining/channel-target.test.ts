import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { difficultyOfTarget, MAX_TARGET, targetOfDifficulty } from "../../../src/bitcoin/target.ts";
import { difficultyLimits, isHashrate, targetOfClaim, targetWithin } from "../../../src/mining/channel-target.ts";

const RANGE = { sharesPerMinute: 6, minDifficulty: 0.01, maxDifficulty: 1e6 };

describe("difficultyLimits", () => {
  test.each([
    ["the operator's", MAX_TARGET, undefined, { min: 0.01, max: 1e6 }],
    ["up to the block's difficulty", MAX_TARGET, 500, { min: 0.01, max: 500 }],
    ["the block's difficulty does not count below 1", MAX_TARGET, 0.5, { min: 0.01, max: 1e6 }],
    ["difficulty 1 counts: the testnets have such blocks", MAX_TARGET, 1, { min: 0.01, max: 1 }],
    ["what the client demands goes before all", targetOfDifficulty(2048), 500, { min: 2048, max: 2048 }],
  ])("%s", (_what, maxTarget, bitcoinDifficulty, expected) => {
    const { min, max } = difficultyLimits(RANGE, maxTarget, bitcoinDifficulty);
    expect(min).toBeCloseTo(expected.min, 9);
    expect(max).toBeCloseTo(expected.max, 9);
  });

  test.each([
    ["an easier merge-mined chain is the upper end", 500, 300, 300],
    ["a harder one changes nothing", 500, 700, 500],
    ["it counts also where Bitcoin's own difficulty does not", 0.5, 300, 300],
    ["no chain changes nothing", 500, undefined, 500],
  ])("%s", (_what, bitcoinDifficulty, ceilingDifficulty, max) => {
    expect(difficultyLimits(RANGE, MAX_TARGET, bitcoinDifficulty, ceilingDifficulty).max).toBe(max);
  });

  test("what the client demands goes before a merge-mined chain too", () => {
    const { min, max } = difficultyLimits(RANGE, targetOfDifficulty(2048), 5000, 300);
    expect(min).toBeCloseTo(2048, 9);
    expect(max).toBeCloseTo(2048, 9);
  });
});

test("a client's maximum target is never exceeded, not by a rounding either", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: targetOfDifficulty(1e6), max: MAX_TARGET }), (maxTarget) => {
      const limits = difficultyLimits(RANGE, maxTarget, undefined);
      expect(targetWithin(limits.min, maxTarget).target <= maxTarget).toBe(true);
      expect(targetWithin(difficultyOfTarget(maxTarget), maxTarget).target <= maxTarget).toBe(true);
      expect(targetOfClaim(0, 6, limits, maxTarget).target <= maxTarget).toBe(true);
    }),
  );
});

test.each([0, 1e-30, 1, 3e38])("%d is a hashrate", (hashrate) => expect(isHashrate(hashrate)).toBe(true));

test.each([-0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("%d is no hashrate", (hashrate) =>
  expect(isHashrate(hashrate)).toBe(false),
);
