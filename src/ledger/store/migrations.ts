/**
 * The steps from an empty database to the schema of this version, each run once and in order. A step that was published is never
 * changed: another one is added behind it.
 */
import { type CreateTableBuilder, type Kysely, type Migration, sql } from "kysely";

/** The databases that the ledger runs on. */
export type StoreKind = "sqlite" | "postgres";

/** Where it is written down which steps a database went through: names of ours, for a database may have other programs' tables too. */
export const STEP_TABLES = {
  migrationTableName: "ledger_migration",
  migrationLockTableName: "ledger_migration_lock",
} as const;

/** All steps for a database, by name; their names are in the order in which they run. */
export function migrationsFor(kind: StoreKind): Record<string, Migration> {
  return { "0001-ledger": { up: (db) => ledger(db, kind) } };
}

async function ledger(db: Kysely<unknown>, kind: StoreKind): Promise<void> {
  const table = (name: string): CreateTableBuilder<string, never> => db.schema.createTable(name);
  const withId = (name: string): CreateTableBuilder<string, "id"> =>
    kind === "sqlite"
      ? db.schema.createTable(name).addColumn("id", "integer", (column) => column.primaryKey().notNull())
      : db.schema
          .createTable(name)
          .addColumn("id", "bigint", (column) => column.primaryKey().generatedByDefaultAsIdentity());
  await withId("workers")
    .addColumn("identity", "text", (column) => column.notNull().unique())
    .addColumn("first_share_ms", "bigint", (column) => column.notNull())
    .addColumn("last_share_ms", "bigint", (column) => column.notNull())
    .execute();
  await withId("chain_sets")
    .addColumn("chains", "text", (column) => column.notNull().unique())
    .execute();
  await withId("slices")
    .addColumn("server", "bigint", (column) => column.notNull())
    .addColumn("start_ms", "bigint", (column) => column.notNull())
    .addColumn("end_ms", "bigint", (column) => column.notNull())
    .addColumn("open", "bigint", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("slices_end").on("slices").columns(["end_ms", "id"]).execute();
  await table("credits")
    .addColumn("slice_id", "bigint", (column) => column.notNull().references("slices.id"))
    .addColumn("worker_id", "bigint", (column) => column.notNull().references("workers.id"))
    .addColumn("chain_set_id", "bigint", (column) => column.notNull().references("chain_sets.id"))
    .addColumn("work_hi", "bigint", (column) => column.notNull())
    .addColumn("work_lo", "bigint", (column) => column.notNull())
    .addColumn("shares", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("credits_key", ["slice_id", "worker_id", "chain_set_id"])
    .modifyEnd(withoutRowid(kind))
    .execute();
  await table("credit_batches")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .execute();
  await withId("blocks")
    .addColumn("chain", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull().unique())
    .addColumn("block_hash", "text", (column) => column.notNull())
    .addColumn("header_hash", "text", (column) => column.notNull())
    .addColumn("height", "bigint", (column) => column.notNull())
    .addColumn("worker_id", "bigint", (column) => column.references("workers.id"))
    .addColumn("finder", "text", (column) => column.notNull())
    .addColumn("found_ms", "bigint", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("state_ms", "bigint", (column) => column.notNull())
    .addColumn("note", "text", (column) => column.notNull())
    .addColumn("confirmations", "bigint", (column) => column.notNull())
    .addColumn("uncle", "bigint", (column) => column.notNull())
    .addColumn("difficulty_hi", "bigint", (column) => column.notNull())
    .addColumn("difficulty_lo", "bigint", (column) => column.notNull())
    .addColumn("expected_hi", "bigint")
    .addColumn("expected_lo", "bigint")
    .addColumn("actual_hi", "bigint")
    .addColumn("actual_lo", "bigint")
    .addColumn("finder_paid_hi", "bigint", (column) => column.notNull())
    .addColumn("finder_paid_lo", "bigint", (column) => column.notNull())
    .addColumn("finder_address", "text")
    .addColumn("gift", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("aux_work", "text")
    .addColumn("next_check_ms", "bigint")
    .execute();
  await db.schema.createIndex("blocks_chain_found").on("blocks").columns(["chain", "found_ms"]).execute();
  await db.schema.createIndex("blocks_next_check").on("blocks").columns(["next_check_ms"]).execute();
  await db.schema.createIndex("blocks_state").on("blocks").columns(["state"]).execute();
  await searchedBlocks(db);
  await withId("block_events")
    .addColumn("block_id", "bigint", (column) => column.notNull().references("blocks.id"))
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("note", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("block_events_block").on("block_events").columns(["block_id", "id"]).execute();
  await withId("accounts")
    .addColumn("chain", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addUniqueConstraint("accounts_name", ["chain", "kind", "name"])
    .execute();
  await withId("payouts")
    .addColumn("chain", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("created_ms", "bigint", (column) => column.notNull())
    .addColumn("state_ms", "bigint", (column) => column.notNull())
    .addColumn("total_hi", "bigint", (column) => column.notNull())
    .addColumn("total_lo", "bigint", (column) => column.notNull())
    .addColumn("fee_hi", "bigint")
    .addColumn("fee_lo", "bigint")
    .addColumn("txid", "text")
    .addColumn("raw_transaction", "text")
    .addColumn("note", "text", (column) => column.notNull())
    .execute();
  // One payout of a chain at a time is between its plan and its broadcast: two that run at once would pay twice.
  await sql`create unique index payouts_under_way on payouts (chain) where state in ('prepared', 'signed')`.execute(db);
  await withId("transactions")
    .addColumn("key", "text", (column) => column.notNull().unique())
    .addColumn("chain", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("block_id", "bigint", (column) => column.references("blocks.id"))
    .addColumn("payout_id", "bigint", (column) => column.references("payouts.id"))
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("transactions_block").on("transactions").columns(["block_id"]).execute();
  await db.schema.createIndex("transactions_at").on("transactions").columns(["chain", "at_ms"]).execute();
  await table("postings")
    .addColumn("transaction_id", "bigint", (column) => column.notNull().references("transactions.id"))
    .addColumn("account_id", "bigint", (column) => column.notNull().references("accounts.id"))
    .addColumn("amount_hi", "bigint", (column) => column.notNull())
    .addColumn("amount_lo", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("postings_key", ["transaction_id", "account_id"])
    .modifyEnd(withoutRowid(kind))
    .execute();
  await db.schema.createIndex("postings_account").on("postings").columns(["account_id"]).execute();
  await table("payout_addresses")
    .addColumn("chain", "text", (column) => column.notNull())
    .addColumn("payee", "text", (column) => column.notNull())
    .addColumn("address", "text", (column) => column.notNull())
    .addColumn("least_hi", "bigint")
    .addColumn("least_lo", "bigint")
    .addColumn("at_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("payout_addresses_key", ["chain", "payee"])
    .execute();
  await table("payout_items")
    .addColumn("payout_id", "bigint", (column) => column.notNull().references("payouts.id"))
    .addColumn("account_id", "bigint", (column) => column.notNull().references("accounts.id"))
    .addColumn("address", "text", (column) => column.notNull())
    .addColumn("amount_hi", "bigint", (column) => column.notNull())
    .addColumn("amount_lo", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("payout_items_key", ["payout_id", "account_id"])
    .execute();
}

/**
 * What reports and journals search blocks by. With 150,000 blocks in an SQLite file they take 34 MB; without them each such question reads the whole table, 40 to
 * 190 ms instead of a few (docs/benchmarks.md).
 */
async function searchedBlocks(db: Kysely<unknown>): Promise<void> {
  const blocks = (name: string, columns: string[]): Promise<void> =>
    db.schema.createIndex(name).on("blocks").columns(columns).execute();
  await blocks("blocks_found", ["found_ms", "id"]);
  await blocks("blocks_finder", ["finder", "found_ms"]);
  await blocks("blocks_header", ["header_hash"]);
  await blocks("blocks_hash", ["block_hash"]);
}

/** Rows that are their key take half the room so. */
function withoutRowid(kind: StoreKind) {
  return kind === "sqlite" ? sql`without rowid` : sql``;
}
