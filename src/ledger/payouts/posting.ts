/** What a payout posted in the books, to be taken back when it is cancelled. */
import type { Posting } from "../books/transactions.ts";
import { fromColumns } from "../store/amount.ts";
import type { LedgerDb } from "../store/schema.ts";

/** All postings of a payout, those of later fees included and its reversal not. */
export async function postingsOf(db: LedgerDb, payoutId: number): Promise<Posting[]> {
  const rows = await db
    .selectFrom("postings")
    .innerJoin("transactions", "transactions.id", "postings.transaction_id")
    .select(["postings.account_id", "postings.amount_hi", "postings.amount_lo"])
    .where("transactions.payout_id", "=", payoutId)
    .where("transactions.kind", "=", "payout")
    .execute();
  return rows.map(({ account_id, amount_hi, amount_lo }) => ({
    accountId: account_id,
    amount: fromColumns(amount_hi, amount_lo),
  }));
}
