/**
 * Which targets a channel may have: between the operator's limits, never easier than the client accepts, and never harder
 * than that of a block, be it Bitcoin's or a merge-mined chain's, or of another pool's shares.
 */
import { difficultyOfTarget, MAX_TARGET, targetOfDifficulty, targetOfHashrate } from "../bitcoin/target.ts";

/** The operator's part. */
export interface DifficultyRange {
  /** Wanted shares a minute and channel. */
  readonly sharesPerMinute: number;
  /** Never easier than this; 1 is 2^32 hashes a share. */
  readonly minDifficulty: number;
  /** Never harder than this. */
  readonly maxDifficulty: number;
}

/** A target in both spellings. */
export interface ChannelTarget {
  readonly target: bigint;
  readonly difficulty: number;
}

/** Whether `hashrate` is a number of hashes a second (spec 5.3.2; SRI refuses -0 too). */
export function isHashrate(hashrate: number): boolean {
  return Number.isFinite(hashrate) && hashrate >= 0 && !Object.is(hashrate, -0);
}

/**
 * The difficulties that vardiff may choose from. A share target harder than the block's would keep miners from sending
 * blocks, so `bitcoinDifficulty` is the upper end too; below 1 it is not, for on regtest and its like every share is a block
 * and the wanted share rate counts for more. The same holds for what else shares are for: `ceilingDifficulty` is that of the easiest merge-mined chain
 * that counts (`AuxSnapshot.channelTarget`), or of the shares that another pool wants of its job (`PoolWork.difficulty`). What the client demands (`maxTarget`) goes before all.
 */
export function difficultyLimits(
  range: DifficultyRange,
  maxTarget: bigint,
  bitcoinDifficulty: number | undefined,
  ceilingDifficulty?: number | undefined,
): { readonly min: number; readonly max: number } {
  const min = Math.max(range.minDifficulty, difficultyOfTarget(maxTarget));
  const network = bitcoinDifficulty !== undefined && bitcoinDifficulty >= 1 ? bitcoinDifficulty : range.maxDifficulty;
  const ceiling = ceilingDifficulty ?? range.maxDifficulty;
  return { min, max: Math.max(min, Math.min(range.maxDifficulty, network, ceiling)) };
}

/** The target that a claimed hashrate stands for, within `limits` and `maxTarget`. A claim of 0 gives the easiest. */
export function targetOfClaim(
  hashrate: number,
  sharesPerMinute: number,
  limits: { readonly min: number; readonly max: number },
  maxTarget: bigint,
): ChannelTarget {
  const wanted = hashrate > 0 ? targetOfHashrate(hashrate, sharesPerMinute) : MAX_TARGET;
  const difficulty = difficultyOfTarget(wanted);
  if (difficulty < limits.min) return targetWithin(limits.min, maxTarget);
  if (difficulty > limits.max) return targetWithin(limits.max, maxTarget);
  return { target: wanted, difficulty };
}

/** The target of `difficulty`, not easier than `maxTarget`. */
export function targetWithin(difficulty: number, maxTarget: bigint): ChannelTarget {
  const target = targetOfDifficulty(difficulty);
  return { target: target < maxTarget ? target : maxTarget, difficulty };
}
