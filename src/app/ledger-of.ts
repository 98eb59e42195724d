/** Opens the ledger that a configuration names, for commands: they reach it themselves, so that they work while the server is down too. */
import type { LedgerAccess } from "../ledger/store/access.ts";
import { openLedger } from "../ledger/store/address.ts";
import { migrate, sqliteStore } from "../ledger/store/open.ts";
import { openSqlite } from "../ledger/store/sqlite-session.ts";
import { storeFault } from "../ledger/store/store-fault.ts";
import { storeAccess } from "../ledger/store/transaction.ts";
import type { LoadedConfig } from "./config/load.ts";
import { checkDataNetwork } from "./data-network.ts";
import { SQLITE_CHILD } from "./parts.ts";
import { absolute, ledgerAddressOf } from "./settings.ts";
import { systemClock } from "./system.ts";

/** The running server may be in the middle of a write, ms. */
const BUSY_MS = 15_000;

/** An open ledger; whoever opened it closes it. */
export interface OpenedLedger extends LedgerAccess {
  close(): Promise<void>;
}

/** How a ledger is opened. */
export interface LedgerOpening {
  /** Makes one that is not there, as the server's start does; otherwise it must be there and of this version. */
  readonly create: boolean;
}

/** The ledger. Throws `Fault` `ledger-*`, and `config-data-network` for a folder of another network. */
export async function ledgerOf(
  loaded: Pick<LoadedConfig, "config" | "folder">,
  { create }: LedgerOpening,
): Promise<OpenedLedger> {
  const { config, folder } = loaded;
  await checkDataNetwork(absolute(config.stratum_v2.data_dir, folder), config.bitcoin.network);
  const address = ledgerAddressOf(loaded);
  const store =
    address.kind === "sqlite"
      ? sqliteStore(async () => openSqlite({ path: address.path, access: "share", create, busyMs: BUSY_MS }))
      : openLedger(address, { access: "share", create, script: SQLITE_CHILD, clock: systemClock, onLost() {} });
  try {
    await migrate(store, { lookOnly: !create });
  } catch (error) {
    await store.close();
    throw storeFault(error) ?? error;
  }
  return { ...storeAccess(store), close: () => store.close() };
}
