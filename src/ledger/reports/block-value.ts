/** What a found block is worth, and which states stand for what. */
import type { BlockState } from "../store/schema.ts";

/** What has become of a reward; each state of a block belongs to one. */
export type RewardStage = "waiting" | "immature" | "mature" | "distributed" | "lost";

/** Where the reward of a block in each state is. A row a state: none can be forgotten, and the stages add up to all blocks. */
export const STAGE_OF: Readonly<Record<BlockState, RewardStage>> = {
  found: "waiting",
  submitting: "waiting",
  accepted: "waiting",
  confirmed: "immature",
  uncle: "immature",
  mature: "mature",
  distributed: "distributed",
  orphaned: "lost",
  stale: "lost",
  rejected: "lost",
  failed: "lost",
};

/** All states, in the order in which people read them. */
export const BLOCK_STATES = Object.keys(STAGE_OF) as readonly BlockState[];

/**
 * States of solutions that were no block of their chain: they end no round and count for no luck. An orphan does: it was found as well as any other,
 * and its race was lost after the work was done.
 */
export const NO_BLOCK: readonly BlockState[] = ["stale", "rejected", "failed"];
