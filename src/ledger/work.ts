/** Work of shares as whole numbers of hashes, so that sums are exact and do not depend on their order. That of blocks: `workOfTarget`. */

/** Hashes that difficulty 1 stands for in a share's credit: SRI's and bdiff's 2^32. */
export const HASHES_PER_DIFFICULTY = 2 ** 32;

/** Expected hashes of a share of a channel's difficulty, rounded to a whole number; 1 at least. */
export function workOfDifficulty(difficulty: number): bigint {
  return BigInt(Math.max(1, Math.round(difficulty * HASHES_PER_DIFFICULTY)));
}
