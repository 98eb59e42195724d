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

/** Reports that may wait for the one that reads: whoever asked for more has mostly gone before he is answered. */
const MAX_WAITING = 16;

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
  #unfinished = 0;

  /** Nothing is opened yet. */
  constructor(loaded: Pick<LoadedConfig, "config" | "folder">, options: LedgerReaderOptions = {}) {
    this.#loaded = loaded;
    this.#options = options;
  }

  /**
   * Runs `work` on the open ledger when all others before are done, and closes it again. Throws `Fault("report-no-ledger")` when there is no file,
   * and `Fault` `ledger-*` for one that cannot be read or is another version's; `ledger-overloaded` at once when too many wait.
   */
  async run<T>(work: (store: LedgerStore) => Promise<T>): Promise<T> {
    if (this.#unfinished > MAX_WAITING) throw new Fault("ledger-overloaded", { waiting: MAX_WAITING });
    this.#unfinished += 1;
    const running = this.#turn.then(() => this.#read(work));
    this.#turn = running.catch(() => undefined);
    try {
      return await running;
    } finally {
      this.#unfinished -= 1;
    }
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
