/**
 * What judging a share costs: the hot path of the server, from decoded message to verdict, and the whole intake with
 * credit, vardiff and batched acknowledgement. Jobs have 12 branches, as a block of 2,500 to 4,096 transactions has.
 */
import { targetOfDifficulty, targetToBytes } from "../../src/bitcoin/target.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import { Channel } from "../../src/mining/channel.ts";
import { Downstream } from "../../src/mining/downstream.ts";
import { type HashedShare, MINING_DEFAULTS } from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import { buildJob, type Job, JobIds } from "../../src/mining/job.ts";
import { prepared } from "../../src/mining/prepared-job.ts";
import { ShareJudge } from "../../src/mining/share.ts";
import type { Template } from "../../src/mining/template.ts";
import { mining } from "../../src/sv2/messages/mining.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { seededRandom } from "../support/seeded-random.ts";

/** One measured operation. */
export interface ShareRow {
  readonly name: string;
  /** Operations a second on one core. */
  readonly perSecond: number;
  readonly note: string;
}

const NOW_S = 1_700_000_000;
const MAX_TARGET = new Uint8Array(32).fill(0xff);

/** A template of difficulty 1 with `branches` siblings on its merkle path. */
export function benchTemplate(branches: number): Template {
  const random = seededRandom(branches);
  return {
    id: "bench",
    source: "bench",
    prevHash: random.bytes(32),
    height: 900_000,
    version: 0x20000000,
    nBits: 0x1d00ffff,
    target: 0xffffn << 208n,
    minTime: NOW_S,
    curTime: NOW_S,
    coinbaseValue: 312_500_000n,
    coinbase: {
      txVersion: 2,
      prefix: Uint8Array.of(3, 0xa0, 0xbb, 0x0d),
      sequence: 0xfffffffe,
      lockTime: 899_999,
      outputs: [{ value: 0n, script: random.bytes(38) }],
      witness: [new Uint8Array(32)],
    },
    merklePath: Array.from({ length: branches }, () => random.bytes(32)),
    transactions: undefined,
    transactionCount: 2 ** branches,
    coinbaseRoom: { bytes: 1000, sigops: 400 },
  };
}

/** A job of `benchTemplate` with the default tag's length and one payout. */
export function benchJob(branches: number, jobId = 1): Job {
  const payout = (value: bigint) => [{ value, script: new Uint8Array(22) }];
  const tag = utf8("/bllvm-stratum-v2/");
  return buildJob({ template: benchTemplate(branches), payout, tag, jobId, nowMs: NOW_S * 1000 });
}

/** The same as another pool's job; `difficulty` of the shares that the pool wants. */
export function benchPoolJob(branches: number, jobId: number, difficulty: number): Job {
  const target = targetToBytes(targetOfDifficulty(difficulty));
  const pool = Object.freeze({ pool: "bench", connection: 1, channelId: 1, jobId, target, difficulty });
  return Object.freeze({ ...benchJob(branches, jobId), pool });
}

/**
 * How often a second `operation` runs: the best of twenty slices, so that what else the machine does counts little.
 * `operation` gets a counter.
 */
export function rate(operation: (i: number) => void, sliceMs = 60): number {
  let i = 0;
  let best = 0;
  for (let slice = 0; slice < 25; slice++) {
    const first = i;
    const began = performance.now();
    let elapsed = 0;
    while (elapsed < sliceMs) {
      for (const end = i + 100; i < end; i++) operation(i);
      elapsed = performance.now() - began;
    }
    // The first slices warm the compiler up.
    if (slice >= 5) best = Math.max(best, ((i - first) * 1000) / elapsed);
  }
  return best;
}

function channelOf(kind: "standard" | "extended", capacity: number): Channel {
  const first = { target: 2n ** 256n - 1n, difficulty: 1 / 2 ** 32 };
  const extranonce = { extranoncePrefix: Uint8Array.of(0, 0, 0, 1), extranonceSize: 20, rollableBytes: 16 };
  const options = { channelId: 2, kind, userIdentity: "bench", ...extranonce };
  const claim = { nominalHashrate: 1, maxTarget: first.target, first, limits: { min: 1e-10, max: 1e-10 } };
  const acknowledgement = { batchSize: 10, maxDelayMs: 5000 };
  return new Channel({}, { ...options, ...claim, sharesPerMinute: 6, acknowledgement, duplicateCapacity: capacity });
}

function judging(kind: "standard" | "extended", branches: number): number {
  const channel = channelOf(kind, 65_536);
  const judge = new ShareJudge({}, { maxFutureS: 7200 });
  channel.activate(prepared(benchJob(branches)), { newTip: true, own: true });
  const extranonce = new Uint8Array(16);
  const view = new DataView(extranonce.buffer);
  let accepted = 0;
  const perSecond = rate((i) => {
    // As after a new block: an endless flood of accepted shares would only measure a full table.
    if (accepted >= 65_000) {
      channel.duplicates.clear();
      accepted = 0;
    }
    view.setUint32(0, i);
    const share = { jobId: 1, nonce: i >>> 0, ntime: NOW_S, version: 0x20000000 };
    const verdict = judge.judge(channel, kind === "standard" ? share : { ...share, extranonce }, NOW_S * 1000);
    if (verdict.errorCode === undefined) accepted += 1;
  });
  if (accepted === 0) throw new Error("the bench measures refusals");
  return perSecond;
}

/**
 * Shares a second from encoded message to answer. `jobOf` makes the jobs and `hashed` is told of every share, for a server that
 * merge-mines.
 */
export function intake(
  kind: "standard" | "extended",
  branches: number,
  jobOf: (jobId: number) => Job = (jobId) => benchJob(branches, jobId),
  hashed?: (share: HashedShare) => void,
): number {
  const clock = new FakeClock(NOW_S * 1000);
  const jobIds = new JobIds();
  let job = jobOf(jobIds.next());
  let accepted = 0;
  const downstream = new Downstream(
    {
      clock,
      send() {},
      extranonces: new ExtranonceAllocator({}, { serverId: 0, capacity: 16 }),
      authoriser: { authorise: () => ({ allowed: true }) },
      shares: {
        credit() {
          accepted += 1;
        },
      },
      blocks() {},
      log: silentLog,
      meter: silentMeter,
      currentJob: () => job,
      nextJobId: () => jobIds.next(),
      ...(hashed === undefined ? {} : { events: { hashed } }),
    },
    {
      ...MINING_DEFAULTS,
      minDifficulty: 1e-12,
      maxDifficulty: 1e-12,
      requiresStandardJobs: kind === "standard",
      requiresWorkSelection: false,
    },
  );
  const open = { requestId: 1, userIdentity: "bench", nominalHashRate: 0, maxTarget: MAX_TARGET };
  if (kind === "standard") downstream.receive({ name: "OpenStandardMiningChannel", value: open, tlv: undefined });
  else {
    const value = { ...open, minExtranonceSize: 8 };
    downstream.receive({ name: "OpenExtendedMiningChannel", value, tlv: undefined });
  }
  const extranonce = new Uint8Array(16);
  const view = new DataView(extranonce.buffer);
  const standardType = mining.row("SubmitSharesStandard").type;
  const extendedType = mining.row("SubmitSharesExtended").type;
  const perSecond = rate((i) => {
    if (i % 60_000 === 59_999) {
      const random = seededRandom(i);
      job = Object.freeze({ ...jobOf(jobIds.next()), prevHash: random.bytes(32) });
      downstream.newJob(job);
    }
    view.setUint32(0, i);
    const share = { channelId: 2, sequenceNumber: i, jobId: job.jobId, nonce: i, ntime: NOW_S, version: 0x20000000 };
    const message =
      kind === "standard"
        ? mining.decode(standardType, mining.encodePayload("SubmitSharesStandard", share))
        : mining.decode(extendedType, mining.encodePayload("SubmitSharesExtended", { ...share, extranonce }));
    downstream.receive(message);
    if (accepted !== i + 1) throw new Error("the bench measures refusals");
  });
  return perSecond;
}

/** All rows. */
export function shareRows(): ShareRow[] {
  const rows: ShareRow[] = [];
  for (const kind of ["standard", "extended"] as const) {
    for (const branches of kind === "standard" ? [12] : [0, 12]) {
      const note = `${branches} branches`;
      rows.push({ name: `judge a ${kind} share`, perSecond: judging(kind, branches), note });
    }
    rows.push({ name: `${kind} share, encode + decode + intake`, perSecond: intake(kind, 12), note: "12 branches" });
  }
  for (const [what, difficulty] of [
    ["too easy for it", 1],
    ["good enough for it", 1e-12],
  ] as const) {
    const perSecond = intake("standard", 12, (jobId) => benchPoolJob(12, jobId, difficulty));
    rows.push({ name: `standard share of another pool's job, ${what}`, perSecond, note: "12 branches" });
  }
  return rows;
}
