/** Coinbases that pay miners: how the value is shared, and that nothing but the payout differs from the pool's job. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scriptOfAddress } from "../../../src/bitcoin/address.ts";
import { parseTransaction, type TxOutput } from "../../../src/bitcoin/transaction.ts";
import { toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { foundBlock } from "../../../src/mining/found-block.ts";
import { buildJob, jobCoinbase, repeatJob } from "../../../src/mining/job.ts";
import {
  type DirectPayout,
  isDust,
  MAX_DIRECT_OUTPUT,
  payJob,
  splitPayout,
  withoutChains,
} from "../../../src/mining/job-payout.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const P2WPKH = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
const P2PKH = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2";
const POOL = scriptOfAddress("bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3", "mainnet");
const pool = (value: bigint): TxOutput[] => [{ value, script: POOL }];
const solo = (address = P2WPKH): DirectPayout => ({
  kind: "solo",
  address,
  script: scriptOfAddress(address, "mainnet"),
});
const donate = (percent: number, address = P2WPKH): DirectPayout => ({ ...solo(address), kind: "donate", percent });
const parts = ({ pool: ours, finder }: ReturnType<typeof splitPayout>) => [
  ours.map(({ value }) => value),
  finder?.output.value,
];

describe("splitPayout", () => {
  test.each([
    ["solo", solo(), 312_500_000n, [], 312_500_000n],
    ["1 %", donate(1), 312_500_099n, [3_125_000n], 309_375_099n],
    ["50 % of an odd value: the pool's part is rounded down", donate(50), 625_000_001n, [312_500_000n], 312_500_001n],
    ["99 %", donate(99), 312_500_000n, [309_375_000n], 3_125_000n],
    ["a pool's part of 0", donate(1), 99n, [], 99n],
    ["a pool's part of 329 sat, dust for P2WSH", donate(1), 32_999n, [], 32_999n],
    ["a pool's part of 330 sat, none any more", donate(1), 33_000n, [330n], 32_670n],
    ["a miner's part of 293 sat, dust for P2WPKH", donate(99), 29_300n, [29_300n], undefined],
    ["a miner's part of 294 sat, none any more", donate(99), 29_400n, [29_106n], 294n],
    ["a miner's part of 545 sat, dust for P2PKH", donate(99, P2PKH), 54_500n, [54_500n], undefined],
    ["a miner's part of 546 sat, none any more", donate(99, P2PKH), 54_600n, [54_054n], 546n],
    ["both parts dust", donate(50), 400n, [], 400n],
    ["nothing at all", solo(), 0n, [], 0n],
  ] as const)("%s", (_what, to, value, ours, miner) => {
    expect(parts(splitPayout(value, to, pool))).toEqual([ours, miner]);
  });

  test("never loses or makes a satoshi, and no part but the whole is dust", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 5_100_000_000n), fc.integer({ min: 1, max: 99 }), (value, percent) => {
        const { pool: ours, finder } = splitPayout(value, donate(percent), pool);
        const outputs = finder === undefined ? [...ours] : [...ours, finder.output];
        expect(outputs.reduce((sum, output) => sum + output.value, 0n)).toBe(value);
        expect(outputs.length).toBeGreaterThan(0);
        if (outputs.length === 2) expect(outputs.some(isDust)).toBe(false);
      }),
    );
  });
});

describe("payJob", () => {
  const template = makeTemplate({ height: 840_000, prevHash: seededRandom(1).bytes(32) });
  const commitments = {
    scriptSig: new Uint8Array(44).fill(3),
    outputs: [{ value: 0n, script: Uint8Array.of(0x6a, 1, 9) }],
  };
  const base = buildJob({
    template,
    payout: pool,
    tag: utf8("/test/"),
    jobId: 5,
    nowMs: 1_700_000_000_000,
    commitments,
  });
  const extranonce = seededRandom(2).bytes(20);
  const coinbase = (job: typeof base) => parseTransaction(jobCoinbase(job, extranonce).withWitness);
  const paid = payJob(base, splitPayout(template.coinbaseValue, donate(10), pool));

  test("puts the pool's output and the miner's in front of the commitments and the template's own", () => {
    const part = template.coinbaseValue / 10n;
    expect(coinbase(paid).outputs).toEqual([
      { value: part, script: POOL },
      { value: template.coinbaseValue - part, script: solo().script },
      ...commitments.outputs,
      ...template.coinbase.outputs,
    ]);
    expect(paid.payoutValue).toBe(part);
    expect(paid.finder).toEqual({
      address: P2WPKH,
      output: { value: template.coinbaseValue - part, script: solo().script },
    });
  });

  test("differs from the pool's job in nothing else", () => {
    const { coinbaseSuffix, payoutValue, finder, ...rest } = paid;
    const { coinbaseSuffix: suffix, payoutValue: all, finder: nobody, ...plain } = base;
    expect(rest).toEqual(plain);
    expect([all, nobody]).toEqual([template.coinbaseValue, undefined]);
    const { outputs, ...tx } = coinbase(paid);
    const { outputs: others, ...same } = coinbase(base);
    expect(tx).toEqual(same);
    expect(outputs).toHaveLength(others.length + 1);
    expect(Object.isFrozen(paid)).toBe(true);
  });

  test("is repeated with its payout, and its block says who is paid what", () => {
    const again = repeatJob(paid, 9, 1_700_000_001_000);
    expect(coinbase(again).outputs).toEqual(coinbase(paid).outputs);
    const solution = { header: new Uint8Array(80), hash: new Uint8Array(32), extranonce, userIdentity: "x", nowMs: 1 };
    expect(foundBlock({ job: again, ...solution })).toMatchObject({
      reward: template.coinbaseValue / 10n,
      finderReward: template.coinbaseValue - template.coinbaseValue / 10n,
      finderAddress: P2WPKH,
    });
    const ours = foundBlock({ job: base, ...solution });
    expect([ours.reward, ours.finderReward, ours.finderAddress]).toEqual([template.coinbaseValue, 0n, undefined]);
    const all = foundBlock({ job: payJob(base, splitPayout(template.coinbaseValue, solo(), pool)), ...solution });
    expect([all.reward, all.finderReward]).toEqual([0n, template.coinbaseValue]);
  });

  test("without chains the commitments' outputs are gone, and what the scriptSig holds stands for nothing", () => {
    const bare = payJob(withoutChains(base), splitPayout(template.coinbaseValue, solo(), pool));
    expect(coinbase(bare).outputs).toEqual([
      { value: template.coinbaseValue, script: solo().script },
      ...template.coinbase.outputs,
    ]);
    expect(bare.aux).toBeUndefined();
    expect(toHex(bare.coinbasePrefix)).toBe(toHex(base.coinbasePrefix));
  });

  test("refuses what the template has no room for", () => {
    const narrow = { ...base, template: { ...template, coinbaseRoom: { bytes: 46 + 8 + 1 + 22, sigops: 0 } } };
    const split = (to: DirectPayout) => splitPayout(template.coinbaseValue, to, pool);
    expect(payJob(narrow, split(solo())).payoutValue).toBe(0n);
    const wide = () => payJob(narrow, split(donate(10)));
    expect(wide).toThrow(Fault);
    expect(wide).toThrow(expect.objectContaining({ code: "coinbase-outputs-too-large" }));
  });

  test("an output to any address has at most as many bytes as are kept free for it", () => {
    // The longest witness program, of version 1 to 16 (BIP141).
    const longest = { value: 1n, script: Uint8Array.of(0x51, 40, ...new Uint8Array(40)) };
    expect(8 + 1 + longest.script.length).toBe(MAX_DIRECT_OUTPUT);
  });
});
