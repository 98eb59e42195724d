/**
 * All our channels on one connection: opened, grouped, and every message of the pool brought to those that it is for: one channel, or
 * all channels of a group (spec 5.2.3).
 */
import type { Clock } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { peerText } from "../kernel/peer-text.ts";
import type { UpstreamAnswer, UpstreamShare } from "../mining/upstream-ports.ts";
import { mining } from "../sv2/messages/mining.ts";
import type { Decoded } from "../sv2/table.ts";
import { ChannelShares } from "./channel-shares.ts";
import { FutureJobs, holdJob } from "./held-jobs.ts";
import type { ShareTally } from "./share-tally.ts";
import { type ChannelOwner, type Tip, UpstreamChannel } from "./upstream-channel.ts";
import { violation } from "./violation.ts";

/** Messages of the mining protocol. */
export type MiningMessage = Decoded<typeof mining.table>;

/** What is asked for a channel. */
export interface OpenWish {
  readonly userIdentity: string;
  /** Hashes a second, not negative. */
  readonly nominalHashRate: number;
  /** `Uint8Array(32)`, little-endian. */
  readonly maxTarget: Uint8Array;
  readonly minExtranonceSize: number;
}

/** What the channels work with. */
export interface ChannelsDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  readonly send: (frame: Uint8Array) => void;
  readonly tally: ShareTally;
  readonly namesWorkers: () => boolean;
  /** The number of open channels changed. */
  readonly onCount: (open: number) => void;
  /** The pool answered a job that we set; left out where we set none. */
  readonly onCustomJob?: ((answer: CustomJobAnswer) => void) | undefined;
}

/** What a pool says to SetCustomMiningJob: its id of the job, or an error code. */
export type CustomJobAnswer =
  | { readonly requestId: number; readonly jobId: number }
  | { readonly requestId: number; readonly errorCode: string };

/** Options of `UpstreamChannels`. */
export interface ChannelsOptions {
  readonly pool: string;
  /** A share's answer is waited for so long, ms. */
  readonly answerTimeoutMs: number;
}

/** What SubmitSharesExtended carries, bytes. */
const MAX_EXTRANONCE = 32;

interface Group {
  readonly members: Set<UpstreamChannel>;
  readonly future: FutureJobs;
  /** The newest block that the group was told of. */
  tip: Tip | undefined;
}

interface Request {
  readonly owner: ChannelOwner;
  readonly minExtranonceSize: number;
  readonly minerIdentity: string | undefined;
}

/** The channels. */
export class UpstreamChannels {
  readonly #deps: ChannelsDeps;
  readonly #options: ChannelsOptions;
  readonly #channels = new Map<number, UpstreamChannel>();
  readonly #groups = new Map<number, Group>();
  readonly #requests = new Map<number, Request>();
  #requestId = 0;
  #at = 0;

  constructor(deps: ChannelsDeps, options: ChannelsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Open channels. */
  get size(): number {
    return this.#channels.size;
  }

  /**
   * Asks for a channel; `owner` is told of the answer. `minerIdentity`: the one miner below that it is for, whose shares need not name it then.
   * Returns how to give up waiting: a channel that is opened later is closed at once.
   */
  open(wish: OpenWish, owner: ChannelOwner, minerIdentity?: string): () => void {
    this.#requestId += 1;
    const requestId = this.#requestId;
    this.#requests.set(requestId, { owner, minExtranonceSize: wish.minExtranonceSize, minerIdentity });
    this.#deps.send(mining.encode("OpenExtendedMiningChannel", { requestId, ...wish }));
    return () => void this.#requests.delete(requestId);
  }

  /** Tells the pool another hash rate, or another greatest target. */
  update(channel: UpstreamChannel, nominalHashRate: number, maximumTarget: Uint8Array): void {
    if (channel.isClosed) return;
    this.#deps.send(mining.encode("UpdateChannel", { channelId: channel.channelId, nominalHashRate, maximumTarget }));
  }

  /** Closes a channel on our initiative. */
  close(channel: UpstreamChannel, reasonCode: string): void {
    if (channel.isClosed) return;
    this.#remove(channel);
    this.#deps.send(mining.encode("CloseChannel", { channelId: channel.channelId, reasonCode }));
  }

  /** Closes all channels. */
  closeAll(reasonCode: string): void {
    for (const channel of [...this.#channels.values()]) this.close(channel, reasonCode);
  }

  /** Sends a share on the channel of its job. */
  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    const channel = this.#channels.get(share.work.channelId);
    if (channel === undefined) {
      this.#deps.tally.unsent("gone");
      return false;
    }
    return channel.shares.submit(share, answer);
  }

  /** Gives up shares that wait for too long. To be called every second. */
  expire(): void {
    for (const channel of this.#channels.values()) channel.shares.expire(this.#channels.size);
  }

  /** The connection is gone. Nothing is told but that shares got no answer. */
  abandon(): void {
    const all = [...this.#channels.values()];
    this.#channels.clear();
    this.#groups.clear();
    this.#requests.clear();
    for (const channel of all) {
      channel.isClosed = true;
      channel.shares.abandon();
    }
    this.#deps.onCount(0);
  }

  /** Takes a message. Throws `Fault` for one that costs the pool the connection. */
  receive(message: MiningMessage): void {
    this.#at += 1;
    switch (message.name) {
      case "OpenExtendedMiningChannelSuccess":
        this.#opened(message.value);
        return;
      case "OpenMiningChannelError": {
        const request = this.#requests.get(message.value.requestId);
        this.#requests.delete(message.value.requestId);
        request?.owner.onRefused(message.value.errorCode);
        return;
      }
      case "SetGroupChannel":
        for (const channelId of message.value.channelIds) {
          const channel = this.#channels.get(channelId);
          if (channel !== undefined) this.#regroup(channel, message.value.groupChannelId);
        }
        return;
      case "NewExtendedMiningJob":
        this.#job(message.value);
        return;
      case "SetNewPrevHash":
        this.#newPrevHash(message.value);
        return;
      case "SetTarget": {
        const target = message.value.maximumTarget.slice();
        for (const channel of this.#addressed(message.value.channelId)) channel.setTarget(target);
        return;
      }
      case "CloseChannel":
        for (const channel of this.#addressed(message.value.channelId)) {
          this.#remove(channel);
          channel.owner.onClosed(channel, peerText(message.value.reasonCode));
        }
        return;
      case "SetExtranoncePrefix":
        this.#channel(message.value.channelId)?.setExtranoncePrefix(message.value.extranoncePrefix.slice(), this.#at);
        return;
      case "SubmitSharesSuccess":
        this.#channel(message.value.channelId)?.shares.accepted(message.value);
        return;
      case "SubmitSharesError":
        this.#channel(message.value.channelId)?.shares.refused(message.value);
        return;
      case "UpdateChannelError":
        this.#deps.log.warn("the pool does not take a channel's new hash rate or greatest target", {
          channelId: message.value.channelId,
          errorCode: peerText(message.value.errorCode),
        });
        return;
      case "SetCustomMiningJobSuccess":
        this.#deps.onCustomJob?.({ requestId: message.value.requestId, jobId: message.value.jobId });
        return;
      case "SetCustomMiningJobError": {
        const { requestId, errorCode } = message.value;
        this.#deps.onCustomJob?.({ requestId, errorCode: peerText(errorCode) });
        return;
      }
      default:
        // Answers to what we never ask for: standard channels.
        this.#deps.log.debug("a message of the pool that nothing asked for was passed over", { message: message.name });
        return;
    }
  }

  #opened(opened: Extract<MiningMessage, { readonly name: "OpenExtendedMiningChannelSuccess" }>["value"]): void {
    const { requestId, channelId, groupChannelId, extranonceSize } = opened;
    const { clock, log, send, tally, namesWorkers } = this.#deps;
    if (this.#channels.has(channelId) || this.#groups.has(channelId) || channelId === groupChannelId) {
      throw violation("a channel was opened with an id that is in use", { channelId });
    }
    const request = this.#requests.get(requestId);
    if (request === undefined) {
      if (requestId === 0 || requestId > this.#requestId) {
        throw violation("a channel was opened that was not asked for", { requestId });
      }
      // Nobody wants it any more.
      send(mining.encode("CloseChannel", { channelId, reasonCode: "it came too late" }));
      return;
    }
    this.#requests.delete(requestId);
    if (extranonceSize < request.minExtranonceSize) {
      const { pool } = this.#options;
      throw new Fault("upstream-extranonce-refused", { pool, asked: request.minExtranonceSize, given: extranonceSize });
    }
    if (extranonceSize > MAX_EXTRANONCE)
      throw violation("the extranonce does not fit into a share", { extranonceSize });
    const { minerIdentity } = request;
    const shares = new ChannelShares(
      { clock, log, send, tally, namesWorkers },
      { channelId, extranonceSize, minerIdentity, timeoutMs: this.#options.answerTimeoutMs },
    );
    const channel = new UpstreamChannel({ owner: request.owner, shares }, opened);
    this.#channels.set(channelId, channel);
    this.#join(channel, groupChannelId);
    this.#deps.onCount(this.#channels.size);
    request.owner.onOpened(channel);
  }

  #job(message: Extract<MiningMessage, { readonly name: "NewExtendedMiningJob" }>["value"]): void {
    const { channelId, minNtime, jobId } = message;
    const job = holdJob(message, this.#at);
    const group = this.#groups.get(channelId);
    if (minNtime === null) {
      (group ?? this.#channel(channelId))?.future.keep(job);
      return;
    }
    for (const channel of this.#addressed(channelId)) {
      // A channel that was opened between a group's messages may have been told of no block itself.
      const tip = channel.tip ?? group?.tip;
      if (tip !== undefined) channel.activate(job, tip, "refresh");
      else if (group === undefined) {
        throw violation("a job that is no future job came before any block", { channelId, jobId });
      }
    }
  }

  #newPrevHash(message: Extract<MiningMessage, { readonly name: "SetNewPrevHash" }>["value"]): void {
    const { channelId, jobId, minNtime, nbits } = message;
    const tip = { prevHash: message.prevHash.slice(), minNtime, nbits };
    const group = this.#groups.get(channelId);
    if (group !== undefined) group.tip = tip;
    for (const channel of this.#addressed(channelId)) {
      const itsOwn = channel.future.find(jobId);
      const itsGroups = this.#groups.get(channel.groupChannelId)?.future.find(jobId);
      // Pools number a channel's jobs and its group's apart, so both may have that id: the one that was addressed alike is meant.
      const job = group === undefined ? (itsOwn ?? itsGroups) : (itsGroups ?? itsOwn);
      if (job === undefined) {
        throw violation("SetNewPrevHash names a job that is no future job", { channelId, jobId });
      }
      channel.future.clear();
      channel.activate(job, tip, "newBlock");
    }
    group?.future.clear();
  }

  /** The channels that an id means: a channel's, or a group's. One of neither is of a channel that is closed by now. */
  #addressed(channelId: number): readonly UpstreamChannel[] {
    const group = this.#groups.get(channelId);
    if (group !== undefined) return [...group.members];
    const channel = this.#channel(channelId);
    return channel === undefined ? [] : [channel];
  }

  #channel(channelId: number): UpstreamChannel | undefined {
    const channel = this.#channels.get(channelId);
    if (channel === undefined) this.#deps.log.debug("a message for no channel of ours was passed over", { channelId });
    return channel;
  }

  #join(channel: UpstreamChannel, groupChannelId: number): void {
    if (this.#channels.has(groupChannelId)) {
      throw violation("a group has the id of a channel", { groupChannelId });
    }
    channel.groupChannelId = groupChannelId;
    let group = this.#groups.get(groupChannelId);
    if (group === undefined) {
      group = { members: new Set(), future: new FutureJobs(), tip: undefined };
      this.#groups.set(groupChannelId, group);
    }
    group.members.add(channel);
  }

  #leave(channel: UpstreamChannel): void {
    const group = this.#groups.get(channel.groupChannelId);
    group?.members.delete(channel);
    if (group?.members.size === 0) this.#groups.delete(channel.groupChannelId);
  }

  #regroup(channel: UpstreamChannel, groupChannelId: number): void {
    if (channel.groupChannelId === groupChannelId) return;
    this.#leave(channel);
    this.#join(channel, groupChannelId);
  }

  #remove(channel: UpstreamChannel): void {
    channel.isClosed = true;
    this.#channels.delete(channel.channelId);
    this.#leave(channel);
    channel.shares.abandon();
    this.#deps.onCount(this.#channels.size);
  }
}
