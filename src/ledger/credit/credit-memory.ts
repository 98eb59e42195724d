/**
 * Credit that is not in the database yet, by slices of time. A slice ends at every multiple of `sliceMs` by the wall clock, so that compaction can
 * join whole ones later, and where a block was found. A share costs a look-up and an addition.
 *
 * Bounded: so many keys (worker and set of chains in a slice) and so many slices. Without room a slice is not ended, since everybody would need a
 * new key in the next one: its boundary is lost, the credit is not. Keys that are known go on counting, new ones are refused.
 */
import type { ShareCredit } from "../../mining/ports.ts";
import { chainsText, declaredText, poolText } from "../store/work-sets.ts";
import { addShare, emptyTally, isCountable, type Tally } from "./tally.ts";

/** Options of `CreditMemory`. */
export interface CreditMemoryOptions {
  readonly sliceMs: number;
  /** Tallies in memory, those that are being written included. */
  readonly maxKeys: number;
  /** Ended slices that wait to be written. */
  readonly maxSlices: number;
}

/** Tallies by what the work counts for (as `chain_sets` has it), then by user identity. */
export type Tallies = Map<string, Map<string, Tally>>;

/** A slice while it is known here. Times are the wall clock's, which may have gone back between two slices; rows are put in order later. */
export interface MemorySlice {
  /** Its shares came after this … */
  readonly startMs: number;
  /** … and the newest of them at this time. */
  newestMs: number;
  /** A share before this shows that the wall clock went back. */
  floorMs: number;
  /** Shares up to this, included, are its own. */
  endMs: number;
  /** Whether a block was found at `endMs`. */
  isCut: boolean;
  /** Whether it has any credit, written or not. */
  isUsed: boolean;
  tallies: Tallies;
  /** Of `tallies`. */
  keys: number;
  /** Its row in the database, once it has one. */
  row: { readonly startMs: number; id: number | undefined } | undefined;
}

/** What was taken out of memory to be written. */
export interface TakenSlice {
  readonly slice: MemorySlice;
  readonly tallies: Tallies;
  readonly newestMs: number;
  readonly isOpen: boolean;
}

/** Backward steps of the wall clock up to this long, ms, do not end a slice: time servers make such. */
const STEP_BACK_MS = 1000;

/** The memory of `CreditLedger`. */
export class CreditMemory {
  readonly #options: CreditMemoryOptions;
  readonly #texts = new WeakMap<readonly string[], string>();
  #closed: MemorySlice[] = [];
  #open: MemorySlice | undefined;
  /** A block found when no slice was open: shares up to then, its own first of all, must not be together with later ones. */
  #pendingCutMs = Number.NEGATIVE_INFINITY;
  #lastChains: readonly string[] | undefined;
  #lastPool: string | undefined;
  /** The pool of the newest share that was for one, and what `chain_sets` calls it. */
  #pool = { name: "", text: poolText("") };
  #lastWorkers: Map<string, Tally> = new Map();
  #keys = 0;
  #shares = 0;
  #joined = 0;

  constructor(options: CreditMemoryOptions) {
    this.#options = options;
  }

  /** Tallies, those that are being written included. */
  get keys(): number {
    return this.#keys;
  }

  /** Shares, those that are being written included. */
  get shares(): number {
    return this.#shares;
  }

  /** Slices that were not ended for want of room, since the start. */
  get joined(): number {
    return this.#joined;
  }

  /** Counts a share. `false`: its credit is lost, for want of room or of a difficulty that is one. */
  credit({ userIdentity, difficulty, chains, pool, atMs }: ShareCredit): boolean {
    if (!isCountable(difficulty)) return false;
    let slice = this.#open;
    if (slice === undefined || atMs > slice.endMs || atMs < slice.floorMs) slice = this.#turn(atMs);
    // Jobs of pools and jobs without aux chains carry the same empty array.
    const isLast = chains === this.#lastChains && pool === this.#lastPool;
    const workers = isLast ? this.#lastWorkers : this.#workersOf(slice, chains, pool);
    let tally = workers.get(userIdentity);
    if (tally === undefined) {
      if (this.#keys >= this.#options.maxKeys) return false;
      tally = emptyTally(atMs);
      workers.set(userIdentity, tally);
      this.#keys += 1;
      slice.keys += 1;
      slice.isUsed = true;
    }
    addShare(tally, difficulty, atMs);
    if (atMs > slice.newestMs) {
      slice.newestMs = atMs;
      slice.floorMs = atMs - STEP_BACK_MS;
    }
    this.#shares += 1;
    return true;
  }

  /**
   * A block was found at `atMs`: shares up to then are in slices that later ones are not in. When shares that came after it were counted already
   * the slice ends with the newest of them.
   */
  cut(atMs: number): void {
    const open = this.#open;
    if (open === undefined || !open.isUsed) {
      this.#forget();
      this.#pendingCutMs = Math.max(this.#pendingCutMs, atMs);
      return;
    }
    if (atMs <= open.startMs) return;
    const endMs = Math.max(atMs, open.newestMs);
    if (endMs <= open.endMs) {
      // An earlier cut ahead of this one is the next slice's.
      if (open.isCut && endMs < open.endMs) this.#pendingCutMs = open.endMs;
      open.endMs = endMs;
    } else if (this.#isRoomy(open)) {
      this.#close(open);
      this.#pendingCutMs = atMs;
    } else {
      this.#joined += 1;
      open.endMs = endMs;
    }
    open.isCut = true;
  }

  /**
   * Takes everything out. `nowMs`: a slice whose end is before that is ended; `Infinity` ends it in any case. What was taken goes on counting as
   * in memory until `written` is told.
   */
  take(nowMs: number): TakenSlice[] {
    const open = this.#open;
    if (open?.isUsed === true && open.endMs < nowMs) this.#close(open);
    const taken = this.#closed.map((slice) => this.#takeOf(slice, false));
    this.#closed = [];
    if (this.#open !== undefined && this.#open.keys > 0) taken.push(this.#takeOf(this.#open, true));
    this.#lastChains = undefined;
    return taken;
  }

  /** So many keys and shares that were taken are in the database. */
  written({ keys, shares }: { readonly keys: number; readonly shares: number }): void {
    this.#keys -= keys;
    this.#shares -= shares;
  }

  #takeOf(slice: MemorySlice, isOpen: boolean): TakenSlice {
    const { tallies, newestMs } = slice;
    slice.tallies = new Map();
    slice.keys = 0;
    return { slice, tallies, newestMs, isOpen };
  }

  /** The slice for a share that does not fit into the open one. */
  #turn(atMs: number): MemorySlice {
    const open = this.#open;
    const alignedMs = Math.ceil(atMs / this.#options.sliceMs) * this.#options.sliceMs;
    if (open?.isUsed === true) {
      if (!this.#isRoomy(open)) {
        this.#joined += 1;
        open.endMs = Math.max(open.endMs, alignedMs);
        open.floorMs = atMs - STEP_BACK_MS;
        open.isCut = false;
        return open;
      }
      this.#close(open);
    }
    this.#forget();
    const isCut = atMs <= this.#pendingCutMs && this.#pendingCutMs <= alignedMs;
    const endMs = isCut ? this.#pendingCutMs : alignedMs;
    this.#pendingCutMs = Number.NEGATIVE_INFINITY;
    const times = { startMs: atMs - 1, newestMs: atMs, floorMs: atMs - STEP_BACK_MS, endMs };
    this.#open = { ...times, isCut, isUsed: false, tallies: new Map(), keys: 0, row: undefined };
    return this.#open;
  }

  #isRoomy({ keys }: MemorySlice): boolean {
    const { maxKeys, maxSlices } = this.#options;
    return this.#keys + keys <= maxKeys && this.#closed.length < maxSlices;
  }

  #close(slice: MemorySlice): void {
    this.#closed.push(slice);
    this.#forget();
  }

  #forget(): void {
    this.#open = undefined;
    this.#lastChains = undefined;
  }

  #workersOf(slice: MemorySlice, chains: readonly string[], pool: string | undefined): Map<string, Tally> {
    const text = pool === undefined ? this.#textOf(chains) : this.#poolTextOf(pool, chains);
    let workers = slice.tallies.get(text);
    if (workers === undefined) {
      workers = new Map();
      slice.tallies.set(text, workers);
    }
    this.#lastChains = chains;
    this.#lastPool = pool;
    this.#lastWorkers = workers;
    return workers;
  }

  #poolTextOf(name: string, chains: readonly string[]): string {
    if (chains.length > 0) return declaredText(name, chains);
    if (name !== this.#pool.name) this.#pool = { name, text: poolText(name) };
    return this.#pool.text;
  }

  #textOf(chains: readonly string[]): string {
    let text = this.#texts.get(chains);
    if (text === undefined) {
      text = chainsText(chains);
      this.#texts.set(chains, text);
    }
    return text;
  }
}
