/** From PushSolution (spec 6.4.9) to the block: the client names the extranonce and the header, all else is in the job that it declared. */
import { assembleBlock } from "../../bitcoin/block.ts";
import { withWitness } from "../../bitcoin/coinbase.ts";
import { sha256d } from "../../bitcoin/hash.ts";
import { headerHash, serializeHeader } from "../../bitcoin/header.ts";
import { foldMerklePath } from "../../bitcoin/merkle.ts";
import { meetsTarget, targetFromCompact } from "../../bitcoin/target.ts";
import { concat } from "../../kernel/bytes.ts";
import { CUSTOM_SOURCE } from "../../mining/custom-job.ts";
import type { FoundBlock } from "../../mining/ports.ts";
import type { DECLARATION } from "../../sv2/messages/declaration.ts";
import type { Value } from "../../sv2/table.ts";
import type { KeptJob } from "./declarations.ts";

/** The block of `kept` that a solution makes; `undefined` when its hash does not meet the target. `nowMs`: wall time. */
export function solvedBlock(
  kept: KeptJob,
  pushed: Value<typeof DECLARATION.PushSolution>,
  nowMs: number,
): FoundBlock | undefined {
  const { job, height, nBits, payoutValue, work } = kept;
  const { version, ntime: time, nonce } = pushed;
  const stripped = concat(job.coinbasePrefix, pushed.extranonce, job.coinbaseSuffix);
  const merkleRoot = foldMerklePath(sha256d(stripped), job.merklePath);
  const header = serializeHeader({ version, prevHash: job.prevHash, merkleRoot, time, nBits, nonce });
  const hash = headerHash(header);
  if (!meetsTarget(hash, targetFromCompact(nBits))) return undefined;
  const coinbase = withWitness(stripped, job.coinbaseWitness);
  return {
    hash,
    height,
    prevHash: job.prevHash,
    templateId: `${CUSTOM_SOURCE}/pushed`,
    source: CUSTOM_SOURCE,
    header,
    coinbase,
    block: assembleBlock(header, coinbase, job.transactions),
    reward: payoutValue,
    finderReward: 0n,
    finderAddress: undefined,
    userIdentity: work.userIdentifier,
    foundMs: nowMs,
  };
}
