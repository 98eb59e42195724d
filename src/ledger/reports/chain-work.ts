/** The work that counts for each chain, slice by slice: read once, whatever is asked of it. Work for other pools counts for none. */

import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { LedgerDb } from "../store/schema.ts";
import { BITCOIN } from "../store/schema.ts";
import { chainsOf } from "../store/work-sets.ts";
import type { SliceWork } from "./work-curve.ts";

/** Slices by chain. */
export interface ChainWork {
  /** Chains that any credit ever counted for, Bitcoin included. */
  readonly chains: readonly string[];
  /** The chain's slices that end after the time asked for. */
  slicesOf(chain: string): readonly SliceWork[];
}

/** The work of all slices that end after `fromMs`. */
export async function chainWork(db: LedgerDb, fromMs: number): Promise<ChainWork> {
  const sets = new Map(
    (await db.selectFrom("chain_sets").selectAll().execute()).map(({ id, chains }) => [id, chainsOf(chains)]),
  );
  const rows = await db
    .selectFrom("slices")
    .innerJoin("credits", "credits.slice_id", "slices.id")
    .select(["slices.id", "slices.start_ms", "slices.end_ms", "credits.chain_set_id"])
    .select(exactSum("work", "credits.work"))
    .where("slices.end_ms", ">", fromMs)
    .groupBy(["slices.id", "slices.start_ms", "slices.end_ms", "credits.chain_set_id"])
    .execute();
  const slices = new Map<string, SliceWork[]>();
  for (const row of rows) {
    const slice = { startMs: row.start_ms, endMs: row.end_ms, work: sumIn(row, "work") };
    for (const chain of sets.get(row.chain_set_id) ?? []) {
      const known = slices.get(chain);
      if (known === undefined) slices.set(chain, [slice]);
      else known.push(slice);
    }
  }
  return {
    chains: [...new Set([BITCOIN, ...[...sets.values()].flat()])],
    slicesOf: (chain) => slices.get(chain) ?? [],
  };
}
