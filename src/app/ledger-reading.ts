/**
 * The ledger as reports read it: opened for each, for reading alone, beside whoever writes it. The server's own connection is not for this: a report may read
 * for seconds, and a found block must not wait for it.
 */
import { existsSync } from "node:fs";
import { Fault } from "../kernel/fault.ts";
import { openLedger } from "../ledger/store/address.ts";
import { type LedgerStore, migrate } from "../ledger/store/open.ts";
import { storeFault } from "../ledger/store/store-fault.ts";
import type { LoadedConfig } from "./config/load.ts";
import { SQLITE_CHILD } from "./parts.ts";
import { ledgerAddressOf } from "./settings.ts";
import { systemClock } from "./system.ts";

/** Options of `LedgerReader`. */
export interface LedgerReaderOptions {
  /** Ms that one statement may take; left out, what every reader of a ledger gives it. */
  readonly answerMs?: number;
}

/** Opens a ledger for one report after the other. */
export class LedgerReader {
  readonly #loaded: Pick<LoadedConfig, "config" | "folder">;
  readonly #options: LedgerReaderOptions;
  #turn: Promise<unknown> = Promise.resolve();

  /** Nothing is opened yet. */
  constructor(loaded: Pick<LoadedConfig, "config" | "folder">, options: LedgerReaderOptions = {}) {
    this.#loaded = loaded;
    this.#options = options;
  }

  /**
   * Runs `work` on the open ledger when all others before are done, and closes it again. Throws `Fault("report-no-ledger")` when there is no file,
   * and `Fault` `ledger-*` for one that cannot be read or is another version's.
   */
  run<T>(work: (store: LedgerStore) => Promise<T>): Promise<T> {
    const running = this.#turn.then(() => this.#read(work));
    this.#turn = running.catch(() => undefined);
    return running;
  }

  async #read<T>(work: (store: LedgerStore) => Promise<T>): Promise<T> {
    const address = ledgerAddressOf(this.#loaded);
    if (address.kind === "sqlite" && !existsSync(address.path))
      throw new Fault("report-no-ledger", { file: address.path });
    const store = openLedger(address, {
      ...this.#options,
      access: "read",
      create: false,
      script: SQLITE_CHILD,
      clock: systemClock,
      onLost() {},
    });
    try {
      await migrate(store, { lookOnly: true });
      return await work(store);
    } catch (error) {
      throw storeFault(error) ?? error;
    } finally {
      await store.close().catch(() => undefined);
    }
  }
}
