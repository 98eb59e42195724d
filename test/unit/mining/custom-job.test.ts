/** Custom jobs (SetCustomMiningJob) from the client's side: what is refused with which word, and what a job that was taken is worth. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { targetFromBytes, targetFromCompact } from "../../../src/bitcoin/target.ts";
import { concat, utf8 } from "../../../src/kernel/bytes.ts";
import type { CustomJobs, CustomTip } from "../../../src/mining/custom-jobs.ts";
import type { CustomWork, DeclaredJob } from "../../../src/mining/custom-work.ts";
import type { Job } from "../../../src/mining/job.ts";
import { MERGE_MINING_TYPE, mergeMining } from "../../../src/sv2/messages/merge-mining.ts";
import { type Peer, type TestChannel, TestPool } from "../../support/conversation.ts";
import {
  type CustomDraft,
  type CustomFields,
  customCoinbase,
  customFields,
  customHalves,
  customHeader,
  customMine,
  outputsBytes,
} from "../../support/custom-client.ts";
import { EASY_BITS } from "../../support/fake-chain.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const PAYOUT = Uint8Array.of(0x51);
const VALUE = 5_000_000_000n;
const TOKEN = utf8("token");

/** A pool that gave out one token, and a client with a channel there. */
function setting(
  wish: { readonly declared?: (fields: CustomFields, size: number) => DeclaredJob; readonly nBits?: number } = {},
) {
  const tokens = new Map<string, CustomWork | "job-not-yet-validated">();
  const taken: Job[] = [];
  let pool: TestPool | undefined;
  const customJobs: CustomJobs = {
    redeem(token) {
      const work = tokens.get(Buffer.from(token).toString("hex"));
      if (work === undefined) return { errorCode: "invalid-mining-job-token" };
      if (work === "job-not-yet-validated") return { errorCode: work };
      tokens.delete(Buffer.from(token).toString("hex"));
      return work;
    },
    tip(): CustomTip | undefined {
      const template = pool?.job?.template;
      if (template === undefined) return undefined;
      const { prevHash, height, nBits, target, minTime, coinbaseValue } = template;
      return { prevHash, height, nBits, target, minTime, coinbaseValue, subsidy: 4_000_000_000n };
    },
    recognise: (job) => job,
    taken: (job) => void taken.push(job),
  };
  const made = new TestPool({ customJobs });
  pool = made;
  made.newBlock(wish.nBits === undefined ? {} : { nBits: wish.nBits });
  const peer = made.connect({ requiresWorkSelection: true });
  const channel = peer.openExtended();
  const draft = (more: Partial<CustomDraft> = {}): CustomDraft => {
    const { height, prevHash, nBits, minTime } = (made.job as Job).template;
    return { height, prevHash, nBits, ntime: minTime, outputs: [{ value: VALUE, script: PAYOUT }], ...more };
  };
  const size = (): number => channel.extranoncePrefix.length + channel.extranonceSize;
  const grant = (fields: CustomFields, token = TOKEN): void => {
    const outputs = [{ value: 0n, script: PAYOUT }];
    const declared = wish.declared?.(fields, size());
    tokens.set(Buffer.from(token).toString("hex"), { userIdentifier: "alice", outputs, declared });
  };
  const set = (fields: CustomFields, token = TOKEN): void =>
    peer.send("SetCustomMiningJob", { channelId: channel.channelId, requestId: 3, miningJobToken: token, ...fields });
  return { pool: made, peer, channel, tokens, taken, draft, size, grant, set };
}

/** The job that a client declared, with the same fields. */
function declaredOf(fields: CustomFields, size: number): DeclaredJob {
  const { prefix, suffix } = customHalves(fields, size);
  return {
    prevHash: fields.prevHash,
    version: fields.version,
    coinbasePrefix: prefix,
    coinbaseSuffix: suffix,
    coinbaseWitness: [new Uint8Array(32)],
    merklePath: fields.merklePath,
    transactions: [Uint8Array.of(1, 2, 3)],
  };
}

const whole = (channel: TestChannel, fill = 5): Uint8Array =>
  concat(channel.extranoncePrefix, new Uint8Array(channel.extranonceSize).fill(fill));

/** Mines and submits a share of a custom job. */
function share(
  { peer, channel }: { readonly peer: Peer; readonly channel: TestChannel },
  fields: CustomFields,
  jobId: number,
  wish: { readonly atMost?: bigint; readonly above?: bigint; readonly from?: number } = {},
) {
  const { atMost = targetFromBytes(channel.target), ...more } = wish;
  const mined = customMine(fields, whole(channel), atMost, more);
  peer.send("SubmitSharesExtended", {
    channelId: channel.channelId,
    sequenceNumber: 0,
    jobId,
    nonce: mined.nonce,
    ntime: fields.minNtime,
    version: fields.version,
    extranonce: new Uint8Array(channel.extranonceSize).fill(5),
  });
  return mined;
}

describe("a custom job is refused", () => {
  const refusals: readonly [string, (fields: CustomFields) => CustomFields, string][] = [
    ["on another block", (f) => ({ ...f, prevHash: new Uint8Array(32) }), "stale-chain-tip"],
    ["with another target", (f) => ({ ...f, nbits: f.nbits - 1 }), "invalid-nbits"],
    ["with a time before the tip's", (f) => ({ ...f, minNtime: f.minNtime - 1 }), "invalid-min-ntime"],
    ["with a time hours ahead", (f) => ({ ...f, minNtime: f.minNtime + 7300 }), "invalid-min-ntime"],
    ["with another height", (f) => ({ ...f, coinbasePrefix: Uint8Array.of(1, 99, 7) }), "invalid-coinbase-prefix"],
    [
      "with a scriptSig of 101 bytes",
      (f) => ({ ...f, coinbasePrefix: concat(f.coinbasePrefix.subarray(0, 2), new Uint8Array(79)) }),
      "invalid-coinbase-prefix",
    ],
    [
      "with outputs that are none",
      (f) => ({ ...f, coinbaseTxOutputs: Uint8Array.of(9) }),
      "invalid-coinbase-tx-outputs",
    ],
    [
      "that pays us less than the subsidy",
      (f) => ({ ...f, coinbaseTxOutputs: outputsBytes([{ value: 3_999_999_999n, script: PAYOUT }]) }),
      "invalid-coinbase-tx-outputs",
    ],
    [
      "that pays us less than nine tenths of ours",
      (f) => ({ ...f, coinbaseTxOutputs: outputsBytes([{ value: 4_499_999_999n, script: PAYOUT }]) }),
      "invalid-coinbase-tx-outputs",
    ],
    [
      "that pays somebody else too",
      (f) => ({
        ...f,
        coinbaseTxOutputs: outputsBytes([
          { value: VALUE, script: PAYOUT },
          { value: 1n, script: Uint8Array.of(0x52) },
        ]),
      }),
      "invalid-coinbase-tx-outputs",
    ],
  ];
  test.each(refusals)("%s", (_, wrong, errorCode) => {
    const { peer, draft, grant, set, taken } = setting();
    const fields = customFields(draft());
    grant(fields);
    set(wrong(fields));
    expect(peer.next("SetCustomMiningJobError")).toMatchObject({ requestId: 3, errorCode });
    expect(taken).toEqual([]);
  });

  const changes: readonly [string, (fields: CustomFields) => CustomFields, string][] = [
    ["version", (f) => ({ ...f, version: f.version + 8192 }), "invalid-version"],
    ["coinbase version", (f) => ({ ...f, coinbaseTxVersion: 1 }), "invalid-coinbase-tx-version"],
    [
      "scriptSig",
      (f) => ({ ...f, coinbasePrefix: f.coinbasePrefix.map((b, i) => (i === 4 ? b ^ 1 : b)) }),
      "invalid-coinbase-prefix",
    ],
    ["sequence", (f) => ({ ...f, coinbaseTxInputNSequence: 0 }), "invalid-coinbase-tx-input-n-sequence"],
    [
      "outputs",
      (f) => ({ ...f, coinbaseTxOutputs: outputsBytes([{ value: VALUE - 1n, script: PAYOUT }]) }),
      "invalid-coinbase-tx-outputs",
    ],
    ["lock time", (f) => ({ ...f, coinbaseTxLocktime: 7 }), "invalid-coinbase-tx-locktime"],
    ["merkle path", (f) => ({ ...f, merklePath: [new Uint8Array(32)] }), "invalid-merkle-path"],
    ["merkle path's length", (f) => ({ ...f, merklePath: [] }), "invalid-merkle-path"],
    [
      "scriptSig's length",
      (f) => ({ ...f, coinbasePrefix: f.coinbasePrefix.subarray(0, -1) }),
      "invalid-coinbase-prefix",
    ],
  ];
  test.each(changes)("that differs from the declared one in its %s", (_, wrong, errorCode) => {
    const { peer, draft, grant, set } = setting({ declared: declaredOf });
    const fields = customFields(draft({ merklePath: [new Uint8Array(32).fill(1)] }));
    grant(fields);
    set(wrong(fields));
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe(errorCode);
  });

  test("whose declared coinbase is none, with the extranonce of this channel", () => {
    const { peer, draft, grant, set } = setting({ declared: (fields, size) => declaredOf(fields, size - 1) });
    const fields = customFields(draft());
    grant(fields);
    set(fields);
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("invalid-coinbase-tx");
  });

  test("that was declared on an older block", () => {
    const declared = (fields: CustomFields, size: number) => ({
      ...declaredOf(fields, size),
      prevHash: new Uint8Array(32),
    });
    const { peer, draft, grant, set } = setting({ declared });
    const fields = customFields(draft());
    grant(fields);
    set(fields);
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("stale-chain-tip");
  });

  test("with a token that was used, was never given, or whose job is still looked at", () => {
    const { peer, draft, grant, set, tokens } = setting();
    const fields = customFields(draft());
    set(fields);
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("invalid-mining-job-token");
    grant(fields);
    set(fields);
    peer.next("SetCustomMiningJobSuccess");
    set(fields);
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("invalid-mining-job-token");
    tokens.set(Buffer.from(TOKEN).toString("hex"), "job-not-yet-validated");
    set(fields);
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("job-not-yet-validated");
  });

  test("on a channel that there is not, or a late one, without the loss of its token", () => {
    const { peer, pool, draft, grant, set, tokens, channel } = setting();
    const fields = customFields(draft());
    grant(fields);
    peer.send("SetCustomMiningJob", { channelId: 99, requestId: 1, miningJobToken: TOKEN, ...fields });
    expect(peer.next("SetCustomMiningJobError")).toMatchObject({ channelId: 99, errorCode: "invalid-channel-id" });
    pool.newBlock();
    channel.catchUp();
    set(fields);
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("stale-chain-tip");
    expect(tokens.size).toBe(1);
    pool.job = undefined;
    set(fields);
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("stale-chain-tip");
  });

  test("where there is no job declaration", () => {
    const pool = new TestPool();
    pool.newBlock();
    const peer = pool.connect({ requiresWorkSelection: true });
    const channel = peer.openExtended();
    expect(channel.jobId).toBe(-1);
    const fields = customFields({ ...(pool.job as Job).template, ntime: 0, outputs: [] });
    peer.send("SetCustomMiningJob", { channelId: channel.channelId, requestId: 1, miningJobToken: TOKEN, ...fields });
    expect(peer.next("SetCustomMiningJobError").errorCode).toBe("jd-not-supported");
  });
});

describe("a custom job that was taken", () => {
  const taken = (wish: Parameters<typeof setting>[0] = {}, draft: Partial<CustomDraft> = {}) => {
    const it = setting(wish);
    const fields = customFields(it.draft(draft));
    it.grant(fields);
    it.set(fields);
    const { jobId } = it.peer.next("SetCustomMiningJobSuccess");
    it.peer.nothing();
    return { ...it, fields, jobId };
  };

  test("takes shares as the client hashed them, and no others", () => {
    const it = taken({}, { merklePath: [new Uint8Array(32).fill(3)] });
    const { hash } = share(it, it.fields, it.jobId);
    expect(it.pool.credits).toMatchObject([{ userIdentity: "alice", jobId: it.jobId, chains: [] }]);
    expect(Buffer.from(it.pool.judged[0]?.hash ?? [])).toEqual(hash);
    share(it, it.fields, it.jobId);
    expect(it.pool.judged[1]?.errorCode).toBe("duplicate-share");
    share(it, it.fields, it.jobId + 1);
    expect(it.pool.judged[2]?.errorCode).toBe("invalid-job-id");
  });

  test("makes whole blocks of declared transactions, and headers and coinbases without them", () => {
    const atMost = (pool: TestPool): bigint => targetFromCompact((pool.job as Job).nBits);
    const full = taken({ declared: declaredOf, nBits: EASY_BITS });
    const won = share(full, full.fields, full.jobId, { atMost: atMost(full.pool) });
    const coinbase = customCoinbase(full.fields, whole(full.channel));
    const withWitness = customHalves(full.fields, whole(full.channel).length, new Uint8Array(32));
    const expected = Buffer.concat([withWitness.prefix, whole(full.channel), withWitness.suffix]);
    const block = Buffer.concat([won.header, Buffer.of(2), expected, Buffer.of(1, 2, 3)]);
    expect(full.pool.blocks).toMatchObject([{ reward: VALUE, finderReward: 0n, userIdentity: "alice" }]);
    expect(Buffer.from(full.pool.blocks[0]?.block ?? [])).toEqual(block);
    const alone = taken({ nBits: EASY_BITS });
    share(alone, alone.fields, alone.jobId, { atMost: atMost(alone.pool) });
    expect(alone.pool.blocks).toMatchObject([{ block: undefined, reward: VALUE, source: "custom" }]);
    expect(Buffer.from(alone.pool.blocks[0]?.coinbase ?? [])).toHaveLength(coinbase.length);
  });

  test("goes on when the pool's own job comes, and is stale with the next block", () => {
    const it = taken();
    it.pool.refresh();
    share(it, it.fields, it.jobId);
    expect(it.pool.judged.at(-1)?.errorCode).toBeUndefined();
    it.pool.newBlock();
    share(it, it.fields, it.jobId, { from: 1_000_000 });
    expect(it.pool.judged.at(-1)?.errorCode).toBe("stale-share");
  });

  test("that comes before the pool's own job on the same block is not made stale by it", () => {
    const it = setting();
    // The pool knows of the block, but this connection's turn to get the job has not come.
    const { job } = it.pool;
    const next = it.pool.job as Job;
    it.pool.peers.length = 0;
    const ahead = it.pool.newBlock();
    expect(job).toBe(next);
    const fields = customFields(it.draft());
    it.grant(fields);
    it.set(fields);
    const { jobId } = it.peer.next("SetCustomMiningJobSuccess");
    share(it, fields, jobId);
    while (it.peer.downstream.newJob(ahead));
    expect(it.peer.names()).toEqual(expect.arrayContaining(["NewExtendedMiningJob", "SetNewPrevHash"]));
    share(it, fields, jobId);
    expect(it.pool.judged.map(({ errorCode }) => errorCode)).toEqual([undefined, "duplicate-share"]);
    share(it, fields, jobId, { from: 1_000_000 });
    expect(it.pool.judged.at(-1)?.errorCode).toBeUndefined();
  });

  test("is not repeated when the target changes: the new one holds on the client's next job", () => {
    const it = taken();
    it.peer.send("UpdateChannel", {
      channelId: it.channel.channelId,
      nominalHashRate: 1000,
      maximumTarget: new Uint8Array(32).fill(0xff),
    });
    expect(it.peer.names()).toEqual(["SetTarget"]);
  });

  test("keeps the extranonce prefix of its time", () => {
    const it = taken();
    const before = whole(it.channel);
    expect(it.peer.downstream.changeExtranoncePrefix(it.channel.channelId)).toBe(true);
    const mined = customMine(it.fields, before, targetFromBytes(it.channel.target));
    const { nonce } = mined;
    const { minNtime: ntime, version } = it.fields;
    const extranonce = before.subarray(it.channel.extranoncePrefix.length);
    const { channelId } = it.channel;
    it.peer.send("SubmitSharesExtended", {
      channelId,
      sequenceNumber: 0,
      jobId: it.jobId,
      nonce,
      ntime,
      version,
      extranonce,
    });
    expect(it.pool.judged.at(-1)?.errorCode).toBeUndefined();
  });

  test("is told with its chains where extension 0x4d4d is in use", () => {
    const it = setting();
    it.peer.downstream.useExtensions(new Set([MERGE_MINING_TYPE]));
    const fields = customFields(it.draft());
    it.grant(fields);
    it.set(fields);
    const { jobId } = it.peer.next("SetCustomMiningJobSuccess");
    expect(it.peer.extended.map(({ msgType, payload }) => mergeMining.decode(msgType, payload))).toMatchObject([
      { name: "CustomJobChains", value: { channelId: it.channel.channelId, jobId, chains: [] } },
    ]);
  });

  test("any custom job hashes as the client does", () => {
    const draft = fc.record({
      script: fc.uint8Array({ minLength: 0, maxLength: 70 }),
      path: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 12 }),
      more: fc.array(fc.uint8Array({ minLength: 1, maxLength: 90 }), { maxLength: 4 }),
      split: fc.bigInt({ min: 0n, max: VALUE }),
      nonce: fc.nat(),
    });
    fc.assert(
      fc.property(draft, ({ script, path, more, split, nonce }) => {
        const it = setting();
        const outputs = [
          { value: VALUE - split, script: PAYOUT },
          ...more.map((each) => ({ value: 0n, script: each })),
          { value: split, script: PAYOUT },
        ];
        const fields = customFields(it.draft({ script, merklePath: path, outputs }));
        it.grant(fields);
        it.set(fields);
        const { jobId } = it.peer.next("SetCustomMiningJobSuccess");
        const { minNtime: ntime, version } = fields;
        const extranonce = seededRandom(nonce).bytes(it.channel.extranonceSize);
        const { channelId } = it.channel;
        it.peer.send("SubmitSharesExtended", {
          channelId,
          sequenceNumber: 0,
          jobId,
          nonce,
          ntime,
          version,
          extranonce,
        });
        const { hash } = customHeader(fields, concat(it.channel.extranoncePrefix, extranonce), { nonce });
        expect(Buffer.from(it.pool.hashed[0]?.hash ?? [])).toEqual(hash);
      }),
      { numRuns: 100 },
    );
  });
});
