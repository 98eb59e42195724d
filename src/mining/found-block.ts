/** From a share that meets the Bitcoin target to the block that is submitted: all of it from the share's own job. */
import { assembleBlock } from "../bitcoin/block.ts";
import { type Job, jobCoinbase } from "./job.ts";
import type { FoundBlock } from "./ports.ts";

/** A solved header and what belongs to it. */
export interface Solution {
  readonly job: Job;
  /** The 80 bytes; copied. */
  readonly header: Uint8Array;
  /** `Uint8Array(32)`, internal byte order; copied. */
  readonly hash: Uint8Array;
  /** Whole extranonce. */
  readonly extranonce: Uint8Array;
  /** As `FoundBlock.isGift`. */
  readonly isGift?: boolean;
  readonly userIdentity: string;
  /** Wall time, ms since the Unix epoch. */
  readonly nowMs: number;
}

/** The block of a solution, serialised where the template has its transactions. */
export function foundBlock(solution: Solution): FoundBlock {
  const { job, extranonce, isGift = false, userIdentity, nowMs } = solution;
  const { template } = job;
  const header = solution.header.slice();
  const coinbase = jobCoinbase(job, extranonce).withWitness;
  return {
    hash: solution.hash.slice(),
    height: template.height,
    prevHash: job.prevHash,
    templateId: template.id,
    source: template.source,
    header,
    coinbase,
    block: template.transactions === undefined ? undefined : assembleBlock(header, coinbase, template.transactions),
    reward: job.payoutValue,
    finderReward: job.finder?.output.value ?? 0n,
    finderAddress: job.finder?.address,
    isGift,
    userIdentity,
    foundMs: nowMs,
  };
}
