/** One way of running transactions for all: each as if it were alone (serializable), and again when it was not. */
import type { LedgerAccess } from "./access.ts";
import type { LedgerStore } from "./open.ts";
import type { LedgerDb } from "./schema.ts";
import { storeFault } from "./store-fault.ts";

/** Times that a transaction is begun before a conflict is its caller's. */
const TRIES = 5;

/**
 * Runs `work` in a transaction, again when another one came between. Rejects with a `Fault` as `storeFault` makes it, or with the programming
 * error that `work` threw. SQLite has one transaction at a time anyway; PostgreSQL finds out afterwards that two got in each other's way.
 */
export async function inTransaction<T>(db: LedgerDb, work: (db: LedgerDb) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().setIsolationLevel("serializable").execute(work);
    } catch (error) {
      const fault = storeFault(error);
      if (fault?.code !== "ledger-conflict" || attempt >= TRIES) throw fault ?? error;
    }
  }
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
export function storeAccess({ db }: LedgerStore): LedgerAccess {
  return { run: (work) => onDatabase(db, work), transaction: (work) => inTransaction(db, work) };
}
