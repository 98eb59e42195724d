/** How shares are judged and acknowledged, as the operator has it: for miners, and for whoever mines as they do. */
import { MINING_DEFAULTS, type MiningOptions } from "../mining/downstream-deps.ts";
import type { Settings } from "./settings.ts";

/** The options of every mining conversation. */
export function miningOptionsOf({ config, upstream }: Pick<Settings, "config" | "upstream">): MiningOptions {
  const { vardiff, limits, jobs, job_declaration } = config;
  return {
    ...MINING_DEFAULTS,
    // The same for all jobs, a pool's and own ones, so that a change of what is mined costs no channel.
    ...(upstream === undefined ? {} : { rollableBytes: upstream.rollableBytes }),
    sharesPerMinute: vardiff.shares_per_minute,
    minDifficulty: vardiff.min_difficulty,
    maxDifficulty: vardiff.max_difficulty,
    maxChannels: limits.channels_per_connection,
    customLeastPercent: job_declaration.least_value_percent,
    ackBatchSize: jobs.ack_shares,
    ackMaxDelayMs: jobs.ack_s * 1000,
  };
}
