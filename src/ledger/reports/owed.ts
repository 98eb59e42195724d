/** What workers, or accounts of workers, are owed on each chain: the balances of their accounts in the books. */
import { type RawBuilder, sql } from "kysely";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { StoreKind } from "../store/migrations.ts";
import type { LedgerDb } from "../store/schema.ts";

/** What is owed on one chain, in its base unit. */
export interface Owed {
  readonly chain: string;
  readonly amount: bigint;
}

/** Names of a page. */
export interface OwedQuery {
  readonly names: readonly string[];
  /** Whether they are accounts, each for all identities that begin with it and a dot. */
  readonly accounts: boolean;
  readonly chain: string | undefined;
}

/** Balances by name, chains in order of their names; names that no book knows are missing. */
export async function owedTo(db: LedgerDb, query: OwedQuery, kind: StoreKind): Promise<Map<string, Owed[]>> {
  const owed = new Map<string, Owed[]>();
  if (query.names.length === 0) return owed;
  const name = query.accounts ? accountOf("accounts.name", kind) : sql<string>`accounts.name`;
  let wanted = db
    .selectFrom("accounts")
    // For SQLite this says in which order to search: without statistics it would read all postings.
    .crossJoin("postings")
    .whereRef("postings.account_id", "=", "accounts.id")
    .select([name.as("name"), "accounts.chain"])
    .select(exactSum("owed", "postings.amount"))
    .where("accounts.kind", "=", "worker")
    .where(name, "in", [...query.names])
    .groupBy([name, "accounts.chain"]);
  if (query.chain !== undefined) wanted = wanted.where("accounts.chain", "=", query.chain);
  for (const row of await wanted.execute()) {
    const entry = { chain: row.chain, amount: sumIn(row, "owed") };
    owed.set(
      row.name,
      [...(owed.get(row.name) ?? []), entry].sort((a, b) => (a.chain < b.chain ? -1 : 1)),
    );
  }
  return owed;
}

/** The account of the identity in `column`: its text up to the first dot. The two databases have no function for it in common. */
export function accountOf(column: string, kind: StoreKind): RawBuilder<string> {
  const identity = sql.ref(column);
  return kind === "sqlite"
    ? sql<string>`substr(${identity}, 1, instr(${identity} || '.', '.') - 1)`
    : sql<string>`split_part(${identity}, '.', 1)`;
}
