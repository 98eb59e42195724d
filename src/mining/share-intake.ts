/**
 * Takes the shares of one connection: has them judged, hands blocks over first of all, attributes and credits what is
 * accepted and answers the miner in the order of the shares.
 */
import { concat } from "../kernel/bytes.ts";
import { describe, Fault } from "../kernel/fault.ts";
import { SUBMIT_SHARES_ERROR } from "../sv2/codes.ts";
import { type MINING, mining } from "../sv2/messages/mining.ts";
import type { Value } from "../sv2/table.ts";
import { decodeUserIdentity } from "../sv2/tlv.ts";
import { NO_CHAINS } from "./aux.ts";
import type { Channel } from "./channel.ts";
import type { ChannelJob } from "./channel-jobs.ts";
import type { DownstreamDeps, MiningOptions } from "./downstream-deps.ts";
import { foundBlock } from "./found-block.ts";
import { refusal } from "./open-channel.ts";
import { type Share, ShareJudge, type Verdict } from "./share.ts";
import { isWellFormedIdentity, workerOf } from "./user-identity.ts";
import { WorkerIdentities } from "./worker-identities.ts";

/** The fields of SubmitSharesStandard, and of SubmitSharesExtended with its extranonce. */
export type Submission = Value<typeof MINING.SubmitSharesStandard> & Share;

/** Who a share is attributed to, and why it is refused if that worker may not mine. */
interface Attribution {
  readonly userIdentity: string;
  readonly errorCode: string | undefined;
}

/** The share side of a conversation. */
export class ShareIntake {
  readonly #deps: DownstreamDeps;
  readonly #judge: ShareJudge;
  readonly #workers: WorkerIdentities;
  /** Whether the log knows of names that were too many. */
  #isFolding = false;

  constructor(deps: DownstreamDeps, options: Pick<MiningOptions, "maxFutureS" | "workerCapacity">) {
    this.#deps = deps;
    this.#judge = new ShareJudge({}, { maxFutureS: options.maxFutureS });
    this.#workers = new WorkerIdentities(deps, { capacity: options.workerCapacity });
  }

  /**
   * Takes a share of `channel`; `tlv` is what followed it, if workers are to be named there (extension 0x0002). Returns
   * whether it was accepted. Never throws.
   */
  submit(channel: Channel, share: Submission, tlv: Uint8Array | undefined): boolean {
    const nowMs = this.#deps.clock.nowMs();
    const verdict = this.#judge.judge(channel, share, nowMs);
    const isRefused = verdict.errorCode !== undefined;
    const worker = tlv === undefined ? undefined : this.#attribute(tlv, channel.userIdentity, isRefused);
    const userIdentity = worker === undefined ? channel.userIdentity : worker.userIdentity;
    const errorCode = verdict.errorCode ?? worker?.errorCode;
    const { job } = verdict;
    if (verdict.block && job !== undefined) this.#solved(job, verdict, share, userIdentity, nowMs);
    if (errorCode === undefined && job !== undefined) {
      this.#accept(channel, job, verdict.block, share.sequenceNumber, userIdentity, nowMs);
    } else if (errorCode !== undefined) {
      this.#reject(channel, share.sequenceNumber, errorCode);
    }
    if (this.#deps.events !== undefined) this.#tell(channel, verdict, share, userIdentity, errorCode);
    return errorCode === undefined;
  }

  /** Refuses a share of no channel of ours. */
  refuseUnknown({ channelId, sequenceNumber }: Submission): void {
    const errorCode = SUBMIT_SHARES_ERROR.invalidChannelId;
    this.#deps.meter.count("shares_rejected_total", 1, { error_code: errorCode });
    this.#deps.send(mining.encode("SubmitSharesError", { channelId, sequenceNumber, errorCode }));
  }

  /** Sends what `channel` has to be told of accepted shares. */
  acknowledge(channel: Channel): void {
    const batch = channel.acknowledgement.take();
    if (batch === undefined) return;
    this.#deps.send(mining.encode("SubmitSharesSuccess", { channelId: channel.channelId, ...batch }));
  }

  /** A share that names nobody is the channel user's; an unfit name costs the share. A name is kept for work alone, so one of a share that is refused is not. */
  #attribute(tlv: Uint8Array, channelUser: string, isRefused: boolean): Attribution {
    try {
      const worker = decodeUserIdentity(tlv);
      if (worker === undefined || worker === "") return { userIdentity: channelUser, errorCode: undefined };
      if (isWellFormedIdentity(worker)) {
        const userIdentity = workerOf(channelUser, worker);
        if (isRefused) {
          return { userIdentity: this.#workers.takes(userIdentity) ? userIdentity : channelUser, errorCode: undefined };
        }
        const answer = this.#workers.ask(userIdentity);
        return answer === undefined ? this.#folded(channelUser) : { userIdentity, errorCode: answer.refusal };
      }
      return { userIdentity: channelUser, errorCode: refusal("channel-identity-invalid").errorCode };
    } catch (error) {
      // Whoever appends garbage breaks the protocol, and an authoriser may fail, but the share may be a block.
      if (!(error instanceof Fault)) {
        this.#deps.log.error(`a worker could not be authorised: ${describe(error)}`, { error });
      }
      return { userIdentity: channelUser, errorCode: SUBMIT_SHARES_ERROR.invalidShare };
    }
  }

  /** The work of a name too many is not lost: it is the channel user's, whose account it would be paid to anyway. */
  #folded(channelUser: string): Attribution {
    if (!this.#isFolding) {
      const most = this.#workers.size;
      this.#deps.log.warn(
        `${JSON.stringify(channelUser)} names more than ${most} workers on one connection; the others count for itself`,
        { user: channelUser, most },
      );
    }
    this.#isFolding = true;
    return { userIdentity: channelUser, errorCode: undefined };
  }

  #solved(job: ChannelJob, verdict: Verdict, share: Submission, userIdentity: string, nowMs: number): void {
    const { header, hash } = verdict;
    const extranonce = wholeExtranonce(job, share);
    const isGift = this.#deps.payouts !== undefined;
    this.#deps.blocks(foundBlock({ job: job.prepared.job, header, hash, extranonce, isGift, userIdentity, nowMs }));
    this.#deps.meter.count("blocks_found_total", 1);
  }

  #accept(
    channel: Channel,
    channelJob: ChannelJob,
    block: boolean,
    sequenceNumber: number,
    userIdentity: string,
    nowMs: number,
  ): void {
    const { clock, shares, meter } = this.#deps;
    const { difficulty } = channelJob;
    const { jobId, template, aux } = channelJob.prepared.job;
    const monotonicMs = clock.monotonicMs();
    channel.countAccepted(difficulty, block);
    const chains = aux === undefined ? NO_CHAINS : aux.chains;
    shares.credit({ userIdentity, difficulty, chains, height: template.height, jobId, atMs: nowMs });
    meter.count("shares_accepted_total", 1);
    meter.count("shares_accepted_difficulty_total", difficulty);
    channel.vardiff.share(difficulty, monotonicMs);
    const full = channel.acknowledgement.accept(sequenceNumber, difficulty, monotonicMs);
    if (full || block) this.acknowledge(channel);
  }

  /** Accepted shares are acknowledged first, so that answers come in the order of the shares. */
  #reject(channel: Channel, sequenceNumber: number, errorCode: string): void {
    const { channelId } = channel;
    channel.countRejected(errorCode);
    this.#deps.meter.count("shares_rejected_total", 1, { error_code: errorCode });
    this.acknowledge(channel);
    this.#deps.send(mining.encode("SubmitSharesError", { channelId, sequenceNumber, errorCode }));
  }

  #tell(
    channel: Channel,
    verdict: Verdict,
    share: Submission,
    userIdentity: string,
    errorCode: string | undefined,
  ): void {
    const { events } = this.#deps;
    const { job, block, hash, header } = verdict;
    const accepted = errorCode === undefined;
    if (events?.hashed !== undefined && verdict.hashed && job !== undefined) {
      const extranonce = (): Uint8Array => wholeExtranonce(job, share);
      events.hashed({ job: job.prepared.job, hash, header, extranonce, userIdentity, accepted });
    }
    if (events?.judged === undefined) return;
    const difficulty = accepted && job !== undefined ? job.difficulty : 0;
    const { channelId } = channel;
    const hashed = verdict.hashed ? hash : undefined;
    events.judged({ channelId, userIdentity, errorCode, difficulty, block, job: job?.prepared.job, hash: hashed });
  }
}

function wholeExtranonce(job: ChannelJob, share: Share): Uint8Array {
  return share.extranonce === undefined ? job.extranoncePrefix : concat(job.extranoncePrefix, share.extranonce);
}
