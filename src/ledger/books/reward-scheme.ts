/**
 * The schemes by which a reward is divided among workers. A scheme says how far back work counts and what it weighs; reading the work and splitting
 * the amount is the same for all, so a new scheme is a new row here.
 */
import { type CountedWork, weightsOf } from "./counted-work.ts";
import type { Weight } from "./largest-remainder.ts";
import { type RewardRules, type SchemeName, WHOLE } from "./reward-rules.ts";

/** A found block, as far as schemes look at it. */
export interface Round {
  readonly foundMs: number;
  /** Hashes that a block of its target takes on average. */
  readonly difficulty: bigint;
  /** When the chain's block before it was found, of those that were not rejected, stale, failed or orphaned; `undefined` for the first. */
  readonly previousFoundMs: number | undefined;
}

/** Which work counts: that after `fromMs`, and no more than `work` hashes of it, the newest; `undefined` for all of it. */
export interface Reach {
  readonly fromMs: number;
  readonly work: bigint | undefined;
}

/** A way to divide a reward among workers. */
export interface RewardScheme {
  readonly name: SchemeName;
  /** How far back work counts; `undefined` when none is to be read. */
  reach(round: Round, rules: RewardRules): Reach | undefined;
  /** What each worker weighs; never empty, never all 0. */
  weights(work: CountedWork): Weight[];
}

/** The schemes. None of them pays for luck: work is counted at the channel's difficulty, so that finding a block adds nothing but in `solo`. */
export const SCHEMES: Readonly<Record<SchemeName, RewardScheme>> = {
  /** Pay per last N shares: the newest work up to a multiple of the block's difficulty, so leaving early or coming late changes nothing. */
  pplns: {
    name: "pplns",
    reach: ({ foundMs, difficulty }, { windowMillionths, maxWindowMs }) => ({
      fromMs: foundMs - maxWindowMs,
      work: atLeastOne((difficulty * BigInt(windowMillionths)) / BigInt(WHOLE)),
    }),
    weights: weightsOf,
  },
  /** All work since the block before. */
  proportional: {
    name: "proportional",
    reach: ({ foundMs, previousFoundMs }, { maxWindowMs }) => ({
      fromMs: Math.max(previousFoundMs ?? Number.NEGATIVE_INFINITY, foundMs - maxWindowMs),
      work: undefined,
    }),
    weights: weightsOf,
  },
  /** The finder takes all. */
  solo: {
    name: "solo",
    reach: () => undefined,
    weights: ({ finder }) => [{ name: finder, weight: 1n }],
  },
};

function atLeastOne(work: bigint): bigint {
  return work > 0n ? work : 1n;
}
