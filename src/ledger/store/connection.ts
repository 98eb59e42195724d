/**
 * The server's connection to its ledger. A database that is away, full or damaged is said once, in words, and opened again and again in the
 * background: mining goes on meanwhile. Only what an operator must decide (a newer schema, a second server on the file) stops a start.
 */
import { type Clock, sleep, type Timer } from "../../kernel/clock.ts";
import { describe, Fault, type FaultCode } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { LedgerAccess } from "./access.ts";
import { type LedgerStore, migrate } from "./open.ts";
import type { LedgerDb } from "./schema.ts";
import { storeFault } from "./store-fault.ts";
import { inTransaction, onDatabase } from "./transaction.ts";

/** What a connection needs. */
export interface LedgerConnectionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Makes a store; nothing is opened yet. See `address.ts`. */
  readonly open: (how: StoreOpening) => LedgerStore;
}

/** How the store is to be opened. */
export interface StoreOpening {
  /** Whether a missing database is made: not any more once there was one, since an empty ledger in its place would hide its loss. */
  readonly create: boolean;
  /** Told when the database goes away while nobody uses it. */
  readonly onLost: (error: Error) => void;
}

/** When the database is opened again. */
export interface LedgerConnectionOptions {
  /** Ms to the first attempt after a failure; twice as long each time … */
  readonly firstRetryMs: number;
  /** … up to this. */
  readonly mostRetryMs: number;
  /** A database that stayed open for so long begins anew with `firstRetryMs`. */
  readonly steadyMs: number;
  /** `start` waits so long for the first opening, which then goes on in the background. */
  readonly startMs: number;
}

/** From half a second to half a minute. */
export const LEDGER_CONNECTION_DEFAULTS: LedgerConnectionOptions = {
  firstRetryMs: 500,
  mostRetryMs: 30_000,
  steadyMs: 60_000,
  startMs: 10_000,
};

/** How it stands, for displays. */
export interface LedgerStatus {
  readonly open: boolean;
  /** Since when, ms since the Unix epoch; before the start 0. */
  readonly sinceMs: number;
  /** Why it is not open, or what keeps an open one from being written; `undefined` when all is well. */
  readonly fault: Fault | undefined;
}

/** The operator must act before a server may start on this ledger. */
const STOPS_START: ReadonlySet<FaultCode> = new Set(["ledger-schema-newer", "ledger-in-use", "ledger-address"]);

/** The connection itself is of no use any more. */
const LOST: ReadonlySet<FaultCode> = new Set([
  "ledger-cannot-open",
  "ledger-corrupt",
  "ledger-credentials",
  "ledger-disk-failed",
  "ledger-moved",
  "ledger-not-open",
  "ledger-process-ended",
  "ledger-unreachable",
]);

/** The connection is fine, but nothing can be written until somebody does something. */
const STANDING: ReadonlySet<FaultCode> = new Set(["ledger-disk-full", "ledger-locked", "ledger-read-only"]);

/** The ledger of a server. */
export class LedgerConnection implements Part, LedgerAccess {
  readonly name = "ledger";
  readonly #deps: LedgerConnectionDeps;
  readonly #options: LedgerConnectionOptions;
  #store: LedgerStore | undefined;
  #fault: Fault | undefined;
  /** The trouble that the log speaks of until something was written again, and whether it said that the database is open again. */
  #said: { readonly code: FaultCode; openAgain: boolean } | undefined;
  #sinceMs = 0;
  #openedAtMs = 0;
  #failures = 0;
  #create = true;
  #stopped = true;
  /** While `start` waits: it throws by itself what an operator must settle. */
  #isStarting = false;
  #retry: Timer | undefined;
  #attempt: Promise<void> = Promise.resolve();
  #running = 0;
  #idle: (() => void) | undefined;

  constructor(deps: LedgerConnectionDeps, options: LedgerConnectionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** How it stands now. */
  status(): LedgerStatus {
    return { open: this.#store !== undefined, sinceMs: this.#sinceMs, fault: this.#fault };
  }

  /**
   * Opens the database and brings it up to date. Resolves also when that failed and is tried again; throws what the operator
   * must settle first: `ledger-schema-newer`, `ledger-in-use`, `ledger-address`.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    this.#stopped = false;
    this.#isStarting = true;
    this.#sinceMs = clock.nowMs();
    this.#deps.meter.gauge("ledger_up", 0);
    const giveUp = new AbortController();
    const onAbort = (): void => giveUp.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      this.#attempt = this.#open();
      const late = sleep(clock, this.#options.startMs, giveUp.signal).then(() => "late" as const);
      late.catch(() => {});
      if ((await Promise.race([this.#attempt, late])) === "late") {
        log.warn("the ledger takes long to open; mining begins without it and it is opened in the background");
      }
      if (this.#fault !== undefined && STOPS_START.has(this.#fault.code)) throw this.#fault;
    } catch (error) {
      // An attempt that still runs closes by itself what it opened; nobody waits for a disk that hangs.
      this.#stopped = true;
      this.#retry?.cancel();
      throw error;
    } finally {
      this.#isStarting = false;
      signal.removeEventListener("abort", onAbort);
      giveUp.abort();
    }
  }

  /** Lets what runs come to its end, then closes the database. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    const store = this.#store;
    this.#leave(undefined);
    await store?.close();
    await this.#attempt;
  }

  run<T>(work: (db: LedgerDb) => Promise<T>): Promise<T> {
    return this.#use(({ db }) => onDatabase(db, work));
  }

  async transaction<T>(work: (db: LedgerDb) => Promise<T>): Promise<T> {
    const result = await this.#use((store) => inTransaction(store, work));
    this.#writes();
    return result;
  }

  async #use<T>(work: (store: LedgerStore) => Promise<T>): Promise<T> {
    const store = this.#store;
    if (store === undefined || this.#stopped) throw this.#fault ?? new Fault("ledger-not-open");
    this.#running += 1;
    try {
      return await work(store);
    } catch (error) {
      if (error instanceof Fault && error.code.startsWith("ledger-")) this.#failed(store, error);
      throw error;
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.();
    }
  }

  /** What a failure of running work means for the connection. */
  #failed(store: LedgerStore, fault: Fault): void {
    this.#deps.meter.count("ledger_failures_total", 1, { code: fault.code });
    if (store !== this.#store) return;
    if (LOST.has(fault.code)) this.#lost(store, fault);
    else if (STANDING.has(fault.code)) this.#say(fault);
  }

  /** Something was written: what kept the ledger from it is over. */
  #writes(): void {
    if (this.#said === undefined || this.#store === undefined) return;
    this.#fault = undefined;
    this.#said = undefined;
    this.#deps.meter.gauge("ledger_up", 1);
    this.#deps.log.info("the ledger is written again");
  }

  #lost(store: LedgerStore, fault: Fault): void {
    if (store !== this.#store || this.#stopped) return;
    if (this.#deps.clock.monotonicMs() - this.#openedAtMs >= this.#options.steadyMs) this.#failures = 0;
    this.#leave(fault);
    // Work that still runs on it fails by itself.
    store.close().catch(() => {});
    this.#again();
  }

  #leave(fault: Fault | undefined): void {
    if (this.#store !== undefined) this.#sinceMs = this.#deps.clock.nowMs();
    this.#store = undefined;
    this.#deps.meter.gauge("ledger_up", 0);
    if (fault !== undefined) this.#say(fault);
  }

  /** One line for each cause, not one for each attempt or for each time that a damaged database opens and fails again. */
  #say(fault: Fault): void {
    this.#fault = fault;
    this.#deps.meter.gauge("ledger_up", 0);
    if (this.#said?.code === fault.code) return;
    this.#said = { code: fault.code, openAgain: false };
    this.#deps.log.error(`${describe(fault)}. ${fault.help}`, { code: fault.code });
  }

  #again(): void {
    const { firstRetryMs, mostRetryMs } = this.#options;
    const delayMs = Math.min(mostRetryMs, firstRetryMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    this.#retry = this.#deps.clock.after(delayMs, () => {
      this.#attempt = this.#open();
    });
  }

  /** One attempt to open; never rejects. */
  async #open(): Promise<void> {
    const { clock, log, meter, open } = this.#deps;
    const opened: { store?: LedgerStore } = {};
    try {
      const store = open({ create: this.#create, onLost: (error) => this.#goneAlone(opened.store, error) });
      opened.store = store;
      await migrate(store, { lookOnly: false });
      if (this.#stopped) return await store.close();
      this.#store = store;
      this.#create = false;
      this.#openedAtMs = clock.monotonicMs();
      this.#sinceMs = clock.nowMs();
      meter.gauge("ledger_up", 1);
      this.#fault = undefined;
      if (this.#said === undefined || this.#said.openAgain) return;
      this.#said.openAgain = true;
      log.info("the ledger is open again");
    } catch (error) {
      await opened.store?.close().catch(() => {});
      if (this.#stopped) return;
      const fault = storeFault(error) ?? new Fault("ledger-failed", {}, { cause: error });
      meter.count("ledger_failures_total", 1, { code: fault.code });
      if (this.#isStarting && STOPS_START.has(fault.code)) {
        this.#fault = fault;
        return;
      }
      this.#leave(this.#isStillAway(fault) ? this.#fault : fault);
      this.#again();
    }
  }

  /** A file that was taken away while it was open cannot be opened, and a process that hangs keeps its lock: the first fault says better why. */
  #isStillAway({ code, data }: Fault): boolean {
    const before = this.#fault;
    if (before?.data.code === "LEDGER_PROCESS_SILENT") return code === "ledger-in-use";
    return before?.code === "ledger-moved" && code === "ledger-cannot-open" && data.code === "ENOENT";
  }

  #goneAlone(store: LedgerStore | undefined, error: Error): void {
    const fault = storeFault(error);
    if (store === undefined || fault === undefined || store !== this.#store) return;
    this.#deps.meter.count("ledger_failures_total", 1, { code: fault.code });
    this.#lost(store, fault);
  }
}
