/**
 * The mining conversation with one client after SetupConnection (spec 5.3): it opens channels, hands out jobs, takes
 * shares and steers their difficulty. Messages come in decoded, frames go out through `send`; no socket, no timer.
 *
 * Channels that are paid alike form a group (`channel-groups.ts`), unless the client requires standard jobs: jobs go to the group as
 * one message. As in SRI's pool a new channel is told its group in OpenX.Success and gets its first job and SetNewPrevHash
 * itself; SetGroupChannel is not sent. A client that selects its own work gets jobs to fall back on, where it can set its own. Where every channel has one of its own at the pool above
 * (`poolChannels`), each is a group of its own.
 */
import { targetFromBytes } from "../bitcoin/target.ts";
import { WORKER_TRACKING_TYPE } from "../sv2/messages/extensions.ts";
import { MERGE_MINING_TYPE } from "../sv2/messages/merge-mining.ts";
import { type MINING, mining } from "../sv2/messages/mining.ts";
import type { Decoded, Value } from "../sv2/table.ts";
import { Channel, type ChannelKind, type ChannelSnapshot } from "./channel.ts";
import { type ChannelGroup, ChannelGroups, POOL_GROUP_ID } from "./channel-groups.ts";
import type { ChannelJob } from "./channel-jobs.ts";
import { type ChannelTarget, isHashrate, targetOfClaim, targetWithin } from "./channel-target.ts";
import { CustomJobIntake } from "./custom-job-intake.ts";
import type { DownstreamDeps, DownstreamOptions } from "./downstream-deps.ts";
import { EXTRANONCE_PREFIX_SIZE } from "./extranonce.ts";
import type { Job } from "./job.ts";
import { hasRoom, JobHandout } from "./job-handout.ts";
import { type Grant, isTargetInRange, judgeOpen, type OpenRequest, type Refusal, refusal } from "./open-channel.ts";
import { prepared } from "./prepared-job.ts";
import { ShareIntake, type Submission } from "./share-intake.ts";
import type { PoolChannel } from "./upstream-ports.ts";

/** A mining message, decoded. */
export type MiningMessage = Decoded<typeof MINING>;

/** A claimed hashrate that changes by less is no news: what vardiff measured is better. */
const SAME_CLAIM = Math.log(1.2);

type UpdateChannel = Value<typeof MINING.UpdateChannel>;

/** The conversation. */
export class Downstream {
  readonly #deps: DownstreamDeps;
  readonly #options: DownstreamOptions;
  readonly #channels = new Map<number, Channel>();
  readonly #intake: ShareIntake;
  readonly #groups = new ChannelGroups();
  readonly #handout: JobHandout;
  readonly #custom: CustomJobIntake;
  /** What channels have at the pool above, by channel id. */
  readonly #poolChannels = new Map<number, PoolChannel>();
  #workersNamed = false;
  #lastChannelId = POOL_GROUP_ID;

  constructor(deps: DownstreamDeps, options: DownstreamOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#intake = new ShareIntake(deps, options);
    this.#handout = new JobHandout({ ...deps, channels: this.#channels, groups: this.#groups }, options);
    this.#custom = new CustomJobIntake({ ...deps, channels: this.#channels, handout: this.#handout }, options);
  }

  /** Open channels. */
  get channelCount(): number {
    return this.#channels.size;
  }

  /** Hashes a second of all channels: as measured, or as claimed while little is measured. */
  get hashrate(): number {
    let sum = 0;
    for (const { vardiff } of this.#channels.values()) sum += vardiff.hashrate;
    return sum;
  }

  /** Bytes of one job for all groups but the pool's. */
  get bytesApart(): number {
    return this.#handout.bytesApart;
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
    this.#custom.tellsChains = types.has(MERGE_MINING_TYPE);
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
        this.#custom.set(message.value);
        break;
    }
  }

  /**
   * Gives a new job to all channels: on another previous block (or target, or of another pool) as future job and SetNewPrevHash, else as a job to
   * mine at once, which leaves the older jobs valid. What the connection was given already is passed over, and so is a job whose extranonce is too
   * small for miners and channels: they stay on the last one. Returns whether groups are left that did not get it yet: to be called again with
   * the same job, or a newer one, when others had their turn.
   */
  newJob(job: Job): boolean {
    return this.#handout.newJob(job);
  }

  /** Acknowledges what has waited long enough and corrects difficulties. To be called about once a second. */
  tick(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const channel of this.#channels.values()) {
      if (channel.acknowledgement.due(nowMs)) this.#intake.acknowledge(channel);
      this.#handout.steer(channel, nowMs);
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
    const { events, log, payouts } = this.#deps;
    const job = this.#handout.current();
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
      ceilingDifficulty: work?.ceilingDifficulty,
    };
    const answer = judgeOpen(request, rules);
    if ("errorCode" in answer) {
      const { errorCode, fault } = answer;
      log.debug(`channel refused: ${fault.message}`, { errorCode, error: fault });
      this.#deps.send(mining.encode("OpenMiningChannelError", { requestId, errorCode }));
      return;
    }
    const channel = this.#make(kind, request, answer, job?.extranonceSize);
    const group = this.#groupOf(answer);
    // The group's others have the job before it is the group's that this channel begins with.
    const mines = this.#handout.getsJobs;
    if (mines && job !== undefined) this.#handout.serve(group, job);
    this.#groups.add(group, channel);
    const above = mines ? this.#openAbove(channel, group) : undefined;
    const first = job === undefined ? above?.current() : undefined;
    if (first !== undefined && hasRoom(first.job, this.#options.rollableBytes))
      channel.setExtranonceSize(first.job.extranonceSize);
    this.#welcome(channel, requestId, group);
    if (mines && job !== undefined) this.#handout.begin(group, channel, job);
    else if (first !== undefined) this.#handout.serveAlone(group, channel, first);
    const { channelId, userIdentity, nominalHashrate, difficulty } = channel;
    log.debug(`${kind} channel opened`, { channelId, userIdentity, nominalHashrate, difficulty });
    events?.opened?.(channel.snapshot());
  }

  #groupOf(grant: Grant): ChannelGroup {
    const { payouts, poolChannels } = this.#deps;
    const payout = grant.payout === undefined ? undefined : payouts?.open(grant.payout);
    const nextId = (): number => this.#nextChannelId();
    return poolChannels === undefined ? this.#groups.withPayout(payout, nextId) : this.#groups.alone(payout, nextId);
  }

  /** Opens the channel's counterpart at the pool, where each has one. */
  #openAbove(channel: Channel, group: ChannelGroup): PoolChannel | undefined {
    const { channelId, userIdentity, nominalHashrate, maxTarget } = channel;
    const wish = { userIdentity, nominalHashrate, maxTarget };
    const above = this.#deps.poolChannels?.open(wish, (work) => {
      if (channel.isOpen) this.#handout.serveAlone(group, channel, work);
    });
    if (above !== undefined) this.#poolChannels.set(channelId, above);
    return above;
  }

  /** `extranonceSize`: of the job that the channel begins with; until there is one, no more than it needs. */
  #make(kind: ChannelKind, request: OpenRequest, grant: Grant, extranonceSize?: number): Channel {
    const { sharesPerMinute, ackBatchSize, ackMaxDelayMs, duplicateCapacity, rollableBytes } = this.#options;
    const { userIdentity, nominalHashRate } = request;
    const channelId = this.#nextChannelId();
    const acknowledgement = { batchSize: ackBatchSize, maxDelayMs: ackMaxDelayMs };
    const options = { channelId, kind, userIdentity, nominalHashrate: nominalHashRate, sharesPerMinute };
    const sizes = { rollableBytes, extranonceSize: extranonceSize ?? EXTRANONCE_PREFIX_SIZE + rollableBytes };
    const channel = new Channel({}, { ...options, ...grant, ...sizes, acknowledgement, duplicateCapacity });
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
        : mining.encode("OpenExtendedMiningChannelSuccess", { ...success, extranonceSize: channel.rollableSize }),
    );
  }

  /** The open channels that an id stands for: one, all of a group for the group's id, or none. */
  #addressed(channelId: number): Channel[] {
    const channel = this.#channels.get(channelId);
    return channel === undefined ? [...(this.#groups.withId(channelId)?.channels ?? [])] : [channel];
  }

  /** Forgets channels and gives back their extranonce prefixes, their payouts and what they have at the pool above. */
  #drop(channels: readonly Channel[]): void {
    for (const channel of channels) {
      channel.close();
      this.#channels.delete(channel.channelId);
      this.#poolChannels.get(channel.channelId)?.close();
      this.#poolChannels.delete(channel.channelId);
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
    this.#poolChannels.get(channel.channelId)?.update({ nominalHashrate, maxTarget });
    const limits = this.#handout.limit(channel, channel.jobs.newest?.prepared);
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
    this.#handout.retarget(channel, next, nowMs);
  }

  // Shares

  #submit(kind: ChannelKind, share: Submission, tlv: Uint8Array | undefined): void {
    const channel = this.#channels.get(share.channelId);
    if (channel === undefined || channel.kind !== kind) this.#intake.refuseUnknown(share);
    else if (this.#intake.submit(channel, share, tlv)) this.#handout.steer(channel, this.#deps.clock.monotonicMs());
  }
}
