/**
 * Judges shares in SRI's order with SRI's error codes (channels_sv2, `validate_share`): stale-share, invalid-job-id,
 * bad-extranonce-size, header time, version bits, then the hash: duplicate-share, difficulty-too-low.
 *
 * A share that meets the Bitcoin target is a block whatever else is wrong with it: late on a stale job (the tip may still
 * be reorganised away), rolled in bits that we do not allow, or with a time that we would not take. Such a share gets the
 * same refusal as any other, but the verdict says `block`, once per header: nodes have the last word on blocks, not we.
 *
 * The hot path of the program: one verdict and two buffers are used for all shares, nothing throws, nothing is a bigint.
 */
import { sha256dInto } from "../bitcoin/hash.ts";
import { HEADER_SIZE } from "../bitcoin/header.ts";
import { meetsTargetBytes } from "../bitcoin/target.ts";
import { SUBMIT_SHARES_ERROR, type SubmitSharesErrorCode } from "../sv2/codes.ts";
import { type Channel, merkleRootOf } from "./channel.ts";
import type { ChannelJob } from "./channel-jobs.ts";
import type { Job } from "./job.ts";

/** What judging needs of SubmitSharesStandard and SubmitSharesExtended. */
export interface Share {
  readonly jobId: number;
  readonly nonce: number;
  /** Header time, Unix seconds. */
  readonly ntime: number;
  readonly version: number;
  /** What the miner rolled; absent on standard channels. */
  readonly extranonce?: Uint8Array;
}

/** What came out. The same object each time: read it before the next share is judged. */
export interface Verdict {
  /** What the miner is told; `undefined` for an accepted share. */
  errorCode: SubmitSharesErrorCode | undefined;
  /** Whether it solves a Bitcoin block that this channel has not solved before. */
  block: boolean;
  /** The job; `undefined` for an unknown job id. */
  job: ChannelJob | undefined;
  /** Whether `header` and `hash` are those of this share: not for an unknown job or an extranonce of the wrong size. */
  hashed: boolean;
  /** The 80 bytes of the header. */
  readonly header: Uint8Array;
  /** The header's hash, `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
}

/** What of a channel takes part in judging. */
export type ShareChannel = Pick<Channel, "jobs" | "duplicates" | "rollableSize">;

/** Where the merkle root is in a header. */
const ROOT_AT = 36;

/** A judge; one serves any number of channels, synchronously. */
export class ShareJudge {
  readonly #maxFutureS: number;
  readonly #header = new Uint8Array(HEADER_SIZE);
  readonly #root = this.#header.subarray(ROOT_AT, ROOT_AT + 32);
  readonly #verdict: Verdict = {
    errorCode: undefined,
    block: false,
    job: undefined,
    hashed: false,
    header: this.#header,
    hash: new Uint8Array(32),
  };

  /**
   * `maxFutureS`: how far header times may be ahead of our clock, or of their job's own time where that is later. Nodes
   * refuse blocks more than 2 hours ahead, so shares beyond that prove work on nothing. The spec's bound, seconds since
   * SetNewPrevHash (5.3.11), is not enforced, as SRI's is not: its own CPU miner is a minute ahead.
   */
  constructor(_deps: object, options: { readonly maxFutureS: number }) {
    this.#maxFutureS = options.maxFutureS;
  }

  /** Judges `share` and keeps an accepted one against duplicates. `nowMs`: wall time. Never throws. */
  judge(channel: ShareChannel, share: Share, nowMs: number): Verdict {
    const verdict = this.#verdict;
    const job = channel.jobs.find(share.jobId);
    verdict.job = job;
    verdict.block = false;
    verdict.hashed = false;
    if (job === undefined) {
      verdict.errorCode = SUBMIT_SHARES_ERROR.invalidJobId;
      return verdict;
    }
    const { extranonce } = share;
    const size = extranonce === undefined ? 0 : extranonce.length;
    if (size !== channel.rollableSize) {
      verdict.errorCode = job.stale ? SUBMIT_SHARES_ERROR.staleShare : SUBMIT_SHARES_ERROR.badExtranonceSize;
      return verdict;
    }
    let errorCode = this.#judgeHeader(job, share, nowMs);
    this.#hash(job, share, extranonce);
    verdict.hashed = true;
    const block = meetsTargetBytes(verdict.hash, job.prepared.bitcoinTarget);
    if (block || errorCode === undefined) {
      if (!block && !meetsTargetBytes(verdict.hash, job.target)) {
        errorCode = SUBMIT_SHARES_ERROR.difficultyTooLow;
      } else {
        const kept = channel.duplicates.add(verdict.hash);
        verdict.block = block && kept !== "duplicate";
        if (kept === "duplicate") errorCode ??= SUBMIT_SHARES_ERROR.duplicateShare;
        else if (kept === "full") errorCode ??= SUBMIT_SHARES_ERROR.invalidShare;
      }
    }
    verdict.errorCode = errorCode;
    return verdict;
  }

  #judgeHeader(job: ChannelJob, share: Share, nowMs: number): SubmitSharesErrorCode | undefined {
    if (job.stale) return SUBMIT_SHARES_ERROR.staleShare;
    const { version, versionRollingMask, minTime } = job.prepared.job;
    // The job's own time is the node's: when our clock is set back, miners still mine what they were given.
    const nowS = Math.max(nowMs / 1000, minTime);
    const leastTime = Math.min(job.minTime, minTime);
    if (share.ntime < leastTime || share.ntime > nowS + this.#maxFutureS) return SUBMIT_SHARES_ERROR.invalidShare;
    if (((share.version ^ version) & ~versionRollingMask) !== 0) {
      return versionRollingMask === 0
        ? SUBMIT_SHARES_ERROR.versionRollingNotAllowed
        : SUBMIT_SHARES_ERROR.invalidNonRollableVersionBit;
    }
    return undefined;
  }

  /** Fills header and hash. */
  #hash(channelJob: ChannelJob, share: Share, extranonce: Uint8Array | undefined): void {
    const header = this.#header;
    const job: Job = channelJob.prepared.job;
    writeU32(header, 0, share.version);
    header.set(job.prevHash, 4);
    if (extranonce === undefined) this.#root.set(merkleRootOf(channelJob));
    else channelJob.prepared.merkleRootInto(this.#root, channelJob.extranoncePrefix, extranonce);
    writeU32(header, 68, share.ntime);
    writeU32(header, 72, job.nBits);
    writeU32(header, 76, share.nonce);
    sha256dInto(this.#verdict.hash, header);
  }
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}
