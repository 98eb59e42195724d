/**
 * The credit of one worker, added up on the share path: exact, so that sums do not depend on their order, and without a `bigint` for a share.
 * Work is kept in two halves that doubles hold exactly.
 */

/** Hashes that difficulty 1 stands for in a share's credit: SRI's and bdiff's 2^32. */
export const HASHES_PER_DIFFICULTY = 2 ** 32;

/** What the lower half counts up to. */
const HALF = 2 ** 40;

/** More work than anyone can find in a share; the sums are exact up to 2^93. */
const TOO_MUCH = 2 ** 80;

/** Work of shares of one worker under one set of chains. */
export interface Tally {
  /** Whole 2^40s of hashes. */
  high: number;
  /** Hashes below that. */
  low: number;
  shares: number;
  /** Wall times of the earliest and the latest share, ms. */
  firstMs: number;
  lastMs: number;
}

/** Nothing yet; `atMs` is the time of the share that comes. */
export function emptyTally(atMs: number): Tally {
  return { high: 0, low: 0, shares: 0, firstMs: atMs, lastMs: atMs };
}

/** Whether a share of `difficulty` has work that can be counted: no negative one, not-a-number, or what nobody could ever find. */
export function isCountable(difficulty: number): boolean {
  return difficulty >= 0 && difficulty * HASHES_PER_DIFFICULTY < TOO_MUCH;
}

/** Counts a share whose difficulty `isCountable`: the hashes that are expected for it, a whole number and 1 at least. */
export function addShare(tally: Tally, difficulty: number, atMs: number): void {
  const work = Math.max(1, Math.round(difficulty * HASHES_PER_DIFFICULTY));
  const high = Math.floor(work / HALF);
  tally.high += high;
  tally.low += work - high * HALF;
  if (tally.low >= HALF) {
    tally.low -= HALF;
    tally.high += 1;
  }
  tally.shares += 1;
  if (atMs > tally.lastMs) tally.lastMs = atMs;
  else if (atMs < tally.firstMs) tally.firstMs = atMs;
}

/** The sum in hashes. */
export function workOf({ high, low }: Tally): bigint {
  return BigInt(high) * BigInt(HALF) + BigInt(low);
}
