/** Opens the ledger that a configuration names, for commands: they reach it themselves, so that they work while the server is down too. */
import type { LedgerAccess } from "../ledger/store/access.ts";
import { type LedgerAddress, ledgerAddress, openLedger } from "../ledger/store/address.ts";
import { migrate, sqliteStore } from "../ledger/store/open.ts";
import { openSqlite } from "../ledger/store/sqlite-session.ts";
import { storeFault } from "../ledger/store/store-fault.ts";
import { storeAccess } from "../ledger/store/transaction.ts";
import type { LoadedConfig } from "./config/load.ts";
import { absolute } from "./settings.ts";

/** The running server may be in the middle of a write, ms. */
const BUSY_MS = 15_000;
/** What holds an SQLite file open for a server, compiled. */
const SQLITE_CHILD = new URL("../ledger/store/sqlite-child.js", import.meta.url);

/** An open ledger; whoever opened it closes it. */
export interface OpenedLedger extends LedgerAccess {
  close(): Promise<void>;
}

/** How a ledger is opened. */
export interface LedgerOpening {
  /** Makes one that is not there, as the server's start does; otherwise it must be there and of this version. */
  readonly create: boolean;
  /** SQLite in a process of its own, for a server: its disk may take its time, and miners must not wait for it. */
  readonly apart: boolean;
}

/** The ledger. Throws `Fault` `ledger-*`. */
export async function ledgerOf(
  loaded: Pick<LoadedConfig, "config" | "folder">,
  { create, apart }: LedgerOpening,
): Promise<OpenedLedger> {
  const address = ledgerAddressOf(loaded);
  const store =
    address.kind === "sqlite" && !apart
      ? sqliteStore(async () => openSqlite({ path: address.path, access: "share", create, busyMs: BUSY_MS }))
      : openLedger(address, { access: "share", create, script: SQLITE_CHILD, onLost() {} });
  try {
    await migrate(store, { lookOnly: !create });
  } catch (error) {
    await store.close();
    throw storeFault(error) ?? error;
  }
  return { ...storeAccess(store), close: () => store.close() };
}

/** Where the ledger of a configuration is. Throws `Fault("ledger-address")`. */
export function ledgerAddressOf({ config, folder }: Pick<LoadedConfig, "config" | "folder">): LedgerAddress {
  const named = config.ledger.database;
  const database = named === undefined || /^[a-z]+:/i.test(named) ? named : absolute(named, folder);
  return ledgerAddress(database, absolute(config.stratum_v2.data_dir, folder));
}

/** A ledger that is opened for each piece of work and closed behind it, one after the other: for what comes up now and then in a server. */
export function occasionalLedger(loaded: Pick<LoadedConfig, "config" | "folder">): LedgerAccess {
  let turn: Promise<unknown> = Promise.resolve();
  const use = <T>(work: (ledger: LedgerAccess) => Promise<T>): Promise<T> => {
    const once = async (): Promise<T> => {
      const ledger = await ledgerOf(loaded, { create: true, apart: true });
      try {
        return await work(ledger);
      } finally {
        await ledger.close();
      }
    };
    const next = turn.then(once, once);
    turn = next.catch(() => undefined);
    return next;
  };
  return {
    run: (work) => use((ledger) => ledger.run(work)),
    transaction: (work) => use((ledger) => ledger.transaction(work)),
  };
}
