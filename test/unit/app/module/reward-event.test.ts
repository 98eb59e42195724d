/** Amounts and hashes of rewards in the node's event. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  MAX_REWARD_AMOUNT,
  rewardAmount,
  rewardBlockHash,
  rewardEvent,
} from "../../../../src/app/module/events/reward-event.ts";
import { toDisplayHex, toHex } from "../../../../src/kernel/bytes.ts";

describe("the amount", () => {
  test.each([
    ["25 NMC in sat", 2_500_000_000n, 8, 2_500_000_000n],
    ["64.00 HTR in cents", 6400n, 2, 6400n],
    ["0.000123456789012345 RBTC in wei, rounded down to 10^-8", 123_456_789_012_345n, 18, 12_345n],
    ["one RBTC", 10n ** 18n, 18, 100_000_000n],
    ["9 decimals: a tenth", 19n, 9, 1n],
    ["a coin that nobody knows", 5n, undefined, 5n],
    ["nothing", 0n, 18, 0n],
  ])("%s", (_what, units, decimals, amount) => {
    expect(rewardAmount(units, decimals)).toEqual({ amount, isCut: false });
  });

  test("at the bound of 64 bits it is the largest value, and says so", () => {
    expect(rewardAmount(2n ** 64n - 1n, 8)).toEqual({ amount: MAX_REWARD_AMOUNT, isCut: false });
    expect(rewardAmount(2n ** 64n, 8)).toEqual({ amount: MAX_REWARD_AMOUNT, isCut: true });
    expect(rewardAmount(2n ** 64n * 10n ** 10n - 1n, 18)).toEqual({ amount: MAX_REWARD_AMOUNT, isCut: false });
    expect(rewardAmount(2n ** 256n, undefined)).toEqual({ amount: MAX_REWARD_AMOUNT, isCut: true });
  });

  test("never exceeds the field, and never tells more than the chain pays", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 256n), fc.nat(36), (units, decimals) => {
        const { amount, isCut } = rewardAmount(units, decimals);
        expect(amount <= MAX_REWARD_AMOUNT).toBe(true);
        const unit = 10n ** BigInt(Math.max(0, decimals - 8));
        expect(amount * unit <= units).toBe(true);
        if (!isCut) expect((amount + 1n) * unit > units).toBe(true);
      }),
    );
  });
});

describe("the block's hash", () => {
  const HEX = "00000000000000000007f2a1b2c3d4e5f60718293a4b5c6d7e8f901a2b3c4d5e";

  test("as Bitcoin prints it: internal byte order", () => {
    expect(toDisplayHex(rewardBlockHash(HEX))).toBe(HEX);
    expect(toDisplayHex(rewardBlockHash(HEX.toUpperCase()))).toBe(HEX);
  });

  test("with 0x: the bytes as printed", () => {
    expect(toHex(rewardBlockHash(`0x${HEX}`))).toBe(HEX);
  });

  test.each(["", "tag-7", HEX.slice(2), `${HEX}00`, `0x${HEX}0`])("zeros for a name that is no hash: %j", (name) => {
    expect(rewardBlockHash(name)).toEqual(new Uint8Array(32));
  });

  test("the event carries the chain's configured name", () => {
    const reward = { secondaryChain: "rsk", blockHash: `0x${HEX}`, height: 7, rewardAmount: 10n ** 18n };
    const { event, isCut } = rewardEvent({ ...reward, confirmations: 3, atMs: 1 }, 18);
    expect(event).toEqual({
      secondaryChain: "rsk",
      rewardAmount: 100_000_000n,
      blockHash: rewardBlockHash(`0x${HEX}`),
    });
    expect(isCut).toBe(false);
  });
});
