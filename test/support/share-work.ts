/** Work of shares, worked out plainly, to compare tallies with. */
import { HASHES_PER_DIFFICULTY } from "../../src/ledger/credit/tally.ts";

/** Expected hashes of a share of a channel's difficulty, rounded to a whole number; 1 at least. */
export function workOfDifficulty(difficulty: number): bigint {
  return BigInt(Math.max(1, Math.round(difficulty * HASHES_PER_DIFFICULTY)));
}
