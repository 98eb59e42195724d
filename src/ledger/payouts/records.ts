/**
 * The rows of payouts. Each step is one transaction of the database and compares before it sets: of two runs that work on the same payout one
 * goes on and the other stops, whatever each of them believes.
 */
import type { Selectable } from "kysely";
import { Fault } from "../../kernel/fault.ts";
import { chunks } from "../books/pieces.ts";
import { fromColumns, toColumns } from "../store/amount.ts";
import type { LedgerDb, PayoutState, PayoutsTable } from "../store/schema.ts";
import type { WalletOutput } from "./wallet.ts";

/** Rows in one statement. */
const ROWS_AT_ONCE = 500;

/** A payout as it is in the database. */
export interface PayoutRecord {
  readonly id: number;
  readonly chain: string;
  readonly state: PayoutState;
  readonly createdMs: number;
  readonly stateMs: number;
  /** Base units, the fee not included. */
  readonly total: bigint;
  readonly fee: bigint | undefined;
  readonly txid: string | undefined;
  readonly rawTransaction: string | undefined;
  readonly note: string;
}

/** What one account is paid. */
export interface PayoutItem {
  readonly accountId: number;
  readonly address: string;
  readonly amount: bigint;
}

/** Payouts of a chain in these states, oldest first. */
export async function payoutsIn(db: LedgerDb, chain: string, states: readonly PayoutState[]): Promise<PayoutRecord[]> {
  const rows = await db
    .selectFrom("payouts")
    .selectAll()
    .where("chain", "=", chain)
    .where("state", "in", states)
    .orderBy("id")
    .execute();
  return rows.map(recordOf);
}

/** One payout of a chain. Throws `Fault("payout-unknown")`. */
export async function payoutOf(db: LedgerDb, chain: string, id: number): Promise<PayoutRecord> {
  const row = await db
    .selectFrom("payouts")
    .selectAll()
    .where("id", "=", id)
    .where("chain", "=", chain)
    .executeTakeFirst();
  if (row === undefined) throw new Fault("payout-unknown", { chain, payout: id });
  return recordOf(row);
}

/** Whether a transaction is that of another payout of the chain than `id`. */
export async function isOtherPayout(db: LedgerDb, chain: string, id: number, txid: string): Promise<boolean> {
  const other = await db
    .selectFrom("payouts")
    .select("id")
    .where("chain", "=", chain)
    .where("txid", "=", txid)
    .where("id", "<>", id)
    .executeTakeFirst();
  return other !== undefined;
}

/** What a payout pays, by account. */
export async function itemsOf(db: LedgerDb, payoutId: number): Promise<PayoutItem[]> {
  const rows = await db
    .selectFrom("payout_items")
    .selectAll()
    .where("payout_id", "=", payoutId)
    .orderBy("account_id")
    .execute();
  return rows.map(({ account_id, address, amount_hi, amount_lo }) => ({
    accountId: account_id,
    address,
    amount: fromColumns(amount_hi, amount_lo),
  }));
}

/** The outputs of items: one for each address, largest first, equal ones by address. */
export function outputsOf(items: readonly PayoutItem[]): WalletOutput[] {
  const sums = new Map<string, bigint>();
  for (const { address, amount } of items) sums.set(address, (sums.get(address) ?? 0n) + amount);
  return [...sums]
    .map(([address, amount]) => ({ address, amount }))
    .sort((a, b) => (a.amount === b.amount ? (a.address < b.address ? -1 : 1) : a.amount > b.amount ? -1 : 1));
}

/** Whether `id` is the only payout of its chain that is under way. */
export async function isAloneUnderWay(db: LedgerDb, chain: string, id: number): Promise<boolean> {
  const underWay = await payoutsIn(db, chain, ["prepared", "signed"]);
  return underWay.length === 1 && underWay[0]?.id === id;
}

/**
 * Takes the one place of a chain for a payout under way. Throws `Fault("payout-under-way")` when it is taken. The place is looked at again after it
 * was taken: a unique index knows more than the transaction sees, and by what was read PostgreSQL finds out that this transaction and one that posted
 * an earlier payout got in each other's way. Without that the balances that are read next could be older than that payout.
 */
export async function insertPayout(db: LedgerDb, chain: string, total: bigint, atMs: number): Promise<number> {
  const { hi, lo } = toColumns(total);
  const made = await db
    .insertInto("payouts")
    .values({
      chain,
      state: "prepared",
      created_ms: Math.round(atMs),
      state_ms: Math.round(atMs),
      total_hi: hi,
      total_lo: lo,
      fee_hi: null,
      fee_lo: null,
      txid: null,
      raw_transaction: null,
      note: "",
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning("id")
    .executeTakeFirst();
  if (made === undefined || !(await isAloneUnderWay(db, chain, made.id)))
    throw new Fault("payout-under-way", { chain });
  return made.id;
}

/** Writes what a payout pays. */
export async function insertItems(db: LedgerDb, payoutId: number, items: readonly PayoutItem[]): Promise<void> {
  const rows = items.map(({ accountId, address, amount }) => {
    const { hi, lo } = toColumns(amount);
    return { payout_id: payoutId, account_id: accountId, address, amount_hi: hi, amount_lo: lo };
  });
  for (const some of chunks(rows, ROWS_AT_ONCE)) await db.insertInto("payout_items").values(some).execute();
}

/** What a step sets beside the state. */
export interface PayoutChange {
  readonly fee?: bigint;
  readonly txid?: string;
  readonly rawTransaction?: string;
  readonly note?: string;
}

/** Moves a payout on if it is in one of the states `from`; returns whether it was. */
export async function movePayout(
  db: LedgerDb,
  id: number,
  from: readonly PayoutState[],
  to: PayoutState,
  atMs: number,
  change: PayoutChange = {},
): Promise<boolean> {
  const { fee, txid, rawTransaction, note } = change;
  const columns = fee === undefined ? undefined : toColumns(fee);
  const { numUpdatedRows } = await db
    .updateTable("payouts")
    .set({
      state: to,
      state_ms: Math.round(atMs),
      ...(columns === undefined ? {} : { fee_hi: columns.hi, fee_lo: columns.lo }),
      ...(txid === undefined ? {} : { txid }),
      ...(rawTransaction === undefined ? {} : { raw_transaction: rawTransaction }),
      ...(note === undefined ? {} : { note }),
    })
    .where("id", "=", id)
    .where("state", "in", from)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function recordOf(row: Selectable<PayoutsTable>): PayoutRecord {
  const { id, chain, state, created_ms, state_ms, total_hi, total_lo, fee_hi, fee_lo, txid, raw_transaction, note } =
    row;
  return {
    id,
    chain,
    state,
    createdMs: created_ms,
    stateMs: state_ms,
    total: fromColumns(total_hi, total_lo),
    fee: fee_hi === null || fee_lo === null ? undefined : fromColumns(fee_hi, fee_lo),
    txid: txid ?? undefined,
    rawTransaction: raw_transaction ?? undefined,
    note,
  };
}
