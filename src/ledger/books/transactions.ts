/** Transactions of the books: each is written once, as a whole, and sums up to 0. */
import { sql } from "kysely";
import { toColumns } from "../store/amount.ts";
import type { LedgerDb, TransactionKind } from "../store/schema.ts";
import { chunks } from "./pieces.ts";

/** What an account gets (plus) or gives (minus). */
export interface Posting {
  readonly accountId: number;
  readonly amount: bigint;
}

/** What names and dates a transaction. */
export interface TransactionHead {
  /** Names what it records, so that nothing is recorded twice. */
  readonly key: string;
  readonly chain: string;
  readonly kind: TransactionKind;
  readonly blockId: number | undefined;
  readonly payoutId: number | undefined;
  /** Wall time, ms. */
  readonly atMs: number;
}

/** A transaction to be written. */
export interface NewTransaction extends TransactionHead {
  /** Several of one account count as their sum; those of 0 are left out. */
  readonly postings: readonly Posting[];
}

/** Rows in one statement. */
const POSTINGS_AT_ONCE = 500;

/**
 * Writes a transaction; to be called in a transaction of the database. Returns whether it was written: not when its key is there already. Throws
 * `TypeError` when its postings do not sum up to 0.
 */
export async function post(db: LedgerDb, { postings, ...head }: NewTransaction): Promise<boolean> {
  const sum = postings.reduce((all, { amount }) => all + amount, 0n);
  if (sum !== 0n) throw new TypeError(`the postings of ${head.key} sum up to ${sum}`);
  const id = await begin(db, head);
  if (id === undefined) return false;
  for (const some of chunks(byAccount(postings), POSTINGS_AT_ONCE)) {
    await db
      .insertInto("postings")
      .values(
        some.map(({ accountId, amount }) => {
          const { hi, lo } = toColumns(amount);
          return { transaction_id: id, account_id: accountId, amount_hi: hi, amount_lo: lo };
        }),
      )
      .execute();
  }
  return true;
}

/**
 * Writes a transaction with the postings of another one, as they are or exactly negated; to be called in a transaction of the database. Returns
 * whether it was written. Throws `TypeError` when there is no transaction `of`.
 */
export async function postCopy(
  db: LedgerDb,
  head: TransactionHead,
  { of, negated }: { readonly of: string; readonly negated: boolean },
): Promise<boolean> {
  const origin = await db.selectFrom("transactions").select("id").where("key", "=", of).executeTakeFirst();
  if (origin === undefined) throw new TypeError(`there is no transaction ${of}`);
  const id = await begin(db, head);
  if (id === undefined) return false;
  const sign = sql.raw(negated ? "-" : "");
  await db
    .insertInto("postings")
    .columns(["transaction_id", "account_id", "amount_hi", "amount_lo"])
    .expression((from) =>
      from
        .selectFrom("postings")
        .select([
          sql<number>`cast(${id} as bigint)`.as("transaction_id"),
          "account_id",
          sql<bigint>`${sign} amount_hi`.as("amount_hi"),
          sql<bigint>`${sign} amount_lo`.as("amount_lo"),
        ])
        .where("transaction_id", "=", origin.id),
    )
    .execute();
  return true;
}

/** Whether a transaction of this key is written. */
export async function isPosted(db: LedgerDb, key: string): Promise<boolean> {
  return (await db.selectFrom("transactions").select("id").where("key", "=", key).executeTakeFirst()) !== undefined;
}

async function begin(db: LedgerDb, head: TransactionHead): Promise<number | undefined> {
  const { key, chain, kind, blockId, payoutId, atMs } = head;
  const row = await db
    .insertInto("transactions")
    .values({ key, chain, kind, block_id: blockId ?? null, payout_id: payoutId ?? null, at_ms: Math.round(atMs) })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .returning("id")
    .executeTakeFirst();
  return row?.id;
}

function byAccount(postings: readonly Posting[]): Posting[] {
  const sums = new Map<number, bigint>();
  for (const { accountId, amount } of postings) sums.set(accountId, (sums.get(accountId) ?? 0n) + amount);
  return [...sums].filter(([, amount]) => amount !== 0n).map(([accountId, amount]) => ({ accountId, amount }));
}
