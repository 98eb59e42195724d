/**
 * Keeps a year of credit in bounds: old slices become fewer, longer ones, and those that nobody asks for any more go. What workers did in the time up
 * to a block that still needs it stays the same to the last hash (`needed-boundaries.ts` says which do).
 *
 * Each join is one transaction, small enough that the server's writes wait no longer than for one of their own: a kill between any two changes no sum.
 */
import type { Clock, Timer } from "../../kernel/clock.ts";
import { sleep } from "../../kernel/clock.ts";
import { describe } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { LedgerAccess } from "../store/access.ts";
import { type ClosedSlice, type CompactionTier, planCompaction } from "./compaction-plan.ts";
import { bundleOf, dropSlice, joinSlices } from "./join-slices.ts";
import { neededBoundaries, oldestUnsettled } from "./needed-boundaries.ts";

/** What `Compaction` works with. */
export interface CompactionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly ledger: LedgerAccess;
}

/** Options of `Compaction`; all have defaults, `COMPACTION_DEFAULTS`. */
export interface CompactionOptions {
  readonly everyMs: number;
  readonly tiers: readonly CompactionTier[];
  /** Older slices are deleted. Blocks that are not settled hold that back, for as long again at most. */
  readonly keepMs: number;
  /** How far before its time the work may lie that shares a block's reward. */
  readonly windowMs: number;
  /** Rows of credit that one transaction joins. */
  readonly maxRows: number;
  /** Slices that are looked at together. */
  readonly pageSize: number;
  /** Pause behind each transaction. */
  readonly pauseMs: number;
}

const DAY_MS = 86_400_000;

/** What holds unless the operator says otherwise. */
export const COMPACTION_DEFAULTS = {
  everyMs: 600_000,
  tiers: [
    { olderThanMs: 2 * DAY_MS, sliceMs: 3_600_000 },
    { olderThanMs: 14 * DAY_MS, sliceMs: DAY_MS },
  ],
  keepMs: 400 * DAY_MS,
  windowMs: 30 * DAY_MS,
  maxRows: 40_000,
  pageSize: 5000,
  pauseMs: 50,
} as const;

/** Batches are asked for by their own run alone, while it tries to write them. */
const KEEP_BATCHES_MS = 30 * DAY_MS;

/** The part of the ledger that cleans up. */
export class Compaction implements Part {
  readonly name = "ledger compaction";
  readonly #deps: CompactionDeps;
  readonly #options: CompactionOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopping = new AbortController();
  #isFailing = false;

  constructor(deps: CompactionDeps, options: Partial<CompactionOptions> = {}) {
    this.#deps = deps;
    this.#options = { ...COMPACTION_DEFAULTS, ...options };
  }

  async start(): Promise<void> {
    this.#stopping = new AbortController();
    this.#timer = this.#deps.clock.every(this.#options.everyMs, () => this.#tick());
  }

  /** Waits for the transaction that is under way and begins no other. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort();
    await this.#running;
  }

  /** Joins and deletes all there is to. Rejects as `LedgerAccess` does; what was done until then is done. */
  async compact(): Promise<void> {
    const { clock, ledger } = this.#deps;
    const nowMs = clock.nowMs();
    await this.#deleteOld(nowMs);
    const servers = await ledger.run((db) => db.selectFrom("slices").select("server").distinct().execute());
    for (const { server } of servers) await this.#compactServer(server, nowMs);
  }

  #tick(): void {
    if (this.#running !== undefined) return;
    this.#running = this.compact()
      .then(() => {
        this.#isFailing = false;
      })
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#running = undefined;
      });
  }

  #failed(error: unknown): void {
    if (this.#stopping.signal.aborted || this.#isFailing) return;
    this.#isFailing = true;
    this.#deps.log.warn(
      `old credit in the ledger cannot be compacted, it is tried again by itself: ${describe(error)}`,
      { error },
    );
  }

  async #compactServer(server: number, nowMs: number): Promise<void> {
    const { ledger } = this.#deps;
    const { tiers, keepMs, pageSize } = this.#options;
    const untilMs = nowMs - Math.min(...tiers.map(({ olderThanMs }) => olderThanMs));
    let cursorMs = Number.MIN_SAFE_INTEGER;
    for (;;) {
      const afterMs = cursorMs;
      const rows = await ledger.run((db) =>
        db
          .selectFrom("slices")
          .select(["id", "start_ms as startMs", "end_ms as endMs"])
          .where("server", "=", server)
          .where("open", "=", 0)
          .where("end_ms", ">", afterMs)
          .where("end_ms", "<=", untilMs)
          .orderBy("end_ms")
          .limit(pageSize)
          .execute(),
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      cursorMs = last.endMs;
      const boundaries = await ledger.run((db) => neededBoundaries(db, nowMs - 2 * keepMs));
      for (const group of planCompaction(rows, { nowMs, tiers, boundaries })) await this.#join(group);
    }
  }

  /** Joins a group, as many of its slices at a time as a transaction may have rows. */
  async #join(group: readonly ClosedSlice[]): Promise<void> {
    const { ledger, meter } = this.#deps;
    let rest = [...group];
    while (rest.length > 1) {
      const slices = rest;
      const bundle = await ledger.run((db) => bundleOf(db, slices, this.#options.maxRows));
      const joined = await this.#transaction(() => ledger.transaction((db) => joinSlices(db, bundle)));
      // Another server's compaction of the same database was here meanwhile.
      if (joined === undefined) return;
      meter.count("ledger_rows_compacted_total", joined.rowsGone, { why: "joined" });
      rest = [joined.slice, ...rest.slice(bundle.length)];
    }
  }

  async #deleteOld(nowMs: number): Promise<void> {
    const { ledger, meter } = this.#deps;
    const { keepMs, windowMs, pageSize } = this.#options;
    const unsettledMs = await ledger.run(oldestUnsettled);
    const heldMs = Math.max(nowMs - 2 * keepMs, (unsettledMs ?? nowMs) - windowMs);
    const untilMs = Math.min(nowMs - keepMs, heldMs);
    await ledger.transaction((db) =>
      db
        .deleteFrom("credit_batches")
        .where("at_ms", "<", nowMs - KEEP_BATCHES_MS)
        .execute(),
    );
    for (;;) {
      const old = await ledger.run((db) =>
        db
          .selectFrom("slices")
          .select("id")
          .where("open", "=", 0)
          .where("end_ms", "<=", untilMs)
          .orderBy("end_ms")
          .limit(pageSize)
          .execute(),
      );
      if (old.length === 0) return;
      for (const { id } of old) {
        const rows = await this.#transaction(() => ledger.transaction((db) => dropSlice(db, id)));
        meter.count("ledger_rows_compacted_total", rows, { why: "expired" });
      }
    }
  }

  /** One transaction, with room for those of others behind it. Rejects when the part stops. */
  async #transaction<T>(work: () => Promise<T>): Promise<T> {
    const { clock, meter } = this.#deps;
    const { pauseMs } = this.#options;
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    const beganMs = clock.monotonicMs();
    const result = await work();
    meter.observe("ledger_compaction_seconds", (clock.monotonicMs() - beganMs) / 1000);
    if (pauseMs > 0) await sleep(clock, pauseMs, signal);
    return result;
  }
}
