/** Ledgers for tests: the same suites run on SQLite in memory and on a real PostgreSQL (`test/support/postgres.ts`). */
import { onTestFinished } from "vitest";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import { type LedgerStore, migrate, sqliteStore } from "../../src/ledger/store/open.ts";
import { openSqlite } from "../../src/ledger/store/sqlite-session.ts";

/** An empty ledger in memory, closed with the test. */
export async function memoryLedger(): Promise<LedgerStore> {
  const store = sqliteStore(async () => openSqlite({ path: ":memory:", readOnly: false, busyMs: 1000 }));
  onTestFinished(() => store.close());
  await migrate(store, { lookOnly: false });
  return store;
}

/** A ledger's database without a server around it. */
export function directAccess({ db }: LedgerStore): LedgerAccess {
  return { run: (work) => work(db), transaction: (work) => db.transaction().execute(work) };
}
