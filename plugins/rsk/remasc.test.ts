/** REMASC's logs. */
import { describe, expect, test } from "vitest";
import { paymentsFor, type ReceiptLog, rewardOf } from "./remasc.ts";

/** A log of Rootstock testnet block 0xfcea, from the example of eth_getLogs in Rootstock's documentation (dev.rootstock.io). */
const real: ReceiptLog = {
  address: "0x0000000000000000000000000000000001000008",
  topics: [
    "0x000000000000000000000000000000006d696e696e675f6665655f746f706963",
    "0x0000000000000000000000004495768e683423a4299d6a7f02a0689a6ff5a0a4",
  ],
  data: "0xe6a06c82436df2ac379ed378269415c15ffda97df39ccabf71b0a9639475dd51e0778423488365",
};
const hash = "0x6c82436df2ac379ed378269415c15ffda97df39ccabf71b0a9639475dd51e077";
const to = "4495768e683423a4299d6a7f02a0689a6ff5a0a4";

describe("paymentsFor", () => {
  test("reads a real log", () => {
    expect(paymentsFor(hash, [real])).toEqual([{ to, wei: 0x23488365n }]);
  });

  test("reads amounts of every length", () => {
    const data = (list: string, amount: string) => `0x${list}a0${hash.slice(2)}${amount}`;
    const logs = [
      data("e2", "80"),
      data("e2", "07"),
      data("e3", "8180"),
      data("f7", `95${"01".repeat(21)}`),
      data("f83a", `98${"ff".repeat(24)}`),
    ];
    expect(
      paymentsFor(
        hash,
        logs.map((each) => ({ ...real, data: each })),
      ).map(({ wei }) => wei),
    ).toEqual([0n, 7n, 128n, BigInt(`0x${"01".repeat(21)}`), 2n ** 192n - 1n]);
  });

  test.each([
    ["another contract", { ...real, address: "0x0000000000000000000000000000000001000006" }],
    ["another event", { ...real, topics: [`0x${"11".repeat(32)}`, real.topics[1] as string] }],
    ["no receiver", { ...real, topics: [real.topics[0] as string] }],
    ["another block", { ...real, data: real.data.replace("6c82", "6c83") }],
    ["a cut amount", { ...real, data: real.data.slice(0, -2) }],
    ["a list of another length", { ...real, data: real.data.replace("0xe6", "0xe7") }],
    ["bytes behind the amount", { ...real, data: `${real.data}00` }],
    ["nothing", { ...real, data: "0x" }],
    ["no hex", { ...real, data: "0xzz" }],
  ])("passes over %s", (_name, log) => {
    expect(paymentsFor(hash, [log])).toEqual([]);
  });
});

describe("rewardOf", () => {
  // In rskj's order: Labs, two federators, two publishers of uncles, the two uncles, the block's own miner.
  const payments = [1, 2, 3, 20, 21, 30, 31, 40].map((wei, index) => ({
    to: [`${"0".repeat(39)}a`, `${"0".repeat(39)}b`, `${"0".repeat(39)}c`, to, to, `${"0".repeat(39)}d`, to, to][
      index
    ] as string,
    wei: BigInt(wei),
  }));
  const miner = `0x${to.toUpperCase()}`;

  test("the last payment is the block's own, whatever else went to the same miner", () => {
    expect(rewardOf(payments, miner)).toBe(40n);
  });

  test("an uncle's payment stands in the order in which the uncles were named", () => {
    expect(rewardOf(payments, miner, { at: 1, count: 2 })).toBe(31n);
    expect(rewardOf(payments, `0x${"0".repeat(39)}d`, { at: 0, count: 2 })).toBe(30n);
  });

  test("says nothing when the receiver is another than expected, or there are no payments", () => {
    expect(rewardOf(payments, miner, { at: 0, count: 2 })).toBeUndefined();
    expect(rewardOf([], miner)).toBeUndefined();
  });
});
