/** Merges old books into summaries (`summary.ts`), now and then and with nothing else waiting for it. */
import type { Clock, Timer } from "../../kernel/clock.ts";
import { describe } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { LedgerAccess } from "../store/access.ts";
import { SUMMARY_DEFAULTS, type SummaryOptions, summariseBooks } from "./summary.ts";

/** What `Summaries` works with. */
export interface SummariesDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: LedgerAccess;
}

/** Options of `Summaries`. */
export interface SummariesOptions extends SummaryOptions {
  /** Ms between two rounds. */
  readonly everyMs: number;
}

/** What holds unless the operator says otherwise. */
export const SUMMARIES_DEFAULTS: SummariesOptions = { ...SUMMARY_DEFAULTS, everyMs: 3_600_000 };

/** The part of the ledger that sums up its past. */
export class Summaries implements Part {
  readonly name = "ledger summaries";
  readonly #deps: SummariesDeps;
  readonly #options: SummariesOptions;
  #timer: Timer | undefined;
  #stop = new AbortController();
  #round: Promise<void> | undefined;

  constructor(deps: SummariesDeps, options: SummariesOptions = SUMMARIES_DEFAULTS) {
    this.#deps = deps;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#stop = new AbortController();
    this.#timer = this.#deps.clock.every(this.#options.everyMs, () => {
      this.#round ??= this.#summarise().finally(() => {
        this.#round = undefined;
      });
    });
  }

  /** Waits for the transaction that is under way and begins no other. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stop.abort();
    await this.#round;
  }

  async #summarise(): Promise<void> {
    const { clock, ledger, log } = this.#deps;
    try {
      const blocks = await summariseBooks(ledger, clock.nowMs(), this.#options, this.#stop.signal);
      if (blocks > 0) log.info(`the books of ${blocks} old blocks were summed up by month; no balance changed`);
    } catch (error) {
      log.warn(`old books were not summed up, which is tried again: ${describe(error)}`, { error });
    }
  }
}
