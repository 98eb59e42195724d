/** How shares are judged and acknowledged, as the operator has it: for miners, and for whoever mines as they do. */
import { MINING_DEFAULTS, type MiningOptions } from "../mining/downstream-deps.ts";
import type { Config } from "./config/schema.ts";

/** The options of every mining conversation. */
export function miningOptionsOf({ vardiff, limits, jobs }: Config): MiningOptions {
  return {
    ...MINING_DEFAULTS,
    sharesPerMinute: vardiff.shares_per_minute,
    minDifficulty: vardiff.min_difficulty,
    maxDifficulty: vardiff.max_difficulty,
    maxChannels: limits.channels_per_connection,
    ackBatchSize: jobs.ack_shares,
    ackMaxDelayMs: jobs.ack_s * 1000,
  };
}
