/**
 * Gives jobs to the channels of one conversation, each in the form that it wants. What a channel needs before it can mine a job is sent
 * before it: a lower target where the job's shares are wanted easier (SetTarget), its part of an extranonce of another size (SetExtranoncePrefix).
 */

import { mining } from "../sv2/messages/mining.ts";
import { type Channel, merkleRootOf } from "./channel.ts";
import type { ChannelGroup, ChannelGroups } from "./channel-groups.ts";
import type { ChannelJob } from "./channel-jobs.ts";
import { type ChannelTarget, difficultyLimits, targetWithin } from "./channel-target.ts";
import type { DownstreamDeps, DownstreamOptions } from "./downstream-deps.ts";
import { EXTRANONCE_PREFIX_SIZE } from "./extranonce.ts";
import { type Job, repeatJob } from "./job.ts";
import { type PreparedJob, prepared } from "./prepared-job.ts";
import { isSameWork } from "./template.ts";

/** Groups that one call of `newJob` serves: some milliseconds of work, for a proxy may have ten thousand that are all paid apart. */
const GROUPS_AT_ONCE = 32;

/** Bytes of a job's message and SetNewPrevHash, encrypted, beside the coinbase and the merkle path. */
const GROUP_JOB_FRAME = 256;

/** What `JobHandout` works with: the conversation's own, and its channels. */
export interface JobHandoutDeps extends DownstreamDeps {
  readonly channels: ReadonlyMap<number, Channel>;
  readonly groups: ChannelGroups;
}

/** The job side of a conversation. */
export class JobHandout {
  readonly #deps: JobHandoutDeps;
  readonly #options: DownstreamOptions;
  /** The newest job for all channels that this connection was given … */
  #job: Job | undefined;
  /** … and the groups that may not have got it yet. */
  #round: Iterator<ChannelGroup> | undefined;
  /** The newest job that any channel was given. */
  #newest: Job | undefined;
  /** Whether the log knows of a job whose extranonce is too small. */
  #isTold = false;

  constructor(deps: JobHandoutDeps, options: DownstreamOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Bytes of one job for all groups but the pool's. */
  get bytesApart(): number {
    const { apart } = this.#deps.groups;
    if (apart === 0 || this.#newest === undefined) return 0;
    const { merklePath, coinbasePrefix, coinbaseSuffix } = this.#newest;
    return apart * (GROUP_JOB_FRAME + 32 * merklePath.length + coinbasePrefix.length + coinbaseSuffix.length);
  }

  /** The job that all channels share now; `undefined` while there is none that can be given out. */
  current(): Job | undefined {
    const job = this.#deps.currentJob();
    return job !== undefined && this.#isFit(job) ? job : undefined;
  }

  /** Whether jobs are given at all: a client that selects its own work has them to fall back on, where it can set that work here. */
  get getsJobs(): boolean {
    return !this.#options.requiresWorkSelection || this.#deps.customJobs !== undefined;
  }

  /** As `Downstream.newJob`. */
  newJob(job: Job): boolean {
    const { groups, poolChannels, currentJob } = this.#deps;
    if (!this.getsJobs || !this.#isFit(job)) return false;
    if (poolChannels !== undefined && currentJob() === undefined) {
      // A round that channels with work of the pool's were overtaken by.
      this.#forget();
      return false;
    }
    const before = this.#job;
    if (job !== before) {
      this.#job = job;
      this.#newest = job;
      this.#round = groups.all();
      if (poolChannels !== undefined || before === undefined || hasOtherLimits(before, job))
        this.#keepAllBelow(prepared(job));
    }
    for (let served = 0; this.#round !== undefined; ) {
      const { value: group, done } = this.#round.next();
      if (done === true) this.#round = undefined;
      else if (this.serve(group, job) && ++served === GROUPS_AT_ONCE) return true;
    }
    return false;
  }

  /** Gives `job` to the channels of a group. Returns whether they had not got it and now have. */
  serve(group: ChannelGroup, job: Job): boolean {
    const { groupId, channels, job: before } = group;
    if (before === job || channels.size === 0) return false;
    const work = this.#workOf(group, job);
    if (work === undefined) return false;
    group.job = job;
    const newTip = before === undefined || !isSameWork(before, job);
    if (this.#options.requiresStandardJobs) {
      for (const channel of channels) this.#give(channel, work, newTip);
      return true;
    }
    for (const channel of channels) this.#fitPrefix(channel, job);
    this.#deps.send(work.newExtendedMiningJob(groupId, newTip));
    if (newTip) this.#deps.send(work.setNewPrevHash(groupId));
    for (const channel of channels) this.#activate(channel, work, newTip, false);
    return true;
  }

  /** Gives `job` to a channel that was just put into `group`; the group's others have it. */
  begin(group: ChannelGroup, channel: Channel, job: Job): void {
    const work = this.#workOf(group, job);
    // Who has no job yet needs the tip with the next one.
    group.job = work === undefined ? undefined : job;
    if (work !== undefined) this.#give(channel, work, true);
  }

  /** Gives the only channel of `group` work of the channel that it has at the pool. */
  serveAlone(group: ChannelGroup, channel: Channel, work: PreparedJob): void {
    const { job } = work;
    const { job: before } = group;
    if (before === job || !this.#isFit(job)) return;
    this.#forget();
    this.#newest = job;
    this.#keepBelow(channel, work);
    group.job = job;
    this.#give(channel, work, before === undefined || !isSameWork(before, job));
  }

  /** A job that the client of `channel` made itself is active from now on. What it needs to know before is sent. */
  activateCustom(channel: Channel, work: PreparedJob): void {
    this.#keepBelow(channel, work);
    const before = channel.jobs.newest?.prepared.job;
    this.#activate(channel, work, before === undefined || !isSameWork(before, work.job), false);
  }

  /** Which difficulties `channel` may have on `work`; vardiff keeps to them from now on. */
  limit(channel: Channel, work: PreparedJob | undefined): { readonly min: number; readonly max: number } {
    const { bitcoinDifficulty, ceilingDifficulty } = work ?? {};
    const limits = difficultyLimits(this.#options, channel.maxTarget, bitcoinDifficulty, ceilingDifficulty);
    channel.vardiff.limit(limits.min, limits.max);
    return limits;
  }

  /** Corrects the difficulty of a channel when it is time. */
  steer(channel: Channel, nowMs: number): void {
    const difficulty = channel.vardiff.decide(nowMs);
    if (difficulty !== undefined) this.retarget(channel, targetWithin(difficulty, channel.maxTarget), nowMs);
  }

  /**
   * SetTarget, and a job on which it holds at once: active jobs keep theirs (spec 5.3.21). A client that mines a job of its own has it on its next one,
   * for we cannot repeat that.
   */
  retarget(channel: Channel, next: ChannelTarget, nowMs: number): void {
    const changed = next.target !== channel.target;
    this.#setTarget(channel, next, nowMs);
    const job = channel.jobs.newest?.prepared.job;
    if (!changed || job === undefined || job.custom !== undefined) return;
    const again = repeatJob(job, this.#deps.nextJobId(), this.#deps.clock.nowMs());
    this.#give(channel, prepared(again), false);
  }

  /** There is no job any more that all channels share: the next one goes to all of them, whichever it is. */
  #forget(): void {
    this.#job = undefined;
    this.#round = undefined;
  }

  /** Whether a job leaves room for what tells channels apart, beside what their miners roll. */
  #isFit(job: Job): boolean {
    const { rollableBytes } = this.#options;
    const { extranonceSize } = job;
    if (hasRoom(job, rollableBytes)) {
      this.#isTold = false;
      return true;
    }
    if (!this.#isTold) {
      const fields = { extranonceSize, rollableBytes, ...(job.pool === undefined ? {} : { pool: job.pool.pool }) };
      this.#deps.log.error(
        "a job's extranonce is too small for our miners: they stay on the last one that was not",
        fields,
      );
    }
    this.#isTold = true;
    return false;
  }

  /** The job with the coinbase that pays a group; `undefined` when it cannot be made. Whom another pool's coinbase pays is not ours to say. */
  #workOf({ payout }: ChannelGroup, job: Job): PreparedJob | undefined {
    return payout === undefined || job.pool !== undefined ? prepared(job) : this.#deps.payouts?.workFor(job, payout);
  }

  /** Sends a job to one channel alone. */
  #give(channel: Channel, work: PreparedJob, newTip: boolean): void {
    const { send } = this.#deps;
    const { channelId } = channel;
    this.#fitPrefix(channel, work.job);
    const job = this.#activate(channel, work, newTip, true);
    if (channel.kind === "extended") send(work.newExtendedMiningJob(channelId, newTip));
    else send(work.newMiningJob(channelId, newTip, merkleRootOf(job)));
    if (newTip) send(work.setNewPrevHash(channelId));
  }

  /** Tells a channel of its part of an extranonce of another size; for the jobs after it. */
  #fitPrefix(channel: Channel, { extranonceSize }: Job): void {
    if (channel.extranonceSize === extranonceSize) return;
    channel.setExtranonceSize(extranonceSize);
    const { channelId, announcedPrefix: extranoncePrefix } = channel;
    this.#deps.send(mining.encode("SetExtranoncePrefix", { channelId, extranoncePrefix }));
  }

  #activate(channel: Channel, work: PreparedJob, newTip: boolean, own: boolean): ChannelJob {
    const job = channel.activate(work, { newTip, own });
    channel.vardiff.begin(this.#deps.clock.monotonicMs());
    if (channel.holdsRetiredPrefixes) {
      for (const prefix of channel.takeUnusedPrefixes()) this.#deps.extranonces.free(prefix);
    }
    return job;
  }

  #keepAllBelow(work: PreparedJob): void {
    for (const channel of this.#deps.channels.values()) this.#keepBelow(channel, work);
  }

  /**
   * Where blocks, Bitcoin's or a merge-mined chain's, or the shares that a pool wants are easier than a channel's shares, its target is lowered
   * before the job is sent.
   */
  #keepBelow(channel: Channel, work: PreparedJob): void {
    const { max } = this.limit(channel, work);
    if (channel.difficulty <= max) return;
    this.#setTarget(channel, targetWithin(max, channel.maxTarget), this.#deps.clock.monotonicMs());
  }

  #setTarget(channel: Channel, next: ChannelTarget, nowMs: number): void {
    const { channelId } = channel;
    channel.setTarget(next);
    channel.vardiff.applied(next.difficulty, nowMs);
    this.#deps.send(mining.encode("SetTarget", { channelId, maximumTarget: channel.targetBytes }));
    this.#deps.log.trace("target changed", { channelId, difficulty: next.difficulty });
  }
}

/** Whether the extranonce of a job has room for what tells channels apart, beside the bytes that miners roll. */
export function hasRoom(job: Job, rollableBytes: number): boolean {
  return job.extranonceSize >= EXTRANONCE_PREFIX_SIZE + rollableBytes;
}

/** Whether shares of `job` may have to be easier, or may be harder, than those of the job before it. */
function hasOtherLimits(before: Job, job: Job): boolean {
  if (before.nBits !== job.nBits || before.aux?.channelTarget !== job.aux?.channelTarget) return true;
  return before.pool?.difficulty !== job.pool?.difficulty;
}
