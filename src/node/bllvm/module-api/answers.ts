/**
 * What methods answer, in the field names of upstream's module (blvm-stratum-v2 `src/module_api.rs`) where it has them. Hashes that upstream gives
 * are hex in internal byte order, as it gives them; `previousblockhash` and whatever is compared with a daemon's output is in display order. Amounts
 * are decimal text, for they may exceed what a JSON number holds.
 */
import { toDisplayHex, toHex } from "../../../kernel/bytes.ts";
import type { AuxEntry } from "../../../mining/aux.ts";
import type { ChannelJob } from "../../../mining/channel-jobs.ts";
import type { Job } from "../../../mining/job.ts";
import type { MergeChannel, ShareAnswer } from "./merge-channel.ts";
import type { BlockReward, ConnectedMiner } from "./ports.ts";

/** A target as 64 hex digits, the highest first. */
function targetHex(target: bigint): string {
  return target.toString(16).padStart(64, "0");
}

/** The Bitcoin work that miners have. `merkle_root` is `null`: every channel has its own, `merkle_path` leads to it from the coinbase. */
export function templateAnswer(job: Job): object {
  const { template } = job;
  return {
    prev_hash: toHex(job.prevHash),
    previousblockhash: toDisplayHex(job.prevHash),
    merkle_root: null,
    merkle_path: job.merklePath.map(toHex),
    height: template.height,
    version: job.version,
    bits: job.nBits,
    target: targetHex(job.bitcoinTarget),
    timestamp: job.minTime,
    curtime: template.curTime,
    mintime: template.minTime,
    // A pool says neither what its coinbase pays nor how many transactions it has.
    coinbasevalue: job.pool === undefined ? template.coinbaseValue.toString() : null,
    tx_count: job.pool === undefined ? template.transactionCount : null,
    job_id: job.jobId,
    pool: job.pool?.pool ?? null,
    chains: job.aux?.chains ?? [],
  };
}

/** One channel of a miner. */
export function minerAnswer(miner: ConnectedMiner): object {
  const { connectionId, channelId, kind, userIdentity, difficulty, hashrate, accepted, rejected, blocks } = miner;
  return {
    connection_id: connectionId,
    channel_id: channelId,
    kind,
    user_identity: userIdentity,
    difficulty,
    hashrate,
    accepted_shares: accepted,
    rejected_shares: Object.values(rejected).reduce((sum, count) => sum + count, 0),
    blocks,
  };
}

/** A channel that was registered. */
export function channelAnswer(channel: MergeChannel, idleMs: number): object {
  const { registration, extranoncePrefix, extranonceSize, difficulty } = channel;
  return {
    ok: true,
    channel_id: channel.id,
    chain_id: registration.chain,
    min_difficulty: registration.minDifficulty ?? null,
    difficulty,
    user_identity: registration.userIdentity,
    extranonce_prefix: toHex(extranoncePrefix),
    extranonce_size: extranonceSize,
    expires_in_s: Math.floor(idleMs / 1000),
  };
}

/** The work of an aux chain in a job, and where the job commits to it. `mining` says how a channel's caller mines it; `null` without a channel. */
export function auxTemplateAnswer({ work, slot, scripts, chain }: AuxEntry, job: Job, mining: object | null): object {
  return {
    chain_id: chain,
    aux_chain_id: slot?.chainId ?? null,
    work_id: work.id,
    aux_hash: toHex(work.hash),
    parent: work.parent,
    height: work.height,
    target: targetHex(work.target),
    value: work.value?.toString() ?? null,
    commitment:
      slot === undefined
        ? { kind: "output", scripts: scripts.map(toHex) }
        : {
            kind: "auxpow",
            index: slot.index,
            branch: slot.branch.map(toHex),
            strict_chain_id: slot.strictChainId,
          },
    job_id: job.jobId,
    parent_height: job.template.height,
    mining,
  };
}

/** Everything that a share of a channel is made of: header = version ‖ prev_hash ‖ merkle root ‖ ntime ‖ bits ‖ nonce. */
export function miningAnswer(channel: MergeChannel, channelJob: ChannelJob): object {
  const { target, minTime, extranoncePrefix } = channelJob;
  const { job } = channelJob.prepared;
  return {
    channel_id: channel.id,
    job_id: job.jobId,
    version: job.version,
    version_rolling_mask: job.versionRollingMask,
    prev_hash: toHex(job.prevHash),
    bits: job.nBits,
    min_ntime: Math.max(minTime, job.minTime),
    coinbase_prefix: toHex(job.coinbasePrefix),
    extranonce_prefix: toHex(extranoncePrefix),
    extranonce_size: channel.extranonceSize,
    coinbase_suffix: toHex(job.coinbaseSuffix),
    merkle_path: job.merklePath.map(toHex),
    share_target: toDisplayHex(target),
  };
}

/** What became of a share. */
export function shareAnswer({ errorCode, difficulty, hash, block, solved }: ShareAnswer): object {
  return {
    ok: errorCode === undefined,
    error_code: errorCode ?? null,
    difficulty,
    share_hash: hash === undefined ? null : toDisplayHex(hash),
    bitcoin_block: block,
    solved,
  };
}

/** What an aux block pays. */
export function rewardAnswer(reward: BlockReward): object {
  return {
    chain_id: reward.chain,
    block_hash: reward.blockHash,
    header_hash: reward.headerHash,
    height: reward.height,
    state: reward.state,
    confirmations: reward.confirmations,
    uncle: reward.isUncle,
    reward: reward.reward?.toString() ?? null,
    expected: reward.expected?.toString() ?? null,
    symbol: reward.coin?.symbol ?? null,
    decimals: reward.coin?.decimals ?? null,
    finder: reward.finder,
    found_ms: reward.foundMs,
    also_won: reward.alsoWon,
  };
}
