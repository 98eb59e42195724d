/**
 * A stretch of mining as a list of events, the same for Stratum V1 and V2: when a block comes, when the template changes, when which miner
 * finds a share, when its difficulty changes. Seeded, so each run of the bench counts the same day.
 */

import type { Random } from "../../../src/kernel/random.ts";
import type { TemplateCause } from "../../../src/mining/ports.ts";
import type { Template } from "../../../src/mining/template.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { benchTemplate } from "../shares.ts";
import { ourController } from "../vardiff.ts";

/** What a day is like. */
export interface DayWish {
  readonly hours: number;
  readonly miners: number;
  readonly sharesPerMinute: number;
  /** Seconds between two templates on one block. */
  readonly refreshS: number;
  readonly seed: number;
}

/** One thing that happens, `atMs` after the start. */
export type DayEvent =
  | { readonly kind: "job"; readonly atMs: number; readonly template: Template; readonly cause: TemplateCause }
  /** `late`: for the job before the newest block, found while that was on its way. */
  | { readonly kind: "share"; readonly atMs: number; readonly miner: number; readonly late: boolean }
  | { readonly kind: "retarget"; readonly atMs: number; readonly miner: number; readonly difficulty: number };

/** A day. */
export interface Day extends DayWish {
  readonly events: readonly DayEvent[];
  readonly first: Template;
  readonly shares: number;
  readonly late: number;
  readonly jobs: number;
  readonly retargets: number;
}

/** When it begins, ms since the Unix epoch; the templates' times go on from here. */
export const START_MS = 1_700_000_000_000;
/** The difficulty that miners begin with: some 16 hashes a share, so that shares are real and cost the bench nothing. */
export const FIRST_DIFFICULTY = 2 ** -28;
/** Where every hash is a share: vardiff cannot go lower. */
export const LEAST_DIFFICULTY = 2 ** -32;

const HOUR_MS = 3_600_000;
const BLOCKS_PER_HOUR = 6;
/** Of a miner's blocks in between, one in so many comes while a share is on its way: 18 late ones a day, 0.2 %. */
const BLOCKS_PER_LATE_SHARE = 8;
/** How long after a block a late share arrives. */
const LATE_MS = 300;
/** When the server looks at its first connection for the first time; then each second. */
const FIRST_TICK_MS = 100;
/** A block of some 2,500 to 4,096 transactions. */
const BRANCHES = 12;

/** Makes a day. */
export function makeDay(wish: DayWish): Day {
  const random = uniform(seededRandom(wish.seed));
  const bytes = seededRandom(wish.seed + 1);
  const first = templateAt(benchTemplate(BRANCHES), 0, bytes);
  const jobs = jobsOf(wish, first, random, bytes);
  const shares = Array.from({ length: wish.miners }, (_, miner) => sharesOf(wish, miner, random, jobs)).flat();
  const retargets = Array.from({ length: wish.miners }, (_, miner) => retargetsOf(wish, shares, miner)).flat();
  const events = [...jobs, ...shares, ...retargets].sort((a, b) => a.atMs - b.atMs);
  const late = shares.filter((share) => share.late).length;
  return { ...wish, events, first, shares: shares.length, late, jobs: jobs.length, retargets: retargets.length };
}

type JobEvent = Extract<DayEvent, { kind: "job" }>;
type ShareEvent = Extract<DayEvent, { kind: "share" }>;
type RetargetEvent = Extract<DayEvent, { kind: "retarget" }>;

/** Blocks come by chance; each begins the count to the next template anew, as in a pool. */
function jobsOf({ hours, refreshS }: DayWish, first: Template, random: () => number, bytes: Random): JobEvent[] {
  const jobs: JobEvent[] = [];
  let template = first;
  let blockMs = exponential(random, HOUR_MS / BLOCKS_PER_HOUR);
  for (let atMs = 0; ; ) {
    const refreshMs = atMs + refreshS * 1000;
    const cause: TemplateCause = blockMs < refreshMs ? "newBlock" : "refresh";
    atMs = Math.min(refreshMs, blockMs);
    if (atMs >= hours * HOUR_MS) return jobs;
    if (cause === "newBlock") {
      blockMs += exponential(random, HOUR_MS / BLOCKS_PER_HOUR);
      template = { ...template, prevHash: bytes.bytes(32), height: template.height + 1 };
    }
    template = templateAt(template, atMs, bytes);
    jobs.push({ kind: "job", atMs, template, cause });
  }
}

/** The mempool changed: other branches, other fees, a later time. */
function templateAt(template: Template, atMs: number, bytes: Random): Template {
  const time = Math.floor((START_MS + atMs) / 1000);
  return {
    ...template,
    id: `bench-${atMs}`,
    minTime: time - 3600,
    curTime: time,
    coinbaseValue: 312_500_000n + BigInt(new DataView(bytes.bytes(4).buffer).getUint32(0) % 20_000_000),
    merklePath: Array.from({ length: BRANCHES }, () => bytes.bytes(32)),
  };
}

/** A Poisson process of the wanted rate, which is what a well-adjusted difficulty makes of any hashrate. */
function sharesOf(wish: DayWish, miner: number, random: () => number, jobs: readonly JobEvent[]): ShareEvent[] {
  const shares: ShareEvent[] = [];
  const meanMs = 60_000 / wish.sharesPerMinute;
  // The first job is not there at once.
  for (let atMs = 1000; ; ) {
    atMs += exponential(random, meanMs);
    if (atMs >= wish.hours * HOUR_MS) break;
    shares.push({ kind: "share", atMs, miner, late: false });
  }
  for (const { atMs, cause } of jobs) {
    if (cause !== "newBlock" || random() >= 1 / BLOCKS_PER_LATE_SHARE) continue;
    shares.push({ kind: "share", atMs: atMs + LATE_MS, miner, late: true });
  }
  return shares;
}

/** What our vardiff makes of a miner's shares: now and then chance looks like another hashrate. */
function retargetsOf(wish: DayWish, shares: readonly ShareEvent[], miner: number): RetargetEvent[] {
  const controller = ourController(
    {
      hashrate: () => 0,
      nominal: 0,
      sharesPerMinute: wish.sharesPerMinute,
      durationMs: wish.hours * HOUR_MS,
      latencyMs: 0,
      minDifficulty: LEAST_DIFFICULTY,
    },
    FIRST_DIFFICULTY,
  );
  const retargets: RetargetEvent[] = [];
  let difficulty = FIRST_DIFFICULTY;
  let tickMs = FIRST_TICK_MS;
  const change = (atMs: number, to: number | undefined): void => {
    if (to === undefined) return;
    difficulty = to;
    retargets.push({ kind: "retarget", atMs, miner, difficulty });
  };
  const own = shares.filter((share) => share.miner === miner && !share.late).sort((a, b) => a.atMs - b.atMs);
  for (const { atMs } of own) {
    for (; tickMs <= atMs; tickMs += 1000) change(tickMs, controller.tick(tickMs));
    change(atMs, controller.share(difficulty, atMs));
  }
  return retargets;
}

function exponential(random: () => number, mean: number): number {
  return Math.max(1, Math.round(-Math.log(1 - random()) * mean));
}

/** Numbers from 0 to below 1. */
function uniform(random: Random): () => number {
  return () => new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32;
}
