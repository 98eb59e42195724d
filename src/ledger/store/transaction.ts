/**
 * One way of running transactions for all: each as if it were alone (serializable), and again when it was not.
 *
 * SQLite has one transaction at a time anyway. PostgreSQL runs them side by side and finds out afterwards that two got in each other's way, as often as
 * others commit: no number of tries is enough for one that always loses. So each takes a gate first, a lock that ends with it: together with all
 * others at first, alone once it has lost. PostgreSQL lets nobody past who waits for such a lock, so the loser runs as soon as those that were under way
 * are done, and nothing of ours comes between.
 */
import { sql } from "kysely";
import type { LedgerAccess } from "./access.ts";
import { STEP_TABLES, type StoreKind } from "./migrations.ts";
import type { LedgerStore } from "./open.ts";
import type { LedgerDb } from "./schema.ts";
import { storeFault } from "./store-fault.ts";

/** Times that a transaction is begun before a conflict is its caller's: from the second on only what takes no gate can cause one, a program that is not ours. */
const TRIES = 5;

/**
 * Runs `work` in a transaction, again when another one came between. Rejects with a `Fault` as `storeFault` makes it, or with the programming
 * error that `work` threw.
 */
export async function inTransaction<T>(
  { kind, db }: Pick<LedgerStore, "kind" | "db">,
  work: (db: LedgerDb) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const transaction = db.transaction().setIsolationLevel("serializable");
      return await transaction.execute(async (its) => {
        await takeGate(its, kind, attempt === 1 ? "row share" : "exclusive");
        return await work(its);
      });
    } catch (error) {
      const fault = storeFault(error);
      if (fault?.code !== "ledger-conflict" || attempt >= TRIES) throw fault ?? error;
    }
  }
}

/**
 * PostgreSQL's modes of a table lock: `row share` excludes `exclusive` only. The statement must be the first: unlike a query, an advisory lock's too, it
 * does not fix yet which commits the transaction sees. The table has one row that nobody touches; backups are not held up by either mode.
 */
async function takeGate(db: LedgerDb, kind: StoreKind, mode: "row share" | "exclusive"): Promise<void> {
  if (kind !== "postgres") return;
  await sql`lock table ${sql.table(STEP_TABLES.migrationLockTableName)} in ${sql.raw(mode)} mode`.execute(db);
}

/** Runs `work` on the database. Rejects as `inTransaction` does. */
export async function onDatabase<T>(db: LedgerDb, work: (db: LedgerDb) => Promise<T>): Promise<T> {
  try {
    return await work(db);
  } catch (error) {
    throw storeFault(error) ?? error;
  }
}

/** The access of a command to a ledger that it opened itself, without a server around it. */
export function storeAccess(store: LedgerStore): LedgerAccess {
  return { run: (work) => onDatabase(store.db, work), transaction: (work) => inTransaction(store, work) };
}
