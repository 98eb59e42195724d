/** Payouts of open channels: what is shared, what is kept, and what happens when a coinbase cannot be as it should. */
import { describe, expect, test } from "vitest";
import { scriptOfAddress } from "../../../src/bitcoin/address.ts";
import { utf8 } from "../../../src/kernel/bytes.ts";
import type { AuxSnapshot } from "../../../src/mining/aux.ts";
import { ChannelPayouts } from "../../../src/mining/channel-payouts.ts";
import { buildJob, type Job } from "../../../src/mining/job.ts";
import type { DirectPayout } from "../../../src/mining/job-payout.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const SCRIPT = scriptOfAddress(ADDRESS, "regtest");
const SOLO: DirectPayout = { kind: "solo", address: ADDRESS, script: SCRIPT };
const AUX: AuxSnapshot = {
  generation: 1,
  entries: [],
  chains: [],
  easiest: new Uint8Array(32),
  channelTarget: undefined,
};
const OUTPUT = { value: 0n, script: Uint8Array.of(0x6a, 1, 9) };

function job(jobId: number, bytes = 1000): Job {
  const template = makeTemplate({ height: 7, prevHash: seededRandom(jobId).bytes(32) });
  return buildJob({
    template: { ...template, coinbaseRoom: { bytes, sigops: 400 } },
    payout: (value) => [{ value, script: Uint8Array.of(0x51) }],
    tag: utf8("/test/"),
    jobId,
    nowMs: 1_700_000_000_000,
    commitments: { outputs: [OUTPUT] },
    aux: AUX,
  });
}

function payouts(flaw?: (made: Job) => string | undefined) {
  const log = recordingLog();
  const pool = (value: bigint) => [{ value, script: Uint8Array.of(0x51) }];
  return {
    log,
    payouts: new ChannelPayouts({ log, pool, ...(flaw === undefined ? {} : { flaw }) }, { network: "regtest" }),
  };
}

describe("ChannelPayouts", () => {
  test("channels that are paid alike share a payout, and its work is made once a job", () => {
    const { payouts: all } = payouts();
    const [one, two] = [all.open(SOLO), all.open({ ...SOLO, script: SCRIPT.slice() })];
    expect(two).toBe(one);
    expect(all.open({ ...SOLO, kind: "donate", percent: 1 })).not.toBe(one);
    expect(all.open({ ...SOLO, kind: "donate", percent: 2 })).not.toBe(one);
    expect(all.size).toBe(3);
    const first = job(1);
    const work = all.workFor(first, one);
    expect(work?.job).toMatchObject({ jobId: 1, aux: AUX, finder: { address: ADDRESS } });
    expect(all.workFor(first, two)).toBe(work);
    expect(all.workFor(job(2), one)).not.toBe(work);
  });

  test("keeps no more than open channels need", () => {
    const { payouts: all } = payouts();
    for (let i = 0; i < 100; i++) {
      const to: DirectPayout = { ...SOLO, script: Uint8Array.of(0x51, 2, i, 0) };
      const [one, two] = [all.open(to), all.open(to)];
      expect(all.size).toBe(1);
      all.close(one);
      expect(all.size).toBe(1);
      all.close(two);
      expect(all.size).toBe(0);
    }
  });

  test("a coinbase that breaks a chain's rule goes out for Bitcoin alone, paid as it should be", () => {
    const { payouts: all, log } = payouts(() => "for rsk: 200 bytes follow its script");
    const made = all.workFor(job(1), all.open(SOLO))?.job;
    expect(made).toMatchObject({
      aux: undefined,
      commitmentOutputs: [],
      finder: { address: ADDRESS },
      payoutValue: 0n,
    });
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ["warn", expect.stringContaining(`pays ${ADDRESS} goes out without any aux chain: for rsk: 200 bytes`)],
    ]);
  });

  test("so does one whose judge fails, and one for which there is only without chains room", () => {
    const failing = payouts(() => {
      throw new Error("bug");
    });
    expect(failing.payouts.workFor(job(1), failing.payouts.open(SOLO))?.job.aux).toBeUndefined();
    const { payouts: all } = payouts();
    // The pool's output and the chain's take 10 + 12 bytes, the miner's alone 31.
    expect(all.workFor(job(1, 31), all.open(SOLO))?.job).toMatchObject({
      aux: undefined,
      finder: { address: ADDRESS },
    });
  });

  test("where there is no room at all no job is made, rather than one that pays somebody else", () => {
    const { payouts: all, log } = payouts();
    const [payout, other] = [all.open(SOLO), all.open({ ...SOLO, kind: "donate", percent: 50 })];
    const narrow = job(1, 30);
    expect(all.workFor(narrow, payout)).toBeUndefined();
    expect(all.workFor(narrow, payout)).toBeUndefined();
    expect(all.workFor(narrow, other)).toBeUndefined();
    // One line a job at a level that people read, however many miners there are.
    expect(log.lines.filter(({ level }) => level !== "debug")).toHaveLength(1);
    expect(all.workFor(job(2), payout)).toBeDefined();
  });
});
