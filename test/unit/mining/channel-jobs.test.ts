import { describe, expect, test } from "vitest";
import { type ChannelJob, ChannelJobs } from "../../../src/mining/channel-jobs.ts";
import { buildJob } from "../../../src/mining/job.ts";
import { PreparedJob } from "../../../src/mining/prepared-job.ts";
import { payout, START_S } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";

const template = makeTemplate({ height: 5, prevHash: new Uint8Array(32), transactions: 0 });

function job(jobId: number): ChannelJob {
  const parts = { template, payout, tag: new Uint8Array(0), nowMs: START_S * 1000 };
  return {
    prepared: new PreparedJob(buildJob({ ...parts, jobId })),
    target: new Uint8Array(32),
    difficulty: 1,
    extranoncePrefix: new Uint8Array(20),
    minTime: START_S,
    stale: false,
    merkleRoot: new Uint8Array(32),
  };
}

/** Jobs 1 to `count` on one previous block. */
function jobs(count: number): ChannelJobs {
  const kept = new ChannelJobs();
  for (let jobId = 1; jobId <= count; jobId++) kept.add(job(jobId), jobId === 1);
  return kept;
}

const ids = (kept: ChannelJobs): number[] => kept.all.map(({ prepared }) => prepared.job.jobId);

describe("ChannelJobs", () => {
  test("knows what it was given, the newest last", () => {
    const kept = jobs(3);
    expect(ids(kept)).toEqual([1, 2, 3]);
    expect(kept.newest).toBe(kept.find(3));
    expect(kept.find(4)).toBeUndefined();
    expect(new ChannelJobs().newest).toBeUndefined();
  });

  test("keeps 40 jobs at most and lets the oldest go", () => {
    expect(ids(jobs(41))).toEqual(Array.from({ length: 40 }, (_, i) => i + 2));
  });

  test("on another previous block all earlier jobs are stale, and the last eight of them are kept", () => {
    const kept = jobs(20);
    kept.add(job(21), true);
    expect(ids(kept)).toEqual([13, 14, 15, 16, 17, 18, 19, 20, 21]);
    expect(kept.all.filter(({ stale }) => !stale)).toEqual([kept.newest]);
    kept.add(job(22), true);
    expect(ids(kept)).toEqual([14, 15, 16, 17, 18, 19, 20, 21, 22]);
  });

  test("keeps the merkle roots of the two newest jobs", () => {
    expect(jobs(5).all.map(({ merkleRoot }) => merkleRoot !== undefined)).toEqual([false, false, false, true, true]);
  });
});
