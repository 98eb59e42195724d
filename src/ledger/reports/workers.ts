/**
 * `workers`: who mines, how fast, for which pools, and what each is owed; by worker, or by account (the identity up to its first dot). Unless a chain or a
 * pool is asked for all work counts, whoever pays for it.
 */

import { type RawBuilder, sql } from "kysely";
import { Fault } from "../../kernel/fault.ts";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { StoreKind } from "../store/migrations.ts";
import type { LedgerDb } from "../store/schema.ts";
import { chainsOf } from "../store/work-sets.ts";
import { accountOf, type Owed, owedTo } from "./owed.ts";
import { pageLimit } from "./page.ts";
import { type PoolShare, poolsOfLedger, poolWork } from "./pool-work.ts";

/** What is asked for. */
export interface WorkersQuery {
  readonly nowMs: number;
  /** Work of slices that end after this wall time counts, ms; 24 h before `nowMs` when left out. */
  readonly sinceMs?: number | undefined;
  /** Work for this chain alone, by which its rewards are split. */
  readonly chain?: string | undefined;
  /** Work on this pool's jobs alone. */
  readonly pool?: string | undefined;
  /** One identity, or with `accounts` one account. */
  readonly worker?: string | undefined;
  /** Adds up the workers of each account. */
  readonly accounts?: boolean | undefined;
  readonly limit?: number | undefined;
  /** Entries that are passed over: `next` of the page before. */
  readonly after?: number | undefined;
}

/** One worker, or all of one account. */
export interface WorkerReport {
  /** The identity, or the account. */
  readonly name: string;
  /** How many workers these are: 1, or those of the account that had a share in the time. */
  readonly workers: number;
  readonly shares: number;
  /** Hashes that the shares stand for. */
  readonly work: bigint;
  /** How much of that was on jobs of other pools: they pay for it, and it has no part in blocks of ours. */
  readonly pools: readonly PoolShare[];
  /** Hashes a second over 10 minutes, an hour and a day up to now; a slice that began before counts with the part of its time that lies within. */
  readonly hashrate: { readonly minutes10: number; readonly hour: number; readonly day: number };
  /** When the last share came, ever, whatever chains it was for. */
  readonly lastShareMs: number;
  readonly owed: readonly Owed[];
}

/** A page of workers, those with most work first. */
export interface WorkersPage {
  readonly workers: readonly WorkerReport[];
  /** How many there are on all pages. */
  readonly total: number;
  /** Where the oldest slice that counts begins, wall time in ms; `undefined` when there is none. */
  readonly fromMs: number | undefined;
  /** `after` for the next page; `undefined` on the last. */
  readonly next: number | undefined;
}

const DAY_MS = 86_400_000;
const WINDOWS_MS = { minutes10: 600_000, hour: 3_600_000, day: DAY_MS } as const;
/** Entries that may be passed over. */
const MAX_AFTER = 10_000_000;

/**
 * Who mined since a time. Throws `Fault("report-query")` for a limit or `after` out of bounds and for a chain together with a pool, and
 * `Fault("report-pool-unknown")` for a pool that nobody worked for.
 */
export async function workersReport(db: LedgerDb, query: WorkersQuery, kind: StoreKind): Promise<WorkersPage> {
  const { nowMs, sinceMs = nowMs - DAY_MS, after = 0, accounts = false, chain, pool } = query;
  const limit = pageLimit(query.limit);
  if (!Number.isSafeInteger(after) || after < 0 || after > MAX_AFTER) throw new Fault("report-query", { after });
  const choice: Choice = {
    name: accounts ? accountOf("workers.identity", kind) : sql<string>`workers.identity`,
    sets: await setsOf(db, { chain, pool }),
  };
  const rows = await ranked(db, choice, { sinceMs, limit, after, worker: query.worker });
  const names = rows.map(({ name }) => name);
  const rates = await hashrates(db, choice, { names, nowMs });
  const pools = chain === undefined ? await poolsOfLedger(db) : new Map<number, string>();
  const wanted = new Map([...pools].filter(([, each]) => pool === undefined || each === pool));
  const forPools = await poolWork(db, wanted, { name: choice.name, names, sinceMs });
  const owed = await owedTo(db, { names, accounts, chain }, kind);
  const total = rows[0]?.total ?? 0;
  return {
    workers: rows.map((row) => ({
      name: row.name,
      workers: row.workers,
      shares: row.shares,
      work: sumIn(row, "work"),
      pools: forPools.get(row.name) ?? [],
      hashrate: rates.get(row.name) ?? { minutes10: 0, hour: 0, day: 0 },
      lastShareMs: row.last_share_ms,
      owed: owed.get(row.name) ?? [],
    })),
    total,
    fromMs: await oldestSlice(db, sinceMs),
    next: after + rows.length < total ? after + rows.length : undefined,
  };
}

/** What is counted, and under which names. */
interface Choice {
  readonly name: RawBuilder<string>;
  /** Ids of `chain_sets` that count; `undefined` for all. */
  readonly sets: readonly number[] | undefined;
}

interface Ranking {
  readonly sinceMs: number;
  readonly limit: number;
  readonly after: number;
  readonly worker: string | undefined;
}

/** A page of names by their work. Workers are added up before their names are looked at, which are few beside the credits. */
async function ranked(db: LedgerDb, { name, sets }: Choice, { sinceMs, limit, after, worker }: Ranking) {
  let each = db
    .selectFrom("slices")
    .innerJoin("credits", "credits.slice_id", "slices.id")
    .select(["credits.worker_id", sql<number>`sum(credits.shares)`.as("shares")])
    .select(exactSum("work", "credits.work"))
    .where("slices.end_ms", ">", sinceMs)
    .groupBy("credits.worker_id");
  if (sets !== undefined) each = each.where("credits.chain_set_id", "in", [...sets]);
  if (worker !== undefined) {
    const these = db.selectFrom("workers").select("workers.id").where(name, "=", worker);
    each = each.where("credits.worker_id", "in", these);
  }
  return await db
    .selectFrom(each.as("sums"))
    .innerJoin("workers", "workers.id", "sums.worker_id")
    .select([name.as("name"), sql<number>`sum(sums.shares)`.as("shares"), sql<number>`count(*)`.as("workers")])
    .select([
      sql<number>`max(workers.last_share_ms)`.as("last_share_ms"),
      sql<number>`count(*) over ()`.as("total"),
      // Halves of sums: adding up ten thousand of them is far from 64 bits.
      sql<bigint>`sum(sums.work_top_hi)`.as("work_top_hi"),
      sql<bigint>`sum(sums.work_bottom_hi)`.as("work_bottom_hi"),
      sql<bigint>`sum(sums.work_top_lo)`.as("work_top_lo"),
      sql<bigint>`sum(sums.work_bottom_lo)`.as("work_bottom_lo"),
    ])
    .groupBy(name)
    .orderBy(
      sql`${asDouble(sql`sum(sums.work_top_hi)`)} * 1e27 + ${asDouble(sql`sum(sums.work_bottom_hi)`)} * 1e18 + ${asDouble(sql`sum(sums.work_top_lo)`)} * 1e9 + ${asDouble(sql`sum(sums.work_bottom_lo)`)}`,
      "desc",
    )
    .orderBy(sql`min(workers.id)`)
    .limit(limit)
    .offset(after)
    .execute();
}

/** Hashes a second by name. */
async function hashrates(
  db: LedgerDb,
  { name, sets }: Choice,
  { names, nowMs }: { readonly names: readonly string[]; readonly nowMs: number },
): Promise<Map<string, WorkerReport["hashrate"]>> {
  if (names.length === 0) return new Map();
  const rate = (windowMs: number): RawBuilder<number> => {
    const work = sql`(${asDouble(sql`credits.work_hi`)} * 1e18 + ${asDouble(sql`credits.work_lo`)})`;
    return sql<number>`sum(${work} * ${partWithin(nowMs - windowMs)}) / ${asDouble(sql`${windowMs / 1000}`)}`;
  };
  let wanted = db
    .selectFrom("slices")
    // For SQLite this says in which order to search: without statistics it would read a year of credits for a day of slices.
    .crossJoin("credits")
    .whereRef("credits.slice_id", "=", "slices.id")
    .innerJoin("workers", "workers.id", "credits.worker_id")
    .select([name.as("name"), rate(WINDOWS_MS.minutes10).as("minutes10"), rate(WINDOWS_MS.hour).as("hour")])
    .select(rate(WINDOWS_MS.day).as("day"))
    .where("slices.end_ms", ">", nowMs - DAY_MS)
    .where(
      "credits.worker_id",
      "in",
      db
        .selectFrom("workers")
        .select("workers.id")
        .where(name, "in", [...names]),
    )
    .groupBy(name);
  if (sets !== undefined) wanted = wanted.where("credits.chain_set_id", "in", [...sets]);
  return new Map((await wanted.execute()).map(({ name: of, minutes10, hour, day }) => [of, { minutes10, hour, day }]));
}

/** Which part of a slice's time lies after a moment, 0 to 1. */
function partWithin(fromMs: number): RawBuilder<number> {
  const from = sql`cast(${fromMs} as bigint)`;
  const part = sql`${asDouble(sql`slices.end_ms - ${from}`)} / ${asDouble(sql`slices.end_ms - slices.start_ms`)}`;
  return sql`case when slices.start_ms >= ${from} then ${asDouble(sql`1`)} when slices.end_ms <= ${from} then ${asDouble(sql`0`)} else ${part} end`;
}

function asDouble(value: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`cast(${value} as double precision)`;
}

/** Ids of what counts for a chain, or for a pool; `undefined` for everything. */
async function setsOf(
  db: LedgerDb,
  { chain, pool }: Pick<WorkersQuery, "chain" | "pool">,
): Promise<number[] | undefined> {
  if (pool !== undefined) {
    if (chain !== undefined) throw new Fault("report-query", { chain: chain.slice(0, 40), pool: pool.slice(0, 60) });
    const pools = await poolsOfLedger(db);
    const ids = [...pools].filter(([, each]) => each === pool).map(([id]) => id);
    if (ids.length === 0) {
      const known = pools.size === 0 ? undefined : [...pools.values()].sort().join(", ").slice(0, 500);
      throw new Fault("report-pool-unknown", { pool: pool.slice(0, 60), known });
    }
    return ids;
  }
  if (chain === undefined) return undefined;
  const sets = await db.selectFrom("chain_sets").selectAll().execute();
  const ids = sets.filter(({ chains }) => chainsOf(chains).includes(chain)).map(({ id }) => id);
  // No set has ID 0; an empty list is no SQL.
  return ids.length === 0 ? [0] : ids;
}

async function oldestSlice(db: LedgerDb, sinceMs: number): Promise<number | undefined> {
  const { start } = await db
    .selectFrom("slices")
    .select((each) => each.fn.min<number | null>("start_ms").as("start"))
    .where("end_ms", ">", sinceMs)
    .executeTakeFirstOrThrow();
  return start ?? undefined;
}
