/**
 * Takes the shares of one connection: has them judged, hands blocks over first of all, attributes and credits what is
 * accepted and answers the miner in the order of the shares.
 *
 * A share of another pool's job that meets that pool's target is sent there, and settled by the answer: credit, acknowledgement, counts and the event
 * (`judged`) come together when it is known, with the time of that moment. Only vardiff counts it at once, for it measures the miner and not the pool.
 */
import { meetsTargetBytes } from "../bitcoin/target.ts";
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
import type { PoolWork } from "./pool-work.ts";
import { type Share, ShareJudge, type Verdict } from "./share.ts";
import { countedCode, ShareForwarding } from "./share-forwarding.ts";
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
  readonly #forwarding: ShareForwarding;
  /** Whether the log knows of names that were too many. */
  #isFolding = false;

  constructor(deps: DownstreamDeps, options: Pick<MiningOptions, "maxFutureS" | "workerCapacity">) {
    this.#deps = deps;
    this.#judge = new ShareJudge({}, { maxFutureS: options.maxFutureS });
    this.#workers = new WorkerIdentities(deps, { capacity: options.workerCapacity });
    this.#forwarding = new ShareForwarding(deps);
  }

  /**
   * Takes a share of `channel`; `tlv` is what followed it, if workers are to be named there (extension 0x0002). Returns
   * whether it was accepted, as far as we can say. Never throws.
   */
  submit(channel: Channel, share: Submission, tlv: Uint8Array | undefined): boolean {
    const nowMs = this.#deps.clock.nowMs();
    const verdict = this.#judge.judge(channel, share, nowMs);
    const isRefused = verdict.errorCode !== undefined;
    const worker = tlv === undefined ? undefined : this.#attribute(tlv, channel.userIdentity, isRefused);
    const userIdentity = worker === undefined ? channel.userIdentity : worker.userIdentity;
    const errorCode = verdict.errorCode ?? worker?.errorCode;
    const { job, block } = verdict;
    const pool = job?.prepared.job.pool;
    let awaits = false;
    if (job !== undefined && pool !== undefined) {
      awaits = verdict.hashed && this.#forward(channel, job, pool, verdict, share, userIdentity, errorCode);
    } else if (job !== undefined && block) {
      this.#solved(job, verdict, share, userIdentity, nowMs);
    }
    if (errorCode !== undefined) {
      this.#reject(channel, share.sequenceNumber, errorCode);
    } else if (job !== undefined && !awaits) {
      const { difficulty } = job;
      const monotonicMs = this.#deps.clock.monotonicMs();
      this.#credit(channel, job, block, userIdentity, nowMs);
      channel.vardiff.share(difficulty, monotonicMs);
      const full = channel.acknowledgement.accept(share.sequenceNumber, difficulty, monotonicMs);
      if (full || block) this.acknowledge(channel);
    }
    const { events } = this.#deps;
    if (events !== undefined) {
      if (events.hashed !== undefined) this.#tellHashed(verdict, share, userIdentity, errorCode === undefined);
      const hash = verdict.hashed ? verdict.hash : undefined;
      if (!awaits) this.#tellJudged(channel, job, block, userIdentity, errorCode, hash);
    }
    return errorCode === undefined;
  }

  /** Refuses a share of no channel of ours. */
  refuseUnknown({ channelId, sequenceNumber }: Submission): void {
    const errorCode = SUBMIT_SHARES_ERROR.invalidChannelId;
    this.#deps.meter.count("shares_rejected_total", 1, { error_code: errorCode });
    this.#deps.send(mining.encode("SubmitSharesError", { channelId, sequenceNumber, errorCode }));
  }

  /** Sends what `channel` has to be told of accepted shares; nothing to a closed one. */
  acknowledge(channel: Channel): void {
    const batch = channel.isOpen ? channel.acknowledgement.take() : undefined;
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

  /**
   * Sends a share of another pool's job there if it is good enough, and a block whatever we think of it. Returns whether the answer settles
   * it: a block that we refuse is refused.
   */
  #forward(
    channel: Channel,
    job: ChannelJob,
    work: PoolWork,
    { block, hash }: Verdict,
    share: Submission,
    userIdentity: string,
    errorCode: string | undefined,
  ): boolean {
    const isGood = errorCode === undefined;
    if (!block && !(isGood && meetsTargetBytes(hash, work.target))) return false;
    const { version, ntime, nonce, sequenceNumber } = share;
    const extranonce = wholeExtranonce(job, share).slice();
    const sent = { work, version, ntime, nonce, extranonce, userIdentity, block };
    if (!isGood) {
      this.#forwarding.forward(sent, hash, () => undefined);
      return false;
    }
    const { difficulty } = job;
    const kept = this.#deps.events?.judged === undefined ? undefined : hash.slice();
    const place = channel.acknowledgement.await(sequenceNumber, difficulty);
    channel.vardiff.share(difficulty, this.#deps.clock.monotonicMs());
    this.#forwarding.forward(sent, hash, (refused) => {
      if (refused === undefined) this.#credit(channel, job, block, userIdentity, this.#deps.clock.nowMs());
      else this.#refuse(channel, sequenceNumber, refused, countedCode(refused));
      const full = channel.acknowledgement.settle(place, refused === undefined, this.#deps.clock.monotonicMs());
      if (full || block) this.acknowledge(channel);
      this.#tellJudged(channel, job, block, userIdentity, refused, kept);
    });
    return true;
  }

  #credit(channel: Channel, channelJob: ChannelJob, block: boolean, userIdentity: string, atMs: number): void {
    const { shares, meter } = this.#deps;
    const { difficulty } = channelJob;
    const { jobId, template, aux, pool } = channelJob.prepared.job;
    const { height } = template;
    channel.countAccepted(difficulty, block);
    const chains = aux === undefined ? NO_CHAINS : aux.chains;
    if (pool === undefined) shares.credit({ userIdentity, difficulty, chains, height, jobId, atMs });
    else shares.credit({ userIdentity, difficulty, chains, height, jobId, atMs, pool: pool.pool });
    meter.count("shares_accepted_total", 1);
    meter.count("shares_accepted_difficulty_total", difficulty);
  }

  #reject(channel: Channel, sequenceNumber: number, errorCode: string): void {
    this.#refuse(channel, sequenceNumber, errorCode, errorCode);
  }

  /** Accepted shares are acknowledged first, so that answers come in the order of the shares. `counted`: what it is counted as. */
  #refuse(channel: Channel, sequenceNumber: number, errorCode: string, counted: string): void {
    const { channelId } = channel;
    channel.countRejected(counted);
    this.#deps.meter.count("shares_rejected_total", 1, { error_code: counted });
    this.acknowledge(channel);
    if (!channel.isOpen) return;
    this.#deps.send(mining.encode("SubmitSharesError", { channelId, sequenceNumber, errorCode }));
  }

  #tellHashed(verdict: Verdict, share: Submission, userIdentity: string, accepted: boolean): void {
    const { job, hash, header, hashed } = verdict;
    if (!hashed || job === undefined) return;
    const extranonce = (): Uint8Array => wholeExtranonce(job, share);
    this.#deps.events?.hashed?.({ job: job.prepared.job, hash, header, extranonce, userIdentity, accepted });
  }

  #tellJudged(
    { channelId }: Channel,
    job: ChannelJob | undefined,
    block: boolean,
    userIdentity: string,
    errorCode: string | undefined,
    hash: Uint8Array | undefined,
  ): void {
    const difficulty = errorCode === undefined && job !== undefined ? job.difficulty : 0;
    const own = job?.prepared.job;
    this.#deps.events?.judged?.({ channelId, userIdentity, errorCode, difficulty, block, job: own, hash });
  }
}

function wholeExtranonce(job: ChannelJob, share: Share): Uint8Array {
  return share.extranonce === undefined ? job.extranoncePrefix : concat(job.extranoncePrefix, share.extranonce);
}
