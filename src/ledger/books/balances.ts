/** What accounts have, read in pages: the sum of their postings, never a figure of its own that could drift away from them. */

import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { AccountKind, LedgerDb } from "../store/schema.ts";

/** An account and what it has. */
export interface Balance {
  readonly accountId: number;
  readonly chain: string;
  readonly kind: AccountKind;
  readonly name: string;
  /** In the chain's base unit. Of a worker: what he is owed, or owes when it is below 0. */
  readonly amount: bigint;
}

/** Which balances. */
export interface BalanceQuery {
  /** `undefined` for all chains. */
  readonly chain: string | undefined;
  readonly kinds: readonly AccountKind[];
  /** `accountId` of the last one of the page before; 0 for the first page. */
  readonly after: number;
  /** Accounts in a page. */
  readonly limit: number;
}

/** Accounts that somebody is to be paid from. */
export const OWED: readonly AccountKind[] = ["worker", "operator", "beneficiary"];

/** A page of balances by ascending account id, those of 0 too; fewer than `limit` in the last one. */
export async function balancesOf(db: LedgerDb, { chain, kinds, after, limit }: BalanceQuery): Promise<Balance[]> {
  let page = db.selectFrom("accounts").selectAll().where("id", ">", after).where("kind", "in", kinds);
  if (chain !== undefined) page = page.where("chain", "=", chain);
  const accounts = await page.orderBy("id").limit(limit).execute();
  if (accounts.length === 0) return [];
  const sums = await db
    .selectFrom("postings")
    .select(["account_id", ...exactSum("sum", "amount")])
    .where(
      "account_id",
      "in",
      accounts.map(({ id }) => id),
    )
    .groupBy("account_id")
    .execute();
  const amounts = new Map(sums.map((row) => [row.account_id, sumIn(row, "sum")]));
  return accounts.map(({ id, ...account }) => ({ accountId: id, ...account, amount: amounts.get(id) ?? 0n }));
}
