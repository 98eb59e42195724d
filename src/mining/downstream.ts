/**
 * The mining conversation with one client after SetupConnection (spec 5.3): it opens channels, hands out jobs, takes
 * shares and steers their difficulty. Messages come in decoded, frames go out through `send`; no socket, no timer.
 *
 * Channels that are paid alike form a group (`channel-groups.ts`), unless the client requires standard jobs: jobs go to the group as
 * one message. As in SRI's pool a new channel is told its group in OpenX.Success and gets its first job and SetNewPrevHash
 * itself; SetGroupChannel is not sent. A client that selects its own work gets no jobs.
 */
import { targetFromBytes } from "../bitcoin/target.ts";
import { SET_CUSTOM_MINING_JOB_ERROR } from "../sv2/codes.ts";
import { WORKER_TRACKING_TYPE } from "../sv2/messages/extensions.ts";
import { type MINING, mining } from "../sv2/messages/mining.ts";
import type { Decoded, Value } from "../sv2/table.ts";
import { Channel, type ChannelKind, type ChannelSnapshot, merkleRootOf } from "./channel.ts";
import { type ChannelGroup, ChannelGroups, POOL_GROUP_ID } from "./channel-groups.ts";
import type { ChannelJob } from "./channel-jobs.ts";
import { type ChannelTarget, difficultyLimits, isHashrate, targetOfClaim, targetWithin } from "./channel-target.ts";
import type { DownstreamDeps, DownstreamOptions } from "./downstream-deps.ts";
import { ROLLABLE_EXTRANONCE_SIZE } from "./extranonce.ts";
import { type Job, repeatJob } from "./job.ts";
import { type Grant, isTargetInRange, judgeOpen, type OpenRequest, type Refusal, refusal } from "./open-channel.ts";
import { type PreparedJob, prepared } from "./prepared-job.ts";
import { ShareIntake, type Submission } from "./share-intake.ts";
import { isSameWork } from "./template.ts";

/** A mining message, decoded. */
export type MiningMessage = Decoded<typeof MINING>;

/** Groups that one call of `newJob` serves: some milliseconds of work, for a proxy may have ten thousand that are all paid apart. */
const GROUPS_AT_ONCE = 32;

/** Bytes of a job's message and SetNewPrevHash, encrypted, beside the coinbase and the merkle path. */
const GROUP_JOB_FRAME = 256;

/** A claimed hashrate that changes by less is no news: what vardiff measured is better. */
const SAME_CLAIM = Math.log(1.2);

type UpdateChannel = Value<typeof MINING.UpdateChannel>;
type SetCustomMiningJob = Value<typeof MINING.SetCustomMiningJob>;

/** The conversation. */
export class Downstream {
  readonly #deps: DownstreamDeps;
  readonly #options: DownstreamOptions;
  readonly #channels = new Map<number, Channel>();
  readonly #intake: ShareIntake;
  readonly #groups = new ChannelGroups();
  #workersNamed = false;
  #lastChannelId = POOL_GROUP_ID;
  /** The newest job that this connection was given … */
  #job: Job | undefined;
  /** … and the groups that may not have got it yet. */
  #round: Iterator<ChannelGroup> | undefined;

  constructor(deps: DownstreamDeps, options: DownstreamOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#intake = new ShareIntake(deps, options);
  }

  /** Open channels. */
  get channelCount(): number {
    return this.#channels.size;
  }

  /** Bytes of one job for all groups but the pool's. */
  get bytesApart(): number {
    const { apart } = this.#groups;
    if (apart === 0 || this.#job === undefined) return 0;
    const { merklePath, coinbasePrefix, coinbaseSuffix } = this.#job;
    return apart * (GROUP_JOB_FRAME + 32 * merklePath.length + coinbasePrefix.length + coinbaseSuffix.length);
  }

  /** Open channels as they are now, in the order in which they were opened: all, or at most `most` from number `first` on. */
  channels(first = 0, most = Number.POSITIVE_INFINITY): ChannelSnapshot[] {
    const page: ChannelSnapshot[] = [];
    let at = 0;
    for (const channel of this.#channels.values()) {
      if (page.length >= most) break;
      if (at >= first) page.push(channel.snapshot());
      at += 1;
    }
    return page;
  }

  /** The job that a channel mines now, as it got it: with the coinbase that its blocks have. `undefined` without such a channel or job. */
  newestJob(channelId: number): ChannelJob | undefined {
    return this.#channels.get(channelId)?.jobs.newest;
  }

  /** Tells which extensions are in use from now on: with 0x0002 shares are attributed to the workers that they name. */
  useExtensions(types: ReadonlySet<number>): void {
    this.#workersNamed = types.has(WORKER_TRACKING_TYPE);
  }

  /** Takes a message of the client. Never throws for what the client says; messages that only servers send are ignored. */
  receive(message: MiningMessage): void {
    switch (message.name) {
      case "SubmitSharesExtended":
        this.#submit("extended", message.value, this.#workersNamed ? message.tlv : undefined);
        break;
      case "SubmitSharesStandard":
        this.#submit("standard", message.value, undefined);
        break;
      case "OpenStandardMiningChannel":
        this.#open("standard", message.value.requestId, message.value);
        break;
      case "OpenExtendedMiningChannel":
        this.#open("extended", message.value.requestId, message.value);
        break;
      case "UpdateChannel":
        this.#update(message.value);
        break;
      case "CloseChannel":
        this.#drop(this.#addressed(message.value.channelId));
        break;
      case "SetCustomMiningJob":
        this.#refuseCustomJob(message.value);
        break;
    }
  }

  /**
   * Gives a new job to all channels: on another previous block (or target) as future job and SetNewPrevHash, else as a job to mine at
   * once, which leaves the older jobs valid. What the connection was given already is passed over. Returns whether groups are left that
   * did not get it yet: to be called again with the same job, or a newer one, when others had their turn.
   */
  newJob(job: Job): boolean {
    if (this.#options.requiresWorkSelection) return false;
    const before = this.#job;
    if (job !== before) {
      this.#job = job;
      this.#round = this.#groups.all();
      if (before?.nBits !== job.nBits || before.aux?.channelTarget !== job.aux?.channelTarget) {
        this.#keepBelowBlock(prepared(job));
      }
    }
    for (let served = 0; this.#round !== undefined; ) {
      const { value: group, done } = this.#round.next();
      if (done === true) this.#round = undefined;
      else if (this.#serve(group, job) && ++served === GROUPS_AT_ONCE) return true;
    }
    return false;
  }

  /** Acknowledges what has waited long enough and corrects difficulties. To be called about once a second. */
  tick(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const channel of this.#channels.values()) {
      if (channel.acknowledgement.due(nowMs)) this.#intake.acknowledge(channel);
      this.#steer(channel, nowMs);
    }
  }

  /** Acknowledges every accepted share; to be called before the connection is closed on our initiative. */
  flush(): void {
    for (const channel of this.#channels.values()) this.#intake.acknowledge(channel);
  }

  /**
   * Ends a channel, or all channels of a group with the group's id, on our initiative (CloseChannel, spec 5.3.9). Shares that come
   * afterwards are refused with "invalid-channel-id", so let shares on their way arrive first.
   */
  closeChannel(channelId: number, reasonCode: string): void {
    const channels = this.#addressed(channelId);
    for (const channel of channels) this.#intake.acknowledge(channel);
    const asGroup = !this.#channels.has(channelId) && !this.#options.requiresStandardJobs && channels.length > 0;
    const ids = asGroup ? [channelId] : channels.map((channel) => channel.channelId);
    for (const id of ids) this.#deps.send(mining.encode("CloseChannel", { channelId: id, reasonCode }));
    this.#drop(channels);
  }

  /**
   * Moves a channel to another part of the extranonce space (SetExtranoncePrefix, spec 5.3.10) for the jobs from now on;
   * shares for older jobs are judged with the prefix of their time. Returns whether it was done: not for an unknown
   * channel, and not when the space is exhausted.
   */
  changeExtranoncePrefix(channelId: number): boolean {
    const channel = this.#channels.get(channelId);
    const prefix = channel === undefined ? undefined : this.#deps.extranonces.allocate();
    if (channel === undefined || prefix === undefined) return false;
    channel.setExtranoncePrefix(prefix);
    const extranoncePrefix = channel.announcedPrefix;
    this.#deps.send(mining.encode("SetExtranoncePrefix", { channelId, extranoncePrefix }));
    return true;
  }

  /** The connection is gone: gives back what its channels hold. Sends nothing. */
  close(): void {
    this.#drop([...this.#channels.values()]);
  }

  // Opening, updating, closing

  #open(kind: ChannelKind, requestId: number, request: OpenRequest): void {
    const { currentJob, events, log, payouts } = this.#deps;
    const job = currentJob();
    // A round over many connections may not have reached this one yet.
    if (job !== undefined) this.newJob(job);
    const work = job === undefined ? undefined : prepared(job);
    const rules = {
      ...this.#options,
      authoriser: this.#deps.authoriser,
      payoutOf: payouts === undefined ? undefined : (userIdentity: string) => payouts.read(userIdentity),
      extranonces: this.#deps.extranonces,
      channels: this.#channels.size,
      bitcoinDifficulty: work?.bitcoinDifficulty,
      auxDifficulty: work?.auxDifficulty,
    };
    const answer = judgeOpen(request, rules);
    if ("errorCode" in answer) {
      const { errorCode, fault } = answer;
      log.debug(`channel refused: ${fault.message}`, { errorCode, error: fault });
      this.#deps.send(mining.encode("OpenMiningChannelError", { requestId, errorCode }));
      return;
    }
    const channel = this.#make(kind, request, answer);
    const payout = answer.payout === undefined ? undefined : payouts?.open(answer.payout);
    const group = this.#groups.withPayout(payout, () => this.#nextChannelId());
    const works = job !== undefined && !this.#options.requiresWorkSelection;
    // The group's others have the job before it is the group's that this channel begins with.
    if (works) this.#serve(group, job);
    this.#groups.add(group, channel);
    this.#welcome(channel, requestId, group);
    const first = works ? this.#workOf(group, job) : undefined;
    // Who has no job yet needs the tip with the next one.
    group.job = first === undefined ? undefined : job;
    if (first !== undefined) this.#give(channel, first, true);
    const { channelId, userIdentity, nominalHashrate, difficulty } = channel;
    log.debug(`${kind} channel opened`, { channelId, userIdentity, nominalHashrate, difficulty });
    events?.opened?.(channel.snapshot());
  }

  #make(kind: ChannelKind, request: OpenRequest, grant: Grant): Channel {
    const { sharesPerMinute, ackBatchSize, ackMaxDelayMs, duplicateCapacity } = this.#options;
    const { userIdentity, nominalHashRate } = request;
    const channelId = this.#nextChannelId();
    const acknowledgement = { batchSize: ackBatchSize, maxDelayMs: ackMaxDelayMs };
    const options = { channelId, kind, userIdentity, nominalHashrate: nominalHashRate, sharesPerMinute };
    const channel = new Channel({}, { ...options, ...grant, acknowledgement, duplicateCapacity });
    this.#channels.set(channelId, channel);
    return channel;
  }

  #nextChannelId(): number {
    this.#lastChannelId += 1;
    return this.#lastChannelId;
  }

  #welcome(channel: Channel, requestId: number, { groupId: groupChannelId }: ChannelGroup): void {
    const { channelId, targetBytes: target, announcedPrefix: extranoncePrefix } = channel;
    const success = { requestId, channelId, target, extranoncePrefix, groupChannelId };
    this.#deps.send(
      channel.kind === "standard"
        ? mining.encode("OpenStandardMiningChannelSuccess", success)
        : mining.encode("OpenExtendedMiningChannelSuccess", { ...success, extranonceSize: ROLLABLE_EXTRANONCE_SIZE }),
    );
  }

  /** The open channels that an id stands for: one, all of a group for the group's id, or none. */
  #addressed(channelId: number): Channel[] {
    const channel = this.#channels.get(channelId);
    return channel === undefined ? [...(this.#groups.withId(channelId)?.channels ?? [])] : [channel];
  }

  /** Forgets channels and gives back their extranonce prefixes and payouts. */
  #drop(channels: readonly Channel[]): void {
    for (const channel of channels) {
      this.#channels.delete(channel.channelId);
      const payout = this.#groups.remove(channel);
      if (payout !== undefined) this.#deps.payouts?.close(payout);
      for (const prefix of channel.heldPrefixes) this.#deps.extranonces.free(prefix);
      this.#deps.events?.closed?.(channel.snapshot());
    }
  }

  #update({ channelId, nominalHashRate, maximumTarget }: UpdateChannel): void {
    const channel = this.#channels.get(channelId);
    const maxTarget = targetFromBytes(maximumTarget);
    let refused: Refusal | undefined;
    if (channel === undefined) refused = refusal("channel-unknown", { channelId });
    else if (!isHashrate(nominalHashRate)) refused = refusal("channel-hashrate-invalid", { nominalHashRate });
    else if (!isTargetInRange(maxTarget, this.#options)) refused = refusal("channel-max-target-out-of-range");
    else this.#apply(channel, nominalHashRate, maxTarget);
    if (refused === undefined) return;
    this.#deps.send(mining.encode("UpdateChannelError", { channelId, errorCode: refused.errorCode }));
  }

  /** A new claim starts vardiff anew. Answered with SetTarget in any case: SRI does so, and clients wait for it. */
  #apply(channel: Channel, nominalHashrate: number, maxTarget: bigint): void {
    channel.maxTarget = maxTarget;
    const limits = this.#limit(channel, channel.jobs.newest?.prepared);
    const news = Math.abs(Math.log((nominalHashrate + 1) / (channel.nominalHashrate + 1))) > SAME_CLAIM;
    channel.nominalHashrate = nominalHashrate;
    const nowMs = this.#deps.clock.monotonicMs();
    let next: ChannelTarget = channel;
    if (news) {
      next = targetOfClaim(nominalHashrate, this.#options.sharesPerMinute, limits, maxTarget);
      if (channel.jobs.newest !== undefined) channel.vardiff.restart(next.difficulty, nowMs);
    } else {
      const kept = Math.min(limits.max, Math.max(limits.min, channel.difficulty));
      if (kept !== channel.difficulty || channel.target > maxTarget) next = targetWithin(kept, maxTarget);
    }
    this.#retarget(channel, next, nowMs);
  }

  #refuseCustomJob({ channelId, requestId }: SetCustomMiningJob): void {
    const errorCode = SET_CUSTOM_MINING_JOB_ERROR.jdNotSupported;
    this.#deps.send(mining.encode("SetCustomMiningJobError", { channelId, requestId, errorCode }));
  }

  // Jobs and targets

  /** The job with the coinbase that pays a group; `undefined` when it cannot be made. */
  #workOf({ payout }: ChannelGroup, job: Job): PreparedJob | undefined {
    return payout === undefined ? prepared(job) : this.#deps.payouts?.workFor(job, payout);
  }

  /** Gives `job` to the channels of a group. Returns whether they had not got it and now have. */
  #serve(group: ChannelGroup, job: Job): boolean {
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
    this.#deps.send(work.newExtendedMiningJob(groupId, newTip));
    if (newTip) this.#deps.send(work.setNewPrevHash(groupId));
    for (const channel of channels) this.#activate(channel, work, newTip, false);
    return true;
  }

  /** Sends a job to one channel alone. */
  #give(channel: Channel, work: PreparedJob, newTip: boolean): void {
    const { send } = this.#deps;
    const { channelId } = channel;
    const job = this.#activate(channel, work, newTip, true);
    if (channel.kind === "extended") send(work.newExtendedMiningJob(channelId, newTip));
    else send(work.newMiningJob(channelId, newTip, merkleRootOf(job)));
    if (newTip) send(work.setNewPrevHash(channelId));
  }

  #activate(channel: Channel, work: PreparedJob, newTip: boolean, own: boolean): ChannelJob {
    const job = channel.activate(work, { newTip, own });
    channel.vardiff.begin(this.#deps.clock.monotonicMs());
    if (channel.holdsRetiredPrefixes) {
      for (const prefix of channel.takeUnusedPrefixes()) this.#deps.extranonces.free(prefix);
    }
    return job;
  }

  /** Where blocks, Bitcoin's or a merge-mined chain's, are easier than a channel's shares, its target is lowered before the job is sent. */
  #keepBelowBlock(work: PreparedJob): void {
    for (const channel of this.#channels.values()) {
      const { max } = this.#limit(channel, work);
      if (channel.difficulty <= max) continue;
      this.#setTarget(channel, targetWithin(max, channel.maxTarget), this.#deps.clock.monotonicMs());
    }
  }

  #limit(channel: Channel, work: PreparedJob | undefined): { readonly min: number; readonly max: number } {
    const limits = difficultyLimits(this.#options, channel.maxTarget, work?.bitcoinDifficulty, work?.auxDifficulty);
    channel.vardiff.limit(limits.min, limits.max);
    return limits;
  }

  #steer(channel: Channel, nowMs: number): void {
    const difficulty = channel.vardiff.decide(nowMs);
    if (difficulty !== undefined) this.#retarget(channel, targetWithin(difficulty, channel.maxTarget), nowMs);
  }

  /** SetTarget, and a job on which it holds at once: active jobs keep theirs (spec 5.3.21). */
  #retarget(channel: Channel, next: ChannelTarget, nowMs: number): void {
    const changed = next.target !== channel.target;
    this.#setTarget(channel, next, nowMs);
    const job = channel.jobs.newest?.prepared.job;
    if (!changed || job === undefined) return;
    const again = repeatJob(job, this.#deps.nextJobId(), this.#deps.clock.nowMs());
    this.#give(channel, prepared(again), false);
  }

  #setTarget(channel: Channel, next: ChannelTarget, nowMs: number): void {
    const { channelId } = channel;
    channel.setTarget(next);
    channel.vardiff.applied(next.difficulty, nowMs);
    this.#deps.send(mining.encode("SetTarget", { channelId, maximumTarget: channel.targetBytes }));
    this.#deps.log.trace("target changed", { channelId, difficulty: next.difficulty });
  }

  // Shares

  #submit(kind: ChannelKind, share: Submission, tlv: Uint8Array | undefined): void {
    const channel = this.#channels.get(share.channelId);
    if (channel === undefined || channel.kind !== kind) this.#intake.refuseUnknown(share);
    else if (this.#intake.submit(channel, share, tlv)) this.#steer(channel, this.#deps.clock.monotonicMs());
  }
}
