/** Opens the ledger that a configuration names, for commands: they reach it themselves, so that they work while the server is down too. */
import type { LedgerAccess } from "../ledger/store/access.ts";
import { ledgerAddress } from "../ledger/store/address.ts";
import { migrate, postgresStore, sqliteStore } from "../ledger/store/open.ts";
import { openSqlite } from "../ledger/store/sqlite-session.ts";
import { storeFault } from "../ledger/store/store-fault.ts";
import { storeAccess } from "../ledger/store/transaction.ts";
import type { LoadedConfig } from "./config/load.ts";
import { absolute } from "./settings.ts";

/** The running server may be in the middle of a write, ms. */
const BUSY_MS = 15_000;
const CONNECT_MS = 5000;
const STATEMENT_MS = 60_000;

/** An open ledger; whoever opened it closes it. */
export interface OpenedLedger extends LedgerAccess {
  close(): Promise<void>;
}

/**
 * The ledger. With `create` one that is not there is made, as the server's start does; otherwise it must be there and of this version. Throws
 * `Fault` `ledger-*`.
 */
export async function ledgerOf(
  { config, folder }: LoadedConfig,
  { create }: { readonly create: boolean },
): Promise<OpenedLedger> {
  const named = config.ledger.database;
  const database = named === undefined || /^[a-z]+:/i.test(named) ? named : absolute(named, folder);
  const address = ledgerAddress(database, absolute(config.stratum_v2.data_dir, folder));
  const store =
    address.kind === "sqlite"
      ? sqliteStore(async () => openSqlite({ path: address.path, access: "share", create, busyMs: BUSY_MS }))
      : postgresStore({
          url: address.url,
          connections: 2,
          connectMs: CONNECT_MS,
          statementMs: STATEMENT_MS,
          readOnly: false,
          onError() {},
        });
  try {
    await migrate(store, { lookOnly: !create });
  } catch (error) {
    await store.close();
    throw storeFault(error) ?? error;
  }
  return { ...storeAccess(store), close: () => store.close() };
}
