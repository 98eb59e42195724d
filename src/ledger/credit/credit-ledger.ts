/**
 * Credit for accepted shares: counted in memory on the share path, written in batches behind it.
 *
 * What a crash may lose is the credit of shares that came since the last flush that ended began: those of `flushMs` and the time that a flush takes
 * (of two flushes, when one takes longer than `flushMs`), and while the database is away all since then. What was written counts exactly once. A
 * stop writes all there is.
 */
import type { Clock, Timer } from "../../kernel/clock.ts";
import { sleep } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import { type Random, randomU32 } from "../../kernel/random.ts";
import type { ShareCredit, ShareSink } from "../../mining/ports.ts";
import type { LedgerAccess } from "../store/access.ts";
import { type CreditBatch, CreditBatches } from "./credit-batch.ts";
import { CreditMemory } from "./credit-memory.ts";
import { CreditWriter } from "./credit-writer.ts";

/** What `CreditLedger` works with. */
export interface CreditLedgerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly ledger: LedgerAccess;
  readonly random: Random;
}

/** Options of `CreditLedger`; all but `server` have defaults, `CREDIT_DEFAULTS`. */
export interface CreditLedgerOptions {
  /** `stratum_v2.server_id`; a database has one running ledger of each. */
  readonly server: number;
  /** Time between two flushes. */
  readonly flushMs: number;
  /** Length of a slice that no block ends. */
  readonly sliceMs: number;
  /** Keys in memory (worker and set of chains in a slice), about 200 bytes each; also the worker ids that are remembered. */
  readonly maxWorkers: number;
  /** Ended slices in memory. */
  readonly maxSlices: number;
  /** Keys that go into one transaction: found blocks wait no longer for the database than one takes, and a share no longer than one is made. */
  readonly batchSize: number;
  /** Waiting time after a failure, doubled with each up to the most. */
  readonly retryFirstMs: number;
  readonly retryMostMs: number;
  /** How long `stop` tries. */
  readonly stopMs: number;
}

/** What holds unless the operator says otherwise. */
export const CREDIT_DEFAULTS = {
  flushMs: 5000,
  sliceMs: 600_000,
  maxWorkers: 200_000,
  maxSlices: 5000,
  batchSize: 2048,
  retryFirstMs: 1000,
  retryMostMs: 15_000,
  stopMs: 5000,
} as const;

/** Pause of a stop between two attempts. */
const STOP_RETRY_MS = 250;

/** The log hears of lost credit no more often. */
const LOST_EVERY_MS = 60_000;

/** The part of the ledger that shares go to. */
export class CreditLedger implements ShareSink, Part {
  readonly name = "credit ledger";
  readonly #deps: CreditLedgerDeps;
  readonly #options: CreditLedgerOptions;
  readonly #memory: CreditMemory;
  readonly #writer: CreditWriter;
  /** There once the earlier runs' last slice is known. */
  #batches: CreditBatches | undefined;
  /** Of what was taken out of memory; `#batch` is the one that is being written. */
  #pending: Iterator<CreditBatch, undefined> | undefined;
  #batch: CreditBatch | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;
  #isBusy = false;
  #isHalfFull = false;
  /** Whether a flush came due while another was under way. */
  #isDue = false;
  #failures = 0;
  /** Whether the log knows that credit waits for the database. */
  #isSaid = false;
  #retryAtMs = 0;
  #lost = 0;
  #lostSaid = { shares: 0, joined: 0, atMs: Number.NEGATIVE_INFINITY };
  #timer: Timer | undefined;
  #early: Timer | undefined;

  constructor(deps: CreditLedgerDeps, options: Partial<CreditLedgerOptions> & Pick<CreditLedgerOptions, "server">) {
    this.#deps = deps;
    this.#options = { ...CREDIT_DEFAULTS, ...options };
    const { server, sliceMs, maxWorkers, maxSlices } = this.#options;
    this.#memory = new CreditMemory({ sliceMs, maxKeys: maxWorkers, maxSlices });
    this.#writer = new CreditWriter(deps, { server, maxWorkers });
  }

  /** Accepted shares whose credit is in memory only. */
  get pendingShares(): number {
    return this.#memory.shares;
  }

  /** Accepted shares that nobody gets credit for, since the start. */
  get lostShares(): number {
    return this.#lost;
  }

  credit(share: ShareCredit): void {
    if (!this.#memory.credit(share)) {
      this.#lost += 1;
      this.#deps.meter.count("ledger_shares_lost_total", 1);
    }
    // At the half, since what is being written takes room until it is.
    if (!this.#isHalfFull && this.#memory.keys * 2 >= this.#options.maxWorkers) {
      this.#isHalfFull = true;
      this.#soon();
    }
  }

  /**
   * A block was found at this wall time, ms: work up to then, the share's own first of all, is in slices that hold none from later on. To be called
   * at once, on the share path: shares that came later and were counted already are counted as before it. Never throws.
   */
  cut(atMs: number): void {
    this.#memory.cut(atMs);
  }

  /** Does not wait for the database: shares are credited in memory until it comes. */
  async start(): Promise<void> {
    this.#timer = this.#deps.clock.every(this.#options.flushMs, () => this.#tick());
    this.#soon();
  }

  /** Writes all there is, again and again while the database does not take it; when it did not in time, the log says what is lost. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#early?.cancel();
    this.#isDue = false;
    const { clock, log, meter } = this.#deps;
    const deadline = new AbortController();
    const late = sleep(clock, this.#options.stopMs, deadline.signal).then(
      () => Promise.reject(new Fault("stop-timeout", { part: this.name, timeoutMs: this.#options.stopMs })),
      () => undefined,
    );
    let failure: unknown;
    const onFailure = (error: unknown): void => {
      failure = error;
    };
    try {
      await Promise.race([this.#flushAtLast(deadline.signal, onFailure), late]);
    } catch (error) {
      if (this.pendingShares === 0) return;
      meter.count("ledger_shares_lost_total", this.pendingShares);
      const fault = new Fault("ledger-credit-unwritten", { shares: this.pendingShares }, { cause: failure ?? error });
      log.error(`stopped too early: ${describe(fault)}; nobody gets credit for these shares`, { error: fault });
    } finally {
      deadline.abort();
    }
  }

  /** A connection that broke is made anew within moments. Rejects once `signal` aborts, or when there is nothing that could be lost. */
  async #flushAtLast(signal: AbortSignal, onFailure: (error: unknown) => void): Promise<void> {
    for (;;) {
      try {
        return await this.#flush(true);
      } catch (error) {
        if (signal.aborted || this.pendingShares === 0) throw error;
        onFailure(error);
        await sleep(this.#deps.clock, STOP_RETRY_MS, signal);
      }
    }
  }

  /**
   * Writes the credit of all shares until now. Resolves when it is in the database; rejects with what `LedgerAccess` said if it cannot be, and then
   * nothing is lost: it is tried again by itself.
   */
  flush(): Promise<void> {
    return this.#flush(false);
  }

  /** One flush runs at a time and one waits, which whoever comes meanwhile shares. */
  #flush(isLast: boolean): Promise<void> {
    if (this.#next !== undefined && !isLast) return this.#next;
    const mine = this.#running.then(() => {
      if (this.#next === mine) this.#next = undefined;
      return this.#drain(isLast);
    });
    this.#next = mine;
    this.#running = mine.catch(() => undefined);
    return mine;
  }

  #tick(): void {
    const { clock, meter } = this.#deps;
    meter.gauge("ledger_unwritten_shares", this.pendingShares);
    this.#tellOfLosses();
    if (this.#isBusy) this.#isDue = true;
    else if (clock.monotonicMs() >= this.#retryAtMs) this.flush().catch(() => undefined);
  }

  #soon(): void {
    this.#early?.cancel();
    this.#early = this.#deps.clock.after(0, () => this.#tick());
  }

  async #drain(isLast: boolean): Promise<void> {
    const { clock, meter } = this.#deps;
    this.#isBusy = true;
    this.#isDue = false;
    try {
      this.#batches ??= await this.#adopt();
      // What could not be written last time comes first: it is as it was, under the same ids.
      await this.#writePending();
      const beganMs = clock.monotonicMs();
      const taken = this.#memory.take(isLast ? Number.POSITIVE_INFINITY : clock.nowMs());
      if (taken.length > 0) {
        this.#pending = this.#batches.of(taken);
        await this.#writePending();
        meter.observe("ledger_flush_seconds", (clock.monotonicMs() - beganMs) / 1000);
      }
      this.#succeeded();
    } catch (error) {
      this.#failed(error);
      throw error;
    } finally {
      this.#isBusy = false;
      if (this.#isDue && !isLast) this.#soon();
    }
  }

  async #adopt(): Promise<CreditBatches> {
    const { clock, log, random } = this.#deps;
    const { server, batchSize } = this.#options;
    const lastEndMs = await this.#writer.adopt();
    const aheadS = Math.round((lastEndMs - clock.nowMs()) / 1000);
    if (aheadS > 60) {
      log.warn(
        `the ledger has credit from ${aheadS} seconds in the future: the clock was ahead, or is behind now. Credit is counted behind that until it has caught up`,
      );
    }
    const run = [randomU32(random), randomU32(random)].map((part) => part.toString(16).padStart(8, "0")).join("");
    return new CreditBatches({ server, run, size: batchSize }, lastEndMs);
  }

  async #writePending(): Promise<void> {
    const { clock, meter } = this.#deps;
    for (;;) {
      this.#batch ??= this.#pending?.next().value;
      if (this.#batch === undefined) break;
      const { credits, shares } = this.#batch;
      await this.#writer.write(this.#batch, clock.nowMs());
      this.#batch = undefined;
      this.#memory.written({ keys: credits.length, shares });
      meter.count("ledger_shares_credited_total", shares);
    }
    this.#pending = undefined;
    this.#isHalfFull = this.#memory.keys * 2 >= this.#options.maxWorkers;
  }

  #succeeded(): void {
    const { log, meter } = this.#deps;
    if (this.#isSaid) log.info("credit of shares is written to the ledger again");
    this.#isSaid = false;
    this.#failures = 0;
    this.#retryAtMs = 0;
    meter.gauge("ledger_unwritten_shares", this.pendingShares);
  }

  #failed(cause: unknown): void {
    const { clock, log, random } = this.#deps;
    const { retryFirstMs, retryMostMs } = this.#options;
    const full = Math.min(retryMostMs, retryFirstMs * 2 ** Math.min(this.#failures, 30));
    // Servers that lost one database together do not come back in step.
    this.#retryAtMs = clock.monotonicMs() + full * (0.75 + randomU32(random) / 2 ** 33);
    this.#failures += 1;
    if (this.#isSaid || this.pendingShares === 0) return;
    this.#isSaid = true;
    const fault = new Fault("ledger-credit-unwritten", { shares: this.pendingShares }, { cause });
    log.error(`${describe(fault)}. ${fault.help}`, { error: fault });
  }

  #tellOfLosses(): void {
    const { clock, log } = this.#deps;
    const nowMs = clock.monotonicMs();
    const { joined } = this.#memory;
    const said = this.#lostSaid;
    if ((this.#lost === said.shares && joined === said.joined) || nowMs - said.atMs < LOST_EVERY_MS) return;
    if (this.#lost > said.shares) {
      const fault = new Fault("ledger-credit-lost", { shares: this.#lost - said.shares, sinceStart: this.#lost });
      log.error(`${describe(fault)}. ${fault.help}`, { error: fault });
    } else {
      log.warn(
        `${joined - said.joined} ends of slices were passed over, since memory for credit is full while the database is away: rewards of blocks found now are split by work up to the next slice's end`,
      );
    }
    this.#lostSaid = { shares: this.#lost, joined, atMs: nowMs };
  }
}
