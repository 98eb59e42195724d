/** Opens the ledger that a configuration names, for commands: they reach it themselves, so that they work while the server is down too. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type LedgerStore, migrate, postgresStore, sqliteStore } from "../ledger/store/open.ts";
import { openSqlite } from "../ledger/store/sqlite-session.ts";
import type { LoadedConfig } from "./config/load.ts";
import { absolute } from "./settings.ts";

/** The running server may be in the middle of a write. */
const BUSY_MS = 15_000;

/** The ledger, its schema up to date; the caller closes it. Throws what the database threw, or `Fault` `ledger-schema-*`. */
export async function openLedger({ config, folder }: LoadedConfig): Promise<LedgerStore> {
  const named = config.ledger.database;
  const isUrl = named !== undefined && /^postgres(ql)?:\/\//.test(named);
  const path = isUrl
    ? undefined
    : named === undefined
      ? join(absolute(config.stratum_v2.data_dir, folder), "ledger.sqlite")
      : absolute(named, folder);
  const store =
    path === undefined
      ? postgresStore({
          url: named ?? "",
          connections: 2,
          connectMs: BUSY_MS,
          statementMs: 4 * BUSY_MS,
          onError() {},
        })
      : sqliteStore(async () => openSqlite({ path, readOnly: false, busyMs: BUSY_MS }));
  try {
    // A ledger of an older version is brought up to date by the server, after its operator made a copy.
    await migrate(store, { lookOnly: path !== undefined && existsSync(path) });
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
