/**
 * Searches work in slices, so that the thread it runs in stays able to hear of new work, and no faster than it may. The
 * same loop runs in a worker thread and, for tests, in the caller's own.
 */
import type { Clock, Timer } from "../../kernel/clock.ts";
import { type NonceRange, SearchSpace } from "./search-space.ts";
import type { Solution, Work } from "./work.ts";

/** How a loop searches. */
export interface HashLoopOptions {
  /** The nonces it is to try of each header. */
  readonly nonces: NonceRange;
  /** Hashes a second that it must not exceed in the long run; `Infinity` for as fast as it can. */
  readonly maxHashrate: number;
  /** Solutions a second that it must not exceed; it pauses after each. An easy target would flood the server otherwise. */
  readonly maxSolutionsPerSecond: number;
  /** How long a slice may hold the thread, ms. */
  readonly sliceMs: number;
}

/** Whom a loop tells. */
export interface HashLoopDeps {
  readonly clock: Clock;
  readonly onSolution: (solution: Solution) => void;
  /** Called after each slice with the hashes tried in it, more than 0. */
  readonly onHashes: (count: number) => void;
}

/** Hashes of the first slice, before the rate is known. */
const FIRST_SLICE = 2_000;

/** How far ahead of `maxHashrate` a slice may run, ms: throttled loops make short bursts at this distance. */
const BURST_MS = 50;

/** Wait for the next second when a search is used up, ms. */
const EXHAUSTED_MS = 100;

/** One searching loop. */
export class HashLoop {
  readonly #deps: HashLoopDeps;
  readonly #options: HashLoopOptions;
  #space: SearchSpace | undefined;
  #receivedMs = 0;
  #sliceHashes = FIRST_SLICE;
  #paidUntilMs = 0;
  #timer: Timer | undefined;

  constructor(deps: HashLoopDeps, options: HashLoopOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Searches `work` from now on; `undefined` rests. */
  search(work: Work | undefined): void {
    this.#space = work === undefined ? undefined : new SearchSpace(work, this.#options.nonces);
    this.#receivedMs = this.#deps.clock.monotonicMs();
    if (work === undefined) this.stop();
    else if (this.#timer === undefined) this.#schedule(0);
  }

  /** Rests until the next `search`. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#space = undefined;
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#deps.clock.after(delayMs, () => this.#slice());
  }

  #slice(): void {
    const space = this.#space;
    if (space === undefined) {
      this.#timer = undefined;
      return;
    }
    const { clock } = this.#deps;
    const { maxHashrate, maxSolutionsPerSecond, sliceMs } = this.#options;
    const begin = clock.monotonicMs();
    const allowed = Math.max(1, Math.floor(Math.min(this.#sliceHashes, (maxHashrate * BURST_MS) / 1000)));
    const { hashes, solution } = space.step(allowed, Math.floor((begin - this.#receivedMs) / 1000));
    const tookMs = clock.monotonicMs() - begin;
    if (hashes === allowed && tookMs > 0) {
      // Half of the way to the measured size: one slow slice must not make the next ones tiny.
      this.#sliceHashes = Math.max(1, (this.#sliceHashes + (hashes * sliceMs) / tookMs) / 2);
    }
    const costMs = Math.max((hashes * 1000) / maxHashrate, solution === undefined ? 0 : 1000 / maxSolutionsPerSecond);
    this.#paidUntilMs = Math.max(this.#paidUntilMs, begin) + costMs;
    // The next slice is set before anybody is told: a listener may hand in new work or stop the loop.
    this.#schedule(hashes === 0 ? EXHAUSTED_MS : Math.max(0, this.#paidUntilMs - clock.monotonicMs()));
    if (hashes > 0) this.#deps.onHashes(hashes);
    if (solution !== undefined) this.#deps.onSolution(solution);
  }
}
