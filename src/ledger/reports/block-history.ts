/** `blocks <key or hash>`: everything that happened to a block, and who got most of it. */
import { Fault } from "../../kernel/fault.ts";
import { fromColumns } from "../store/amount.ts";
import type { AccountKind, BlockState, LedgerDb, TransactionKind } from "../store/schema.ts";
import { type BlockReport, blockReports, selectBlocks } from "./blocks.ts";

/** A change of a block's state. */
export interface BlockEventReport {
  readonly atMs: number;
  readonly state: BlockState;
  readonly note: string;
}

/** What one account got or gave. */
export interface PostingReport {
  readonly account: AccountKind;
  /** The worker's identity or the beneficiary's name; empty for the other kinds. */
  readonly name: string;
  readonly amount: bigint;
}

/** A transaction that split a block's reward up, or took that back. */
export interface SplitReport {
  readonly kind: TransactionKind;
  readonly atMs: number;
  /** How many accounts got or gave something. */
  readonly parts: number;
  /** Those that moved most, largest first. */
  readonly largest: readonly PostingReport[];
}

/** A block with its history. */
export interface BlockHistory {
  readonly block: BlockReport;
  readonly events: readonly BlockEventReport[];
  readonly splits: readonly SplitReport[];
}

/** Blocks that one hash names: a header may win every chain. */
const MAX_BLOCKS = 32;
/** The newest of each; a block has some five events and one transaction. */
const MAX_EVENTS = 200;
const MAX_SPLITS = 20;
const LARGEST = 20;

/**
 * The blocks with this key, hash, or Bitcoin header's hash: of several chains when one header won them. Throws `Fault("report-block-unknown")` when there
 * is none.
 */
export async function blockHistories(db: LedgerDb, name: string): Promise<BlockHistory[]> {
  const rows = await selectBlocks(db)
    .where((each) => each.or([each("key", "=", name), each("block_hash", "=", name), each("header_hash", "=", name)]))
    .orderBy("id")
    .limit(MAX_BLOCKS)
    .execute();
  if (rows.length === 0) throw new Fault("report-block-unknown", { block: name.slice(0, 100) });
  const histories: BlockHistory[] = [];
  for (const block of await blockReports(db, rows)) {
    histories.push({ block, events: await eventsOf(db, block.id), splits: await splitsOf(db, block.id) });
  }
  return histories;
}

async function eventsOf(db: LedgerDb, block: number): Promise<BlockEventReport[]> {
  const rows = await db
    .selectFrom("block_events")
    .select(["at_ms", "state", "note"])
    .where("block_id", "=", block)
    .orderBy("id", "desc")
    .limit(MAX_EVENTS)
    .execute();
  return rows.reverse().map(({ at_ms, state, note }) => ({ atMs: at_ms, state, note }));
}

async function splitsOf(db: LedgerDb, block: number): Promise<SplitReport[]> {
  const transactions = await db
    .selectFrom("transactions")
    .select(["id", "kind", "at_ms"])
    .where("block_id", "=", block)
    .orderBy("id", "desc")
    .limit(MAX_SPLITS)
    .execute();
  const splits: SplitReport[] = [];
  for (const { id, kind, at_ms } of transactions.reverse()) {
    const { parts } = await db
      .selectFrom("postings")
      .select((each) => each.fn.countAll<number>().as("parts"))
      .where("transaction_id", "=", id)
      .executeTakeFirstOrThrow();
    splits.push({ kind, atMs: at_ms, parts, largest: await largestOf(db, id) });
  }
  return splits;
}

async function largestOf(db: LedgerDb, transaction: number): Promise<PostingReport[]> {
  const rows = await db
    .selectFrom("postings")
    .innerJoin("accounts", "accounts.id", "postings.account_id")
    .select(["accounts.kind", "accounts.name", "postings.amount_hi", "postings.amount_lo"])
    .where("postings.transaction_id", "=", transaction)
    // Both columns have the sign of the whole, so the larger pair is the larger amount whichever way it went.
    .orderBy((each) => each.fn<bigint>("abs", ["postings.amount_hi"]), "desc")
    .orderBy((each) => each.fn<bigint>("abs", ["postings.amount_lo"]), "desc")
    .orderBy("accounts.id")
    .limit(LARGEST)
    .execute();
  return rows.map((row) => ({
    account: row.kind,
    name: row.name,
    amount: fromColumns(row.amount_hi, row.amount_lo),
  }));
}
