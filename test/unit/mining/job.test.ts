import { describe, expect, test } from "vitest";
import { heightPush } from "../../../src/bitcoin/coinbase.ts";
import { merkleRoot } from "../../../src/bitcoin/merkle.ts";
import { pushBytes } from "../../../src/bitcoin/script.ts";
import { parseTransaction, txid, txidOfBytes } from "../../../src/bitcoin/transaction.ts";
import { concat, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import {
  BIP320_MASK,
  buildJob,
  checkCoinbaseFits,
  JobIds,
  jobCoinbase,
  jobMerkleRoot,
  repeatJob,
} from "../../../src/mining/job.ts";
import { prepared } from "../../../src/mining/prepared-job.ts";
import { FrameDecoder } from "../../../src/sv2/frame.ts";
import { mining } from "../../../src/sv2/messages/mining.ts";
import { ANY_TARGET, payout, START_S } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const TAG = utf8("/test pool/");
const NOW_MS = START_S * 1000;
const prevHash = seededRandom(1).bytes(32);
const template = makeTemplate({ height: 840_000, prevHash, transactions: 3, curTime: START_S });
const job = buildJob({ template, payout, tag: TAG, jobId: 5, nowMs: NOW_MS });
const EXTRANONCE = Uint8Array.from({ length: 20 }, (_, i) => 0xa0 + i);

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a job's coinbase", () => {
  const coinbase = parseTransaction(jobCoinbase(job, EXTRANONCE).withWitness);

  test("has height, tag and the extranonce last in its script", () => {
    const script = concat(heightPush(840_000), pushBytes(TAG), Uint8Array.of(20), EXTRANONCE);
    expect(toHex(coinbase.inputs[0]!.script)).toBe(toHex(script));
  });

  test("pays first and has the template's outputs last", () => {
    expect(coinbase.outputs).toEqual([...payout(template.coinbaseValue), ...template.coinbase.outputs]);
  });

  test("keeps version, sequence and lock time of the template, and its witness", () => {
    expect(coinbase).toMatchObject({ version: 2, lockTime: 839_999 });
    expect(coinbase.inputs[0]).toMatchObject({ sequence: 0xfffffffe, witness: [new Uint8Array(32)] });
  });

  test("its stripped form is what the txid is the hash of, and the halves around the extranonce", () => {
    const { stripped, withWitness } = jobCoinbase(job, EXTRANONCE);
    expect(toHex(txidOfBytes(stripped))).toBe(toHex(txid(parseTransaction(withWitness))));
    expect(toHex(stripped)).toBe(toHex(job.coinbasePrefix) + toHex(EXTRANONCE) + toHex(job.coinbaseSuffix));
  });

  test("its merkle root is that of the whole block", () => {
    const others = (template.transactions ?? []).map((raw) => txid(parseTransaction(raw)));
    const leaves = [txidOfBytes(jobCoinbase(job, EXTRANONCE).stripped), ...others];
    expect(toHex(jobMerkleRoot(job, EXTRANONCE))).toBe(toHex(merkleRoot(leaves)));
  });

  test("carries commitments between height and tag, and between payout and template", () => {
    const scriptSig = seededRandom(2).bytes(44);
    const outputs = [{ value: 0n, script: Uint8Array.of(0x6a, 1, 7) }];
    const merged = buildJob({
      template,
      payout,
      tag: TAG,
      jobId: 6,
      nowMs: NOW_MS,
      commitments: { scriptSig, outputs },
    });
    const tx = parseTransaction(jobCoinbase(merged, EXTRANONCE).withWitness);
    const script = concat(
      heightPush(840_000),
      Uint8Array.of(44),
      scriptSig,
      pushBytes(TAG),
      Uint8Array.of(20),
      EXTRANONCE,
    );
    expect(toHex(tx.inputs[0]!.script)).toBe(toHex(script));
    expect(tx.outputs).toEqual([...payout(template.coinbaseValue), ...outputs, ...template.coinbase.outputs]);
  });

  test("an extranonce of another size is a mistake", () => {
    expect(() => jobCoinbase(job, EXTRANONCE.subarray(1))).toThrow(TypeError);
  });

  test("a block without segwit has no witness", () => {
    const old = buildJob({
      template: { ...template, coinbase: { ...template.coinbase, outputs: [], witness: [] } },
      payout,
      tag: new Uint8Array(0),
      jobId: 1,
      nowMs: NOW_MS,
    });
    const { stripped, withWitness } = jobCoinbase(old, EXTRANONCE);
    expect(toHex(withWitness)).toBe(toHex(stripped));
    expect(parseTransaction(stripped).inputs[0]!.script).toHaveLength(4 + 21);
  });
});

describe("buildJob", () => {
  test("freezes what the template says", () => {
    expect(Object.isFrozen(job)).toBe(true);
    expect(job).toMatchObject({
      jobId: 5,
      version: template.version,
      nBits: template.nBits,
      prevHash,
      bitcoinTarget: template.target,
      payoutValue: template.coinbaseValue,
      versionRollingMask: BIP320_MASK,
      minTime: START_S,
      createdMs: NOW_MS,
    });
  });

  test.each([-1n, 1n])("refuses a payout that is off by %d sat", (error) => {
    const wrong = (value: bigint) => payout(value + error);
    expect(() => buildJob({ template, payout: wrong, tag: TAG, jobId: 1, nowMs: NOW_MS })).toThrow(TypeError);
  });

  test("refuses outputs beyond the room that the template leaves", () => {
    const make = (coinbaseRoom: { bytes: number; sigops: number }) =>
      buildJob({
        template: { ...template, coinbaseRoom },
        payout: (value) => [{ value, script: Uint8Array.of(0x76, 0xac) }],
        tag: TAG,
        jobId: 1,
        nowMs: NOW_MS,
      });
    expect(make({ bytes: 11, sigops: 1 }).jobId).toBe(1);
    expect(faultOf(() => make({ bytes: 10, sigops: 1 })).code).toBe("coinbase-outputs-too-large");
    expect(faultOf(() => make({ bytes: 11, sigops: 0 })).code).toBe("coinbase-outputs-too-large");
  });

  test("refuses a script of more than 100 bytes", () => {
    const build = (length: number) =>
      buildJob({ template, payout, tag: new Uint8Array(length), jobId: 1, nowMs: NOW_MS });
    expect(jobCoinbase(build(74), EXTRANONCE).stripped).toContain(100);
    expect(faultOf(() => build(75)).code).toBe("coinbase-script-too-long");
  });

  test.each([
    ["the template's time when our clock is behind", -500, 0],
    ["our clock when the template is old", 50, 50],
    ["at most an hour ahead of the template, whatever our clock says", 100_000, 3600],
  ])("takes %s", (_what, ahead, expected) => {
    const made = buildJob({ template, payout, tag: TAG, jobId: 1, nowMs: (START_S + ahead) * 1000 });
    expect(made.minTime).toBe(START_S + expected);
  });
});

describe("repeatJob", () => {
  test("is the same work with another id and a later time", () => {
    const again = repeatJob(job, 99, NOW_MS);
    expect(again).toEqual({ ...job, jobId: 99, minTime: job.minTime + 1 });
    expect(repeatJob(again, 100, NOW_MS + 30_000).minTime).toBe(START_S + 30);
    expect(Object.isFrozen(again)).toBe(true);
  });
});

describe("checkCoinbaseFits", () => {
  const tag = (length: number) => new Uint8Array(length).fill(0x41);

  test("without merge mining a tag may have 70 bytes: 8 of the template, 21 of the extranonce, one length byte", () => {
    expect(() => checkCoinbaseFits({ tag: tag(70) })).not.toThrow();
    expect(faultOf(() => checkCoinbaseFits({ tag: tag(71) })).data).toEqual({
      bytes: 71,
      atMost: 70,
      mergeMining: false,
    });
  });

  test("with merge mining 45 bytes less", () => {
    expect(() => checkCoinbaseFits({ tag: tag(25), mergeMining: true })).not.toThrow();
    const fault = faultOf(() => checkCoinbaseFits({ tag: tag(26), mergeMining: true }));
    expect(fault.code).toBe("coinbase-tag-too-long");
    expect(fault.data.atMost).toBe(25);
    expect(() => checkCoinbaseFits({ tag: tag(29), prefixBytes: 4, mergeMining: true })).not.toThrow();
    expect(() => checkCoinbaseFits({ tag: tag(30), prefixBytes: 4, mergeMining: true })).toThrow(Fault);
  });

  test("a tag that it lets pass makes a job at any height, with commitments too", () => {
    const parts = { template, payout, jobId: 1, nowMs: NOW_MS, tag: tag(29) };
    expect(buildJob({ ...parts, commitments: { scriptSig: new Uint8Array(44) } }).jobId).toBe(1);
    const longer = { ...parts, tag: tag(31) };
    expect(() => buildJob({ ...longer, commitments: { scriptSig: new Uint8Array(44) } })).toThrow(Fault);
  });
});

describe("JobIds", () => {
  test("counts from 1, and past 2^32 - 1 leaves out 0", () => {
    expect([1, 2, 3]).toEqual(((ids) => [ids.next(), ids.next(), ids.next()])(new JobIds()));
    const late = new JobIds({}, { first: 0xfffffffe });
    expect([late.next(), late.next(), late.next()]).toEqual([0xfffffffe, 0xffffffff, 1]);
  });
});

describe("a prepared job", () => {
  const work = prepared(job);
  const decode = (frame: Uint8Array) => {
    const [only] = new FrameDecoder({}, { maxFrameSize: 10_000 }).push(frame);
    expect(only?.channel).toBe(true);
    return mining.decode(only!.msgType, only!.payload);
  };

  test("is made once for all who ask", () => {
    expect(prepared(job)).toBe(work);
    expect(prepared(repeatJob(job, 1, NOW_MS))).not.toBe(work);
  });

  test("computes the merkle root of a whole or a divided extranonce", () => {
    const expected = toHex(jobMerkleRoot(job, EXTRANONCE));
    const out = new Uint8Array(32);
    work.merkleRootInto(out, EXTRANONCE);
    expect(toHex(out)).toBe(expected);
    work.merkleRootInto(out, EXTRANONCE.subarray(0, 4), EXTRANONCE.subarray(4));
    expect(toHex(out)).toBe(expected);
    expect(() => work.merkleRootInto(out, EXTRANONCE.subarray(0, 4), EXTRANONCE.subarray(5))).toThrow(TypeError);
  });

  test("its messages differ in the channel id alone", () => {
    for (const channelId of [2, 0xfedcba98]) {
      expect(decode(work.newExtendedMiningJob(channelId, true)).value).toEqual({
        channelId,
        jobId: 5,
        minNtime: null,
        version: template.version,
        versionRollingAllowed: true,
        merklePath: template.merklePath,
        coinbaseTxPrefix: job.coinbasePrefix,
        coinbaseTxSuffix: job.coinbaseSuffix,
      });
      expect(decode(work.newExtendedMiningJob(channelId, false)).value).toMatchObject({ channelId, minNtime: START_S });
      const root = seededRandom(channelId).bytes(32);
      const standard = { channelId, jobId: 5, version: template.version, merkleRoot: root };
      expect(decode(work.newMiningJob(channelId, true, root)).value).toEqual({ ...standard, minNtime: null });
      expect(decode(work.newMiningJob(channelId, false, root)).value).toEqual({ ...standard, minNtime: START_S });
      const { nBits } = template;
      const tip = { channelId, jobId: 5, prevHash, minNtime: START_S, nbits: nBits };
      expect(decode(work.setNewPrevHash(channelId)).value).toEqual(tip);
    }
  });

  test("a frame that was handed out is not touched any more", () => {
    const frame = work.setNewPrevHash(2);
    const before = toHex(frame);
    work.setNewPrevHash(3);
    expect(toHex(frame)).toBe(before);
  });

  test("says so when version rolling is forbidden", () => {
    const fixed = buildJob({ template, payout, tag: TAG, jobId: 8, nowMs: NOW_MS, versionRollingMask: 0 });
    const message = decode(prepared(fixed).newExtendedMiningJob(2, false));
    expect(message.value).toMatchObject({ versionRollingAllowed: false });
  });

  test("fits the 8192 bytes that small firmware takes, with 14 branches and a dozen payouts", () => {
    const many = (value: bigint) =>
      Array.from({ length: 12 }, (_, i) => ({ value: i === 0 ? value : 0n, script: new Uint8Array(34) }));
    const merklePath = Array.from({ length: 14 }, () => ANY_TARGET);
    const big = buildJob({ template: { ...template, merklePath }, payout: many, tag: TAG, jobId: 9, nowMs: NOW_MS });
    expect(prepared(big).newExtendedMiningJob(2, true).length).toBeLessThan(1200);
  });
});
