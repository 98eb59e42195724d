/** Shares against SRI's vectors (test/vectors/sri-shares.json says where they come from), and the order of the checks. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { targetFromBytes, targetOfHashrate } from "../../../src/bitcoin/target.ts";
import { parseOutputs } from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, reversed, toDisplayHex, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { type ChannelJob, ChannelJobs } from "../../../src/mining/channel-jobs.ts";
import { DuplicateShares } from "../../../src/mining/duplicates.ts";
import { buildJob, jobCoinbase } from "../../../src/mining/job.ts";
import { prepared } from "../../../src/mining/prepared-job.ts";
import { type Share, type ShareChannel, ShareJudge } from "../../../src/mining/share.ts";
import type { Template } from "../../../src/mining/template.ts";

interface Vector {
  readonly test: string;
  readonly channel: {
    readonly kind: "standard" | "extended";
    readonly extranoncePrefix: string;
    readonly extranonceSize: number;
    readonly versionRollingAllowed: boolean;
    readonly nominalHashrate: number;
    readonly sharesPerMinute: number;
    readonly target: string;
  };
  readonly template: {
    readonly version: number;
    readonly coinbaseTxVersion: number;
    readonly coinbasePrefix: string;
    readonly coinbaseTxInputSequence: number;
    readonly coinbaseTxValueRemaining: string;
    readonly coinbaseTxOutputsCount: number;
    readonly coinbaseTxOutputs: string;
    readonly coinbaseTxLocktime: number;
    readonly merklePath: readonly string[];
  };
  readonly coinbaseOutputs: readonly { readonly value: string; readonly script: string }[];
  readonly tip: {
    readonly prevHash: string;
    readonly minNtime: number;
    readonly nbits: number;
    readonly target: string;
  };
  readonly coinbase: { readonly prefix: string; readonly suffix: string } & Readonly<Record<string, string>>;
  readonly shares: readonly {
    readonly share: Omit<Share, "extranonce"> & { readonly extranonce?: string };
    readonly verdict: string;
    readonly hash?: string;
    readonly header?: string;
  }[];
}

const { vectors } = JSON.parse(readFileSync("test/vectors/sri-shares.json", "utf8")) as {
  readonly vectors: readonly Vector[];
};

/** SRI's mask is BIP323's. */
const BIP323_MASK = 0x1fffffe0;

/** A target as the vectors write it, most significant byte first. */
const written = (target: string): Uint8Array => reversed(fromHex(target));

/** A channel and a job as SRI's test sets them up. */
function setUp(vector: Vector): { channel: ShareChannel; job: ChannelJob } {
  const { channel, template, tip } = vector;
  const count = Uint8Array.of(template.coinbaseTxOutputsCount);
  const outputs = parseOutputs(concat(count, fromHex(template.coinbaseTxOutputs)));
  const made: Template = {
    id: vector.test,
    source: "sri",
    prevHash: fromHex(tip.prevHash),
    height: 1,
    version: template.version,
    nBits: tip.nbits,
    target: targetFromBytes(written(tip.target)),
    minTime: tip.minNtime,
    curTime: tip.minNtime,
    coinbaseValue: BigInt(template.coinbaseTxValueRemaining),
    coinbase: {
      txVersion: template.coinbaseTxVersion,
      prefix: fromHex(template.coinbasePrefix),
      sequence: template.coinbaseTxInputSequence,
      lockTime: template.coinbaseTxLocktime,
      outputs,
      witness: [new Uint8Array(32)],
    },
    merklePath: template.merklePath.map(fromHex),
    transactions: undefined,
    transactionCount: 1,
    coinbaseRoom: { bytes: 1000, sigops: 400 },
  };
  const prefix = fromHex(channel.extranoncePrefix);
  const job = buildJob({
    template: made,
    payout: () =>
      vector.coinbaseOutputs.map(({ value, script }) => ({ value: BigInt(value), script: fromHex(script) })),
    tag: utf8("Sv2///"),
    jobId: 1,
    nowMs: tip.minNtime * 1000,
    versionRollingMask: channel.versionRollingAllowed ? BIP323_MASK : 0,
    extranonceSize: prefix.length + channel.extranonceSize,
  });
  const jobs = new ChannelJobs();
  const channelJob: ChannelJob = {
    prepared: prepared(job),
    target: written(channel.target),
    difficulty: 1,
    extranoncePrefix: prefix,
    minTime: tip.minNtime,
    stale: false,
    merkleRoot: undefined,
  };
  jobs.add(channelJob, true);
  const duplicates = new DuplicateShares({}, { capacity: 100 });
  return { channel: { jobs, duplicates, rollableSize: channel.extranonceSize }, job: channelJob };
}

function shareOf({ extranonce, ...rest }: Vector["shares"][number]["share"]): Share {
  return extranonce === undefined ? rest : { ...rest, extranonce: fromHex(extranonce) };
}

describe("SRI's share vectors", () => {
  test("there are extended and standard ones, accepted, refused and blocks", () => {
    expect(vectors.length).toBeGreaterThanOrEqual(15);
  });

  test.each(vectors.map((vector) => [`${vector.channel.kind} ${vector.test}`, vector] as const))(
    "%s",
    (_name, vector) => {
      const { channel, job } = setUp(vector);
      expect(toHex(job.prepared.job.coinbasePrefix)).toBe(vector.coinbase.prefix);
      expect(toHex(job.prepared.job.coinbaseSuffix)).toBe(vector.coinbase.suffix);
      // The clock stands at min_ntime, where SRI's bound of two hours is ours.
      const judge = new ShareJudge({}, { maxFutureS: 7200 });
      for (const { share, verdict, hash, header } of vector.shares) {
        const judged = judge.judge(channel, shareOf(share), vector.tip.minNtime * 1000);
        const accepted = verdict === "valid" || verdict === "block";
        expect(judged.errorCode).toBe(accepted ? undefined : verdict);
        // SRI looks at the block target only of shares that pass all else; ours is a block either way.
        const solves = hash !== undefined && BigInt(`0x${hash}`) <= BigInt(`0x${vector.tip.target}`);
        expect(judged.block).toBe(solves && verdict !== "duplicate-share");
        if (accepted) expect(solves).toBe(verdict === "block");
        if (header !== undefined) expect(toHex(judged.header)).toBe(header);
        if (hash !== undefined) expect(toDisplayHex(judged.hash)).toBe(hash);
      }
    },
  );

  test("the coinbase of a block is SRI's, with witness", () => {
    const blocks = vectors.filter(({ shares }) => shares.some(({ verdict }) => verdict === "block"));
    for (const vector of blocks) {
      const { job } = setUp(vector);
      const rolled = vector.shares[0]?.share.extranonce ?? "";
      const { withWitness } = jobCoinbase(job.prepared.job, fromHex(vector.channel.extranoncePrefix + rolled));
      const { prefixWithWitness, suffixWithWitness } = vector.coinbase;
      expect(toHex(withWitness)).toBe(
        `${prefixWithWitness}${vector.channel.extranoncePrefix}${rolled}${suffixWithWitness}`,
      );
    }
    expect(blocks.length).toBeGreaterThanOrEqual(2);
  });

  test("the target of a claimed hashrate is SRI's to one part in a thousand", () => {
    for (const { channel } of vectors) {
      if (/^f+$/.test(channel.target)) continue;
      const ours = targetOfHashrate(channel.nominalHashrate, channel.sharesPerMinute);
      const theirs = targetFromBytes(written(channel.target));
      // SRI puts one hash more into a share: (2^256 - 1 - n) / (n + 1) for n hashes.
      expect(Number(ours) / Number(theirs)).toBeGreaterThan(1 - 1e-9);
      expect(Number(ours) / Number(theirs)).toBeLessThan(1 + 1 / 59);
    }
  });
});

describe("the order of the checks", () => {
  const vector = vectors.find(({ test: name, channel }) => /valid_share$/.test(name) && channel.kind === "extended");
  if (vector === undefined) throw new Error("the vectors have no accepted share");
  const good = shareOf(vector.shares[0]!.share);
  const nowMs = vector.tip.minNtime * 1000;
  const judge = (change: (job: ChannelJob, channel: ShareChannel) => void, share: Partial<Share> = {}) => {
    const { channel, job } = setUp(vector);
    change(job, channel);
    const verdict = new ShareJudge({}, { maxFutureS: 7200 }).judge(channel, { ...good, ...share }, nowMs);
    return { errorCode: verdict.errorCode, block: verdict.block, hashed: verdict.hashed };
  };
  const easiest = new Uint8Array(32).fill(0xff);
  const bad: Partial<Share> = { extranonce: new Uint8Array(3), ntime: 1, version: 0 };
  const nothing = (): void => undefined;
  const stale = (job: ChannelJob): void => {
    job.stale = true;
  };

  test.each([
    ["an unknown job before anything else", nothing, { ...bad, jobId: 2 }, "invalid-job-id"],
    ["stale before the extranonce", stale, bad, "stale-share"],
    ["the extranonce before the time", nothing, bad, "bad-extranonce-size"],
    ["no extranonce at all", nothing, { extranonce: new Uint8Array(0) }, "bad-extranonce-size"],
    ["the time before the version", nothing, { ntime: 1, version: 0 }, "invalid-share"],
    ["the version before the hash", nothing, { version: 0 }, "invalid-non-rollable-version-bit"],
    ["the hash last", nothing, { nonce: 1 }, "difficulty-too-low"],
  ])("%s", (_what, change, share, errorCode) => {
    expect(judge(change, share).errorCode).toBe(errorCode);
  });

  test("a time of two hours ahead of our clock passes, a second more does not", () => {
    const easy = (job: ChannelJob): void => {
      job.target.set(easiest);
    };
    const ahead = vector.tip.minNtime + 7200;
    expect(judge(easy, { ntime: ahead }).errorCode).toBeUndefined();
    expect(judge(easy, { ntime: ahead + 1 }).errorCode).toBe("invalid-share");
  });

  test("a clock that was set back refuses nobody: the job's own time passes, and what miners add to it", () => {
    const { channel, job } = setUp(vector);
    job.target.set(easiest);
    const judging = new ShareJudge({}, { maxFutureS: 7200 });
    const { minTime } = job.prepared.job;
    const at = (ntime: number) => judging.judge(channel, { ...good, ntime }, nowMs - 2 * 86_400_000).errorCode;
    expect(at(minTime)).toBeUndefined();
    expect(at(minTime + 7200)).toBeUndefined();
    expect(at(minTime + 7201)).toBe("invalid-share");
  });

  test("a clock that was set back before a job was made refuses nobody either: what the job began with passes", () => {
    const { channel, job } = setUp(vector);
    job.target.set(easiest);
    const { minTime } = job.prepared.job;
    // SetNewPrevHash came with a time that the clock, right or wrong, had then.
    (job as { minTime: number }).minTime = minTime + 600;
    const judging = new ShareJudge({}, { maxFutureS: 7200 });
    const at = (ntime: number) => judging.judge(channel, { ...good, ntime }, nowMs).errorCode;
    expect(at(minTime)).toBeUndefined();
    expect(at(minTime - 1)).toBe("invalid-share");
  });

  /** A block target that the share meets. */
  const block = (job: ChannelJob): void => {
    job.prepared.bitcoinTarget.set(easiest);
  };
  test.each([
    [
      "stale",
      { nonce: 1 },
      (job: ChannelJob) => {
        block(job);
        stale(job);
      },
      "stale-share",
    ],
    ["with a forbidden version", { version: 0 }, block, "invalid-non-rollable-version-bit"],
    ["with a time too low", { ntime: 1 }, block, "invalid-share"],
    ["with a time too high", { ntime: 0xffffffff }, block, "invalid-share"],
  ])("a share that solves a block is one even if %s, and refused all the same", (_what, share, change, errorCode) => {
    expect(judge(change, share)).toEqual({ errorCode, block: true, hashed: true });
  });

  test("a share that solves a block counts even if its channel's target is harder", () => {
    const change = (job: ChannelJob): void => {
      block(job);
      job.target.fill(0);
    };
    expect(judge(change, { nonce: 1 })).toEqual({ errorCode: undefined, block: true, hashed: true });
  });

  test("no block without the right extranonce size or the job", () => {
    expect(judge(block, { extranonce: new Uint8Array(3) })).toMatchObject({ block: false, hashed: false });
    expect(judge(block, { jobId: 77 })).toMatchObject({ block: false, hashed: false });
  });

  test("a block that comes again is no block again, whatever refused it", () => {
    const { channel, job } = setUp(vector);
    block(job);
    const judging = new ShareJudge({}, { maxFutureS: 7200 });
    const seen = (share: Share) => {
      const { errorCode, block: found } = judging.judge(channel, share, nowMs);
      return { errorCode, found };
    };
    expect(seen(good)).toEqual({ errorCode: undefined, found: true });
    expect(seen(good)).toEqual({ errorCode: "duplicate-share", found: false });
    stale(job);
    expect(seen(good)).toEqual({ errorCode: "stale-share", found: false });
    expect(seen({ ...good, nonce: 5 })).toEqual({ errorCode: "stale-share", found: true });
    expect(seen({ ...good, nonce: 5 })).toEqual({ errorCode: "stale-share", found: false });
  });

  test("when no more shares are remembered a share is refused, but a block is handed over", () => {
    const full = (job: ChannelJob, channel: ShareChannel): void => {
      for (let i = 0; i < 100; i++) channel.duplicates.add(new Uint8Array(32).fill(i));
      job.target.set(easiest);
    };
    expect(judge(full)).toEqual({ errorCode: "invalid-share", block: false, hashed: true });
    const fullAndBlock = (job: ChannelJob, channel: ShareChannel): void => {
      full(job, channel);
      block(job);
    };
    expect(judge(fullAndBlock)).toEqual({
      errorCode: "invalid-share",
      block: true,
      hashed: true,
    });
  });

  test("the verdict is one object for all shares", () => {
    const { channel } = setUp(vector);
    const judging = new ShareJudge({}, { maxFutureS: 7200 });
    expect(judging.judge(channel, good, nowMs)).toBe(judging.judge(channel, { ...good, jobId: 9 }, nowMs));
  });
});
