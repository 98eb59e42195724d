/** `effort`: the work since each chain's last block, and how its luck was over a window of time. */

import { fromColumns } from "../store/amount.ts";
import type { LedgerDb } from "../store/schema.ts";
import { BITCOIN } from "../store/schema.ts";
import { NO_BLOCK } from "./block-value.ts";
import { optional, worthOf } from "./blocks.ts";
import { chainWork } from "./chain-work.ts";
import { type Chance, chanceOf } from "./luck.ts";
import { type SliceWork, WorkCurve } from "./work-curve.ts";

/** What is asked for. */
export interface EffortQuery {
  /** One chain; all when left out. */
  readonly chain?: string | undefined;
  readonly nowMs: number;
  /** The window begins here, wall time in ms; 30 days before `nowMs` when left out. */
  readonly sinceMs?: number | undefined;
  /** Hashes that a block takes now, by chain, where the asker knows; the last block's otherwise. */
  readonly difficulties?: ReadonlyMap<string, bigint> | undefined;
}

/** The luck of one chain; work in hashes, amounts in the chain's base unit. */
export interface ChainEffort {
  readonly chain: string;
  /** When the last block was found; `undefined` when none was. */
  readonly lastBlockMs: number | undefined;
  /** Work since then, or since the window began when there is no block. */
  readonly workSince: bigint;
  /** What a block takes now; `undefined` when nobody said and no block tells. */
  readonly difficulty: bigint | undefined;
  /** `workSince` over `difficulty`: 1 when as much was done as a block takes on average. */
  readonly effort: number | undefined;
  readonly window: WindowLuck;
}

/** Luck over the window. */
export interface WindowLuck {
  /** The window's begin; later than what was asked for when there were more blocks than are looked at. */
  readonly fromMs: number;
  readonly work: bigint;
  readonly found: number;
  /** How many blocks the work was worth, each round by the difficulty of the block that ended it. */
  readonly expected: number | undefined;
  /** `expected / found`: 1 is average, less is good. */
  readonly meanEffort: number | undefined;
  /** `found / expected`: 1 is average, more is good. */
  readonly luck: number | undefined;
  readonly chance: Chance | undefined;
  /** What the work was worth: `expected` blocks of the mean reward of those that were found, an estimate. */
  readonly expectedReward: bigint | undefined;
  /** What the blocks that were found were to pay when they were found, exact. */
  readonly foundReward: bigint;
  /** What they pay as far as their chain has said, exact; orphans pay nothing. */
  readonly actualReward: bigint;
}

const WINDOW_MS = 30 * 86_400_000;
/** Blocks of a chain that are looked at, the newest: more than one in 30 s for 30 days. */
const MAX_BLOCKS = 100_000;
/** Parts of a block that an estimate of rewards is counted in. */
const MILLIONTHS = 1_000_000;

/** The luck of every chain that has work or blocks, Bitcoin first, then by name. */
export async function effortReport(db: LedgerDb, query: EffortQuery): Promise<ChainEffort[]> {
  const { nowMs, difficulties } = query;
  const sinceMs = Math.min(query.sinceMs ?? nowMs - WINDOW_MS, nowMs);
  const last = await lastBlocks(db, query.chain);
  // A round that began before the window is counted from its begin.
  const fromMs = Math.min(sinceMs, ...[...last.values()].map(({ foundMs }) => foundMs));
  const work = await chainWork(db, fromMs);
  const chains = [...new Set([...work.chains, ...last.keys(), ...(difficulties?.keys() ?? [])])]
    .filter((chain) => query.chain === undefined || chain === query.chain)
    .sort((a, b) => Number(b === BITCOIN) - Number(a === BITCOIN) || (a < b ? -1 : 1));
  const report: ChainEffort[] = [];
  for (const chain of chains) {
    const slices = work.slicesOf(chain);
    const block = last.get(chain);
    const workSince = workBetween(slices, block?.foundMs ?? sinceMs, nowMs);
    const difficulty = difficulties?.get(chain) ?? block?.difficulty;
    report.push({
      chain,
      lastBlockMs: block?.foundMs,
      workSince,
      difficulty,
      effort: difficulty === undefined ? undefined : ratio(workSince, difficulty),
      window: await windowLuck(db, { chain, slices, sinceMs, nowMs, difficulty }),
    });
  }
  return report;
}

function workBetween(slices: readonly SliceWork[], fromMs: number, toMs: number): bigint {
  const curve = new WorkCurve(slices);
  const before = curve.upTo(fromMs);
  return curve.upTo(Math.max(fromMs, toMs)) - before;
}

interface LastBlock {
  readonly foundMs: number;
  readonly difficulty: bigint;
}

async function lastBlocks(db: LedgerDb, only: string | undefined): Promise<Map<string, LastBlock>> {
  let named = db.selectFrom("blocks").select("chain").distinct();
  if (only !== undefined) named = named.where("chain", "=", only);
  const last = new Map<string, LastBlock>();
  for (const { chain } of await named.execute()) {
    const row = await db
      .selectFrom("blocks")
      .select(["found_ms", "difficulty_hi", "difficulty_lo"])
      .where("chain", "=", chain)
      .where("state", "not in", [...NO_BLOCK])
      .orderBy("found_ms", "desc")
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) continue;
    last.set(chain, { foundMs: row.found_ms, difficulty: fromColumns(row.difficulty_hi, row.difficulty_lo) });
  }
  return last;
}

interface Window {
  readonly chain: string;
  readonly slices: readonly SliceWork[];
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly difficulty: bigint | undefined;
}

async function windowLuck(db: LedgerDb, { chain, slices, sinceMs, nowMs, difficulty }: Window): Promise<WindowLuck> {
  const rows = await db
    .selectFrom("blocks")
    .select(["found_ms", "state", "difficulty_hi", "difficulty_lo", "expected_hi", "expected_lo"])
    .select(["actual_hi", "actual_lo", "finder_paid_hi", "finder_paid_lo"])
    .where("chain", "=", chain)
    .where("state", "not in", [...NO_BLOCK])
    .where("found_ms", ">", sinceMs)
    .where("found_ms", "<=", nowMs)
    .orderBy("found_ms", "desc")
    .limit(MAX_BLOCKS + 1)
    .execute();
  // Of too many blocks the oldest one only marks where the window begins.
  const mark = rows.length > MAX_BLOCKS ? rows.pop() : undefined;
  const fromMs = mark?.found_ms ?? sinceMs;
  const blocks = rows.reverse();
  const curve = new WorkCurve(slices);
  const before = curve.upTo(fromMs);
  let counted = before;
  let expected = 0;
  for (const block of blocks) {
    const upTo = curve.upTo(block.found_ms);
    expected += ratio(upTo - counted, fromColumns(block.difficulty_hi, block.difficulty_lo));
    counted = upTo;
  }
  const end = curve.upTo(nowMs);
  if (difficulty !== undefined) expected += ratio(end - counted, difficulty);
  const found = blocks.length;
  const known = difficulty !== undefined && expected > 0;
  const amounts = blocks.map((block) => optional(block.expected_hi, block.expected_lo));
  const told = amounts.filter((amount) => amount !== undefined);
  const foundReward = sum(told);
  return {
    fromMs,
    work: end - before,
    found,
    expected: difficulty === undefined ? undefined : expected,
    meanEffort: known && found > 0 ? expected / found : undefined,
    luck: known ? found / expected : undefined,
    chance: known ? chanceOf(found, expected) : undefined,
    expectedReward: known && told.length > 0 ? timesMean(expected, foundReward, told.length) : undefined,
    foundReward,
    actualReward: sum(blocks.map((block) => (block.state === "orphaned" ? 0n : (worthOf(block) ?? 0n)))),
  };
}

/** `work / difficulty`, to 12 digits at least; 0 for a difficulty of 0. */
function ratio(work: bigint, difficulty: bigint): number {
  return difficulty === 0n ? 0 : Number((work * 10n ** 15n) / difficulty) / 1e15;
}

/** `count` times the mean of `total`, to the nearest unit. */
function timesMean(count: number, total: bigint, of: number): bigint {
  const whole = BigInt(of * MILLIONTHS);
  return (total * BigInt(Math.round(count * MILLIONTHS)) + whole / 2n) / whole;
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}
