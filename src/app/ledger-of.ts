/** Opens the ledger of a configuration for commands that only look. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../kernel/fault.ts";
import { type LedgerStore, migrate, sqliteStore } from "../ledger/store/open.ts";
import { openSqlite } from "../ledger/store/sqlite-session.ts";
import type { LoadedConfig } from "./config/load.ts";
import { absolute } from "./settings.ts";

/** Ms that a query waits for a server that writes. */
const BUSY_MS = 10_000;

/** Where the ledger of a configuration is: an absolute path. */
export function ledgerPath({ config, folder }: LoadedConfig): string {
  return join(absolute(config.stratum_v2.data_dir, folder), "ledger.sqlite");
}

/**
 * The ledger, open for reading; its owner closes it. Throws `Fault("report-no-ledger")` when there is none yet, `ledger-schema-*` when it is another version's,
 * and `report-unreadable` when the database cannot be read.
 */
export async function openLedgerForReading(loaded: LoadedConfig): Promise<LedgerStore> {
  const path = ledgerPath(loaded);
  if (!existsSync(path)) throw new Fault("report-no-ledger", { file: path });
  const store = sqliteStore(async () => openSqlite({ path, readOnly: true, busyMs: BUSY_MS }));
  try {
    await migrate(store, { lookOnly: true });
    return store;
  } catch (error) {
    await store.close().catch(() => undefined);
    if (error instanceof Fault) throw error;
    throw new Fault("report-unreadable", { file: path }, { cause: error });
  }
}
