/** Batches of credit as they go to the database: fixed once made, so that one that is written again is the same. */
import { toColumns } from "../store/amount.ts";
import type { MemorySlice, TakenSlice } from "./credit-memory.ts";
import { workOf } from "./tally.ts";

/** A row of `credits`. */
export interface BatchCredit {
  readonly slice: MemorySlice;
  /** What it counts for, as `chain_sets` has it. */
  readonly chains: string;
  readonly identity: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly hi: bigint;
  readonly lo: bigint;
  readonly shares: number;
}

/** What becomes of a slice's row with a batch. */
export interface BatchSlice {
  readonly slice: MemorySlice;
  readonly startMs: number;
  readonly endMs: number;
  readonly open: 0 | 1;
}

/** What is written in one transaction. */
export interface CreditBatch {
  /** The same when it is written again. */
  readonly id: string;
  /** In order. */
  readonly slices: readonly BatchSlice[];
  readonly credits: readonly BatchCredit[];
  /** Shares in `credits`. */
  readonly shares: number;
}

/** Options of `CreditBatches`. */
export interface CreditBatchesOptions {
  readonly server: number;
  /** Tells this run's batches from those of other runs; random. */
  readonly run: string;
  /** Rows of `credits` in a batch. */
  readonly size: number;
}

/** Makes batches, and puts the rows of slices in order where the wall clock did not. */
export class CreditBatches {
  readonly #options: CreditBatchesOptions;
  #sequence = 0;
  #lastEndMs: number;

  /** `lastEndMs`: the end of this server's last slice in the database. */
  constructor(options: CreditBatchesOptions, lastEndMs: number) {
    this.#options = options;
    this.#lastEndMs = lastEndMs;
  }

  /** The batches of what was taken, one after the other as they are asked for. */
  *of(taken: readonly TakenSlice[]): Generator<CreditBatch> {
    let slices: BatchSlice[] = [];
    let credits: BatchCredit[] = [];
    for (const { slice, tallies, newestMs, isOpen } of taken) {
      slice.row ??= { startMs: Math.max(slice.startMs, this.#lastEndMs), id: undefined };
      const { startMs } = slice.row;
      const endMs = Math.max(newestMs, startMs + 1);
      for (const [chains, workers] of tallies) {
        for (const [identity, tally] of workers) {
          if (credits.length >= this.#options.size) {
            yield this.#batch([...slices, { slice, startMs, endMs, open: 1 }], credits);
            slices = [];
            credits = [];
          }
          const { hi, lo } = toColumns(workOf(tally));
          const { firstMs, lastMs, shares } = tally;
          credits.push({ slice, chains, identity, firstMs, lastMs, hi, lo, shares });
        }
      }
      slices.push({ slice, startMs, endMs, open: isOpen ? 1 : 0 });
      if (!isOpen) this.#lastEndMs = endMs;
      // Slices without new credit are short of rows but not of work for the database.
      if (slices.length >= this.#options.size) {
        yield this.#batch(slices, credits);
        slices = [];
        credits = [];
      }
    }
    if (slices.length > 0) yield this.#batch(slices, credits);
  }

  #batch(slices: readonly BatchSlice[], credits: readonly BatchCredit[]): CreditBatch {
    const { server, run } = this.#options;
    const shares = credits.reduce((sum, credit) => sum + credit.shares, 0);
    this.#sequence += 1;
    return { id: `${server}:${run}:${this.#sequence}`, slices, credits, shares };
  }
}
