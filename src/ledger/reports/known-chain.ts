/** Whether the ledger has anything of a chain, so that a misspelt name is not answered with nothing at all. */
import type { LedgerDb } from "../store/schema.ts";
import { chainsOf } from "../store/work-sets.ts";

/** Whether there are blocks, accounts or credited work of a chain, which may have left the configuration long ago. */
export async function isChainOfLedger(db: LedgerDb, chain: string): Promise<boolean> {
  for (const table of ["blocks", "accounts"] as const) {
    const row = await db.selectFrom(table).select("id").where("chain", "=", chain).limit(1).executeTakeFirst();
    if (row !== undefined) return true;
  }
  const sets = await db.selectFrom("chain_sets").select("chains").execute();
  return sets.some(({ chains }) => chainsOf(chains).includes(chain));
}
