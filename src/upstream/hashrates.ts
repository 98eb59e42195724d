/** Hash rates and targets as we announce them to a pool. */

/** The easiest target there is, `Uint8Array(32)` little-endian. */
export const ANY_TARGET: Uint8Array = new Uint8Array(32).fill(0xff);

/** Announced until somebody knows better: the pool's first target suits one small ASIC, and both its and our first measurement correct it. */
export const UNKNOWN_HASHRATE = 1e12;

/** The greatest number that fits into an F32. */
const MAX_F32 = 3.4e38;

/**
 * `hashesPerSecond` as a pool can take it. Never below 1: pools work out the first target from it, and SRI's answers 0 with a target that
 * every hash meets.
 */
export function announceable(hashesPerSecond: number): number {
  return hashesPerSecond >= 1 ? Math.min(hashesPerSecond, MAX_F32) : 1;
}
