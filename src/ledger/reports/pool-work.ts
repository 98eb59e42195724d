/** How much of their work workers, or accounts, did for other pools: what those pay is divided by it, outside of this program. */

import { type RawBuilder, sql } from "kysely";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { LedgerDb } from "../store/schema.ts";
import { poolOf } from "../store/work-sets.ts";

/** Work on the jobs of one pool. */
export interface PoolShare {
  /** As it is, or was, configured. */
  readonly pool: string;
  readonly shares: number;
  /** Hashes that the shares stand for. */
  readonly work: bigint;
}

/** Whose work. */
export interface PoolWorkQuery {
  /** What `names` are: a column or an expression over `workers`. */
  readonly name: RawBuilder<string>;
  readonly names: readonly string[];
  /** Work of slices that end after this wall time, ms. */
  readonly sinceMs: number;
}

/** Pools that any worker ever worked for, by the id of their `chain_sets` row. */
export async function poolsOfLedger(db: LedgerDb): Promise<Map<number, string>> {
  const sets = await db.selectFrom("chain_sets").selectAll().execute();
  const pools = new Map<number, string>();
  for (const { id, chains } of sets) {
    const pool = poolOf(chains);
    if (pool !== undefined) pools.set(id, pool);
  }
  return pools;
}

/** Work for `pools` by name, in order of the pools' names; names without any are missing. */
export async function poolWork(
  db: LedgerDb,
  pools: ReadonlyMap<number, string>,
  { name, names, sinceMs }: PoolWorkQuery,
): Promise<Map<string, PoolShare[]>> {
  const done = new Map<string, PoolShare[]>();
  if (pools.size === 0 || names.length === 0) return done;
  const these = db
    .selectFrom("workers")
    .select("workers.id")
    .where(name, "in", [...names]);
  const rows = await db
    .selectFrom("slices")
    // For SQLite this says in which order to search: without statistics it would read a year of credits for a day of slices.
    .crossJoin("credits")
    .whereRef("credits.slice_id", "=", "slices.id")
    .innerJoin("workers", "workers.id", "credits.worker_id")
    .select([name.as("name"), "credits.chain_set_id", sql<number>`sum(credits.shares)`.as("shares")])
    .select(exactSum("work", "credits.work"))
    .where("slices.end_ms", ">", sinceMs)
    .where("credits.worker_id", "in", these)
    .where("credits.chain_set_id", "in", [...pools.keys()])
    .groupBy([name, "credits.chain_set_id"])
    .execute();
  for (const row of rows) {
    const share = { pool: pools.get(row.chain_set_id) ?? "", shares: row.shares, work: sumIn(row, "work") };
    const others = done.get(row.name) ?? [];
    // Work on a pool's jobs, and on those that were declared to it with one set of chains or another.
    const same = others.find(({ pool }) => pool === share.pool);
    const sum =
      same === undefined ? share : { ...share, shares: same.shares + share.shares, work: same.work + share.work };
    done.set(
      row.name,
      [...others.filter((other) => other !== same), sum].sort((a, b) => (a.pool < b.pool ? -1 : 1)),
    );
  }
  return done;
}
