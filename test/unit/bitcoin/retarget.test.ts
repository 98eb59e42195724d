import { describe, expect, test } from "vitest";
import { easiestBits, leastTime, nextTargetRule, retargetedBits } from "../../../src/bitcoin/retarget.ts";
import { targetFromCompact } from "../../../src/bitcoin/target.ts";

describe("the next period's target, by the figures of Bitcoin Core's src/test/pow_tests.cpp", () => {
  test.each([
    ["get_next_work: block 32255", 1261130161, 1262152739, 0x1d00ffff, 0x1d00d86a],
    ["get_next_work_pow_limit: block 2015", 1231006505, 1233061996, 0x1d00ffff, 0x1d00ffff],
    ["get_next_work_lower_limit_actual: block 68543", 1279008237, 1279297671, 0x1c05a3f4, 0x1c0168fd],
    ["get_next_work_upper_limit_actual: block 46367", 1263163443, 1269211443, 0x1c387f6f, 0x1d00e1fd],
  ])("%s", (_name, firstTime, lastTime, nBits, expected) => {
    const bits = retargetedBits("mainnet", { time: firstTime, nBits }, { time: lastTime, nBits });
    expect(bits.toString(16)).toBe(expected.toString(16));
  });

  test("a clock that goes back is a quarter of the time, as the shortest period", () => {
    const last = { time: 1279008237 - 7200, nBits: 0x1c05a3f4 };
    expect(retargetedBits("mainnet", { time: 1279008237, nBits: 0x1c05a3f4 }, last)).toBe(0x1c0168fd);
  });
});

describe("the networks", () => {
  const fortnight = 14 * 24 * 60 * 60;

  test("testnet3 takes the last block's target, whatever the 20-minute rule made of it; testnet4 the first one's (BIP94)", () => {
    const first = { time: 0, nBits: 0x1b0ffff0 };
    const last = { time: fortnight, nBits: 0x1d00ffff };
    expect(retargetedBits("testnet", first, last)).toBe(0x1d00ffff);
    expect(retargetedBits("testnet4", first, last)).toBe(0x1b0ffff0);
  });

  test("none goes beyond its easiest target", () => {
    // Core's chainparams: signet's limit is 00000377ae…, written 1e0377ae.
    expect(easiestBits("signet")).toBe(0x1e0377ae);
    expect(easiestBits("mainnet")).toBe(0x1d00ffff);
    expect(easiestBits("regtest")).toBe(0x207fffff);
    const easy = { time: 0, nBits: 0x1e0377ae };
    expect(retargetedBits("signet", easy, { time: 9 * fortnight, nBits: 0x1e0377ae })).toBe(0x1e0377ae);
    expect(targetFromCompact(retargetedBits("signet", easy, { ...easy, time: 1 })) * 4n).toBeLessThanOrEqual(
      targetFromCompact(0x1e0377ae),
    );
  });

  test.each([
    ["mainnet", 2015, 1, "retarget"],
    ["mainnet", 2014, 1, "tip"],
    ["mainnet", 2016, 99_999, "tip"],
    ["signet", 4031, 1, "retarget"],
    ["regtest", 2015, 99_999, "tip"],
    ["testnet", 2015, 99_999, "retarget"],
    ["testnet4", 100, 1200, "period"],
    ["testnet4", 100, 1201, "minimum"],
    ["testnet", 2016, 1201, "minimum"],
    ["testnet", 2016, 1200, "period"],
  ] as const)("%s: on block %d, %d s later: %s", (network, height, laterS, rule) => {
    expect(nextTargetRule(network, { height, time: 7 }, 7 + laterS)).toBe(rule);
  });

  test("a block's time is after the median of those before it; the first of a period is not long before its parent", () => {
    expect(leastTime(100, { medianTime: 50, time: 9000 })).toBe(51);
    expect(leastTime(2016, { medianTime: 50, time: 9000 })).toBe(8400);
    expect(leastTime(4032, { medianTime: 8900, time: 9000 })).toBe(8901);
  });
});
