/** What the books owe to everybody who can be paid, by query. */
import { sql } from "kysely";
import { AMOUNT_UNIT } from "../store/amount.ts";
import type { LedgerDb } from "../store/schema.ts";
import type { Payee } from "./addresses.ts";

/** An account and what it is owed, in base units; negative when it was paid for what was orphaned later. */
export interface Balance extends Payee {
  readonly accountId: number;
  readonly amount: bigint;
}

/** A sum of ten lower columns may exceed 64 bits; sums of their halves do not before there are billions of postings. */
const HALF = 10n ** 9n;

/** Balances that are not 0 of a chain's workers, operator and beneficiaries, in the order of their accounts. */
export async function payableBalances(db: LedgerDb, chain: string): Promise<Balance[]> {
  const half = sql.lit(Number(HALF));
  const rows = await db
    .selectFrom("accounts")
    .innerJoin("postings", "postings.account_id", "accounts.id")
    .select(["accounts.id", "accounts.kind", "accounts.name"])
    .select([
      sql<bigint>`sum(postings.amount_hi)`.as("sum_hi"),
      sql<bigint>`sum(postings.amount_lo / ${half})`.as("upper_lo"),
      sql<bigint>`sum(postings.amount_lo % ${half})`.as("lower_lo"),
    ])
    .where("accounts.chain", "=", chain)
    .where("accounts.kind", "in", ["worker", "operator", "beneficiary"])
    .groupBy(["accounts.id", "accounts.kind", "accounts.name"])
    .orderBy("accounts.id")
    .execute();
  return rows
    .map(({ id, kind, name, sum_hi, upper_lo, lower_lo }) => ({
      accountId: id,
      kind: kind as Payee["kind"],
      name,
      amount: sum_hi * AMOUNT_UNIT + upper_lo * HALF + lower_lo,
    }))
    .filter(({ amount }) => amount !== 0n);
}
