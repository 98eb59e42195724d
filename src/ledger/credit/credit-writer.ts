/**
 * Writes batches of credit, each in one transaction and each once: its id goes into `credit_batches` with it, so a batch that is written again,
 * because the answer to its commit was lost, changes nothing.
 */
import { sql } from "kysely";
import type { LedgerAccess } from "../store/access.ts";
import { AMOUNT_UNIT } from "../store/amount.ts";
import { chunks } from "../store/chunks.ts";
import type { LedgerDb } from "../store/schema.ts";
import type { BatchCredit, BatchSlice, CreditBatch } from "./credit-batch.ts";
import type { MemorySlice } from "./credit-memory.ts";

/** Options of `CreditWriter`. */
export interface CreditWriterOptions {
  readonly server: number;
  /** Ids of workers that are remembered. */
  readonly maxWorkers: number;
}

/** `last_share_ms` of a worker that goes on mining is written no more often. */
const TOUCH_MS = 60_000;

/** Ids of sets of chains that are remembered. */
const MAX_SETS = 1000;

/** As a literal: a parameter's type would be PostgreSQL's guess. */
const UNIT = sql.raw(String(AMOUNT_UNIT));

interface KnownWorker {
  readonly id: number;
  /** `last_share_ms` as it was last written. */
  readonly writtenMs: number;
}

interface Ids {
  readonly slices: Map<MemorySlice, number>;
  readonly sets: Map<string, number>;
  readonly workers: Map<string, KnownWorker>;
}

/** The writing side of `CreditLedger`. */
export class CreditWriter {
  readonly #ledger: LedgerAccess;
  readonly #options: CreditWriterOptions;
  readonly #workers = new Map<string, KnownWorker>();
  readonly #sets = new Map<string, number>();
  /** Of the batch that is known to be in: it is never written again, so its id may go with the next. */
  #lastId: string | undefined;

  constructor({ ledger }: { readonly ledger: LedgerAccess }, options: CreditWriterOptions) {
    this.#ledger = ledger;
    this.#options = options;
  }

  /** Closes what an earlier run of this server left open. Gives the end of its last slice, ms; `-Infinity` for none. Rejects as `LedgerAccess` does. */
  async adopt(): Promise<number> {
    const { server } = this.#options;
    return await this.#ledger.transaction(async (db) => {
      await db.updateTable("slices").set({ open: 0 }).where("server", "=", server).where("open", "=", 1).execute();
      const last = await db
        .selectFrom("slices")
        .select("end_ms")
        .where("server", "=", server)
        .orderBy("end_ms", "desc")
        .limit(1)
        .executeTakeFirst();
      return last?.end_ms ?? Number.NEGATIVE_INFINITY;
    });
  }

  /** Writes a batch, or finds that it is in already. `nowMs`: wall time. Rejects as `LedgerAccess` does; nothing of it is counted then, or all. */
  async write(batch: CreditBatch, nowMs: number): Promise<void> {
    try {
      const ids = await this.#ledger.transaction((db) => this.#write(db, batch, nowMs));
      if (ids !== undefined) this.#remember(ids);
      this.#lastId = batch.id;
    } catch (error) {
      // Another server of the database may have taken over without the last commits: what was known of it is asked anew.
      this.#workers.clear();
      this.#sets.clear();
      for (const { slice } of batch.slices) if (slice.row !== undefined) slice.row = { ...slice.row, id: undefined };
      throw error;
    }
  }

  async #write(db: LedgerDb, batch: CreditBatch, nowMs: number): Promise<Ids | undefined> {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto("credit_batches")
      .values({ id: batch.id, at_ms: nowMs })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows !== 1n) return undefined;
    if (this.#lastId !== undefined) await db.deleteFrom("credit_batches").where("id", "=", this.#lastId).execute();
    const slices = await this.#writeSlices(db, batch.slices);
    const sets = await this.#setIds(db, batch.credits);
    const workers = await this.#writeWorkers(db, batch.credits);
    const rows = batch.credits.map(({ slice, chains, identity, hi, lo, shares }) => ({
      slice_id: known(slices.get(slice)),
      worker_id: known(workers.get(identity) ?? this.#workers.get(identity)).id,
      chain_set_id: known(sets.get(chains) ?? this.#sets.get(chains)),
      work_hi: hi,
      work_lo: lo,
      shares,
    }));
    for (const chunk of chunks(rows)) {
      await db
        .insertInto("credits")
        .values(chunk)
        .onConflict((conflict) =>
          conflict.columns(["slice_id", "worker_id", "chain_set_id"]).doUpdateSet({
            work_hi: sql`credits.work_hi + excluded.work_hi + (credits.work_lo + excluded.work_lo) / ${UNIT}`,
            work_lo: sql`(credits.work_lo + excluded.work_lo) % ${UNIT}`,
            shares: sql`credits.shares + excluded.shares`,
          }),
        )
        .execute();
    }
    return { slices, sets, workers };
  }

  /** Slices do not overlap, so a server's slice is known by where it starts. */
  async #writeSlices(db: LedgerDb, slices: readonly BatchSlice[]): Promise<Map<MemorySlice, number>> {
    const { server } = this.#options;
    const ids = new Map<number, number>();
    for (const { slice, startMs } of slices) if (slice.row?.id !== undefined) ids.set(startMs, slice.row.id);
    const [first] = slices.filter(({ startMs }) => !ids.has(startMs));
    if (first !== undefined) {
      const found = await db
        .selectFrom("slices")
        .select(["id", "start_ms"])
        .where("server", "=", server)
        .where("end_ms", ">", first.startMs)
        .execute();
      for (const { id, start_ms } of found) ids.set(start_ms, id);
    }
    const fresh = slices.filter(({ startMs }) => !ids.has(startMs));
    for (const { startMs, endMs, open } of slices) {
      const id = ids.get(startMs);
      if (id !== undefined) await db.updateTable("slices").set({ end_ms: endMs, open }).where("id", "=", id).execute();
    }
    for (const chunk of chunks(fresh)) {
      const rows = chunk.map(({ startMs, endMs, open }) => ({ server, start_ms: startMs, end_ms: endMs, open }));
      const made = await db.insertInto("slices").values(rows).returning(["id", "start_ms"]).execute();
      for (const { id, start_ms } of made) ids.set(start_ms, id);
    }
    return new Map(slices.map(({ slice, startMs }) => [slice, known(ids.get(startMs))]));
  }

  async #setIds(db: LedgerDb, credits: readonly BatchCredit[]): Promise<Map<string, number>> {
    const wanted = new Set(credits.map(({ chains }) => chains).filter((chains) => !this.#sets.has(chains)));
    const ids = new Map<string, number>();
    for (const chunk of chunks([...wanted].sort())) {
      await db
        .insertInto("chain_sets")
        .values(chunk.map((chains) => ({ chains })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const found = await db.selectFrom("chain_sets").select(["id", "chains"]).where("chains", "in", chunk).execute();
      for (const { id, chains } of found) ids.set(chains, id);
    }
    return ids;
  }

  /** Those that are not known, or whose last share was written long ago. In order, so that two servers do not wait for each other. */
  async #writeWorkers(db: LedgerDb, credits: readonly BatchCredit[]): Promise<Map<string, KnownWorker>> {
    const wanted = new Map<string, { firstMs: number; lastMs: number }>();
    for (const { identity, firstMs, lastMs } of credits) {
      const worker = this.#workers.get(identity);
      if (worker !== undefined && lastMs - worker.writtenMs < TOUCH_MS) continue;
      const times = wanted.get(identity);
      if (times === undefined) wanted.set(identity, { firstMs, lastMs });
      else {
        times.firstMs = Math.min(times.firstMs, firstMs);
        times.lastMs = Math.max(times.lastMs, lastMs);
      }
    }
    const workers = new Map<string, KnownWorker>();
    const rows = [...wanted]
      .map(([identity, { firstMs, lastMs }]) => ({ identity, first_share_ms: firstMs, last_share_ms: lastMs }))
      .sort((a, b) => (a.identity < b.identity ? -1 : 1));
    for (const chunk of chunks(rows)) {
      const made = await db
        .insertInto("workers")
        .values(chunk)
        .onConflict((conflict) =>
          conflict.column("identity").doUpdateSet({
            last_share_ms: sql`case when excluded.last_share_ms > workers.last_share_ms then excluded.last_share_ms else workers.last_share_ms end`,
          }),
        )
        .returning(["id", "identity", "last_share_ms"])
        .execute();
      for (const { id, identity, last_share_ms } of made) workers.set(identity, { id, writtenMs: last_share_ms });
    }
    return workers;
  }

  #remember({ slices, sets, workers }: Ids): void {
    for (const [slice, id] of slices) if (slice.row !== undefined) slice.row = { ...slice.row, id };
    for (const [chains, id] of sets) this.#sets.set(chains, id);
    if (this.#sets.size > MAX_SETS) this.#sets.clear();
    for (const [identity, worker] of workers) {
      this.#workers.delete(identity);
      this.#workers.set(identity, worker);
    }
    for (const oldest of this.#workers.keys()) {
      if (this.#workers.size <= this.#options.maxWorkers) break;
      this.#workers.delete(oldest);
    }
  }
}

/** What the statements before must have given. */
function known<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("the ledger did not give the id of a row that it took");
  return value;
}
