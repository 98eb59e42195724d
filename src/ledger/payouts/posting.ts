/** The few postings that payouts make in the books. */
import { fromColumns, toColumns } from "../store/amount.ts";
import type { AccountKind, LedgerDb, TransactionKind } from "../store/schema.ts";

/** One line: the account gets (plus) or gives (minus), in base units. */
export interface Line {
  readonly accountId: number;
  readonly amount: bigint;
}

/** A transaction of the books. */
export interface Posting {
  /** Names what it records; a second one of the same key changes nothing. */
  readonly key: string;
  readonly chain: string;
  readonly kind: TransactionKind;
  readonly payoutId: number;
  readonly atMs: number;
  /** They sum up to 0; those of one account are joined. */
  readonly lines: readonly Line[];
}

/** The id of an account, which is made when it is not there. */
export async function accountIdOf(db: LedgerDb, chain: string, kind: AccountKind, name: string): Promise<number> {
  await db
    .insertInto("accounts")
    .values({ chain, kind, name })
    .onConflict((conflict) => conflict.columns(["chain", "kind", "name"]).doNothing())
    .execute();
  const { id } = await db
    .selectFrom("accounts")
    .select("id")
    .where("chain", "=", chain)
    .where("kind", "=", kind)
    .where("name", "=", name)
    .executeTakeFirstOrThrow();
  return id;
}

/** Writes it; returns whether it is new. Throws `TypeError` for lines that do not sum up to 0. Inside a transaction of the database. */
export async function post(db: LedgerDb, posting: Posting): Promise<boolean> {
  const { key, chain, kind, payoutId, atMs, lines } = posting;
  const sums = new Map<number, bigint>();
  for (const { accountId, amount } of lines) sums.set(accountId, (sums.get(accountId) ?? 0n) + amount);
  const rest = [...sums.values()].reduce((sum, amount) => sum + amount, 0n);
  if (rest !== 0n) throw new TypeError(`the lines of ${key} sum up to ${rest}`);
  const made = await db
    .insertInto("transactions")
    .values({ key, chain, kind, block_id: null, payout_id: payoutId, at_ms: atMs })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .returning("id")
    .executeTakeFirst();
  if (made === undefined) return false;
  for (const [accountId, amount] of sums) {
    if (amount === 0n) continue;
    const { hi, lo } = toColumns(amount);
    await db
      .insertInto("postings")
      .values({ transaction_id: made.id, account_id: accountId, amount_hi: hi, amount_lo: lo })
      .execute();
  }
  return true;
}

/** All lines of a payout, those of later fees included and its reversal not. */
export async function linesOf(db: LedgerDb, payoutId: number): Promise<Line[]> {
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
