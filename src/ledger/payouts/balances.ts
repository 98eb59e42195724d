/** What the books owe to everybody who can be paid, by query. */
import { exactSums, sumOf } from "../books/exact-sum.ts";
import type { LedgerDb } from "../store/schema.ts";
import type { Payee } from "./addresses.ts";

/** An account and what it is owed, in base units; negative when it was paid for what was orphaned later. */
export interface Balance extends Payee {
  readonly accountId: number;
  readonly amount: bigint;
}

/** Balances that are not 0 of a chain's workers, operator and beneficiaries, in the order of their accounts. */
export async function payableBalances(db: LedgerDb, chain: string): Promise<Balance[]> {
  const rows = await db
    .selectFrom("accounts")
    .innerJoin("postings", "postings.account_id", "accounts.id")
    .select(["accounts.id", "accounts.kind", "accounts.name"])
    .select(exactSums("postings.amount"))
    .where("accounts.chain", "=", chain)
    .where("accounts.kind", "in", ["worker", "operator", "beneficiary"])
    .groupBy(["accounts.id", "accounts.kind", "accounts.name"])
    .orderBy("accounts.id")
    .execute();
  return rows
    .map(({ id, kind, name, ...sums }) => ({
      accountId: id,
      kind: kind as Payee["kind"],
      name,
      amount: sumOf(sums),
    }))
    .filter(({ amount }) => amount !== 0n);
}
