/**
 * The groups of one connection's channels (spec 5.2.3). Channels that are paid alike have the same job, so they are a group: one message
 * serves them all. The pool's group has the id 1, as in SRI's pool; each other payout has a group of its own, whose id is told in
 * OpenX.Success, so that no message for a group ever reaches a channel that it would pay wrongly. A channel with one of its own at another pool
 * is alone in its group, for nobody else has its jobs.
 */
import type { Channel } from "./channel.ts";
import type { ChannelPayout } from "./channel-payouts.ts";
import type { Job } from "./job.ts";

/** The group of all channels that pay the pool. Ids of channels and of further groups go on from there and are not used again. */
export const POOL_GROUP_ID = 1;

/** Channels with one payout. */
export interface ChannelGroup {
  readonly groupId: number;
  /** `undefined` where the pool is paid. */
  readonly payout: ChannelPayout | undefined;
  readonly channels: Set<Channel>;
  /** The newest job that its channels were given, as made for the pool. */
  job: Job | undefined;
}

/** All groups of a connection. Those without channels are forgotten, the pool's is not. */
export class ChannelGroups {
  readonly #pool: ChannelGroup = { groupId: POOL_GROUP_ID, payout: undefined, channels: new Set(), job: undefined };
  /** By payout, the pool's first; those of one channel alone by themselves. */
  readonly #groups = new Map<ChannelPayout | ChannelGroup | undefined, ChannelGroup>([[undefined, this.#pool]]);
  readonly #ofChannel = new Map<number, ChannelGroup>();

  /** Groups besides the pool's. */
  get apart(): number {
    return this.#groups.size - 1;
  }

  /** All groups, in the order in which they were made; those that are added meanwhile come too. */
  all(): IterableIterator<ChannelGroup> {
    return this.#groups.values();
  }

  /** The group of channels with `payout`, made with `nextId` when there is none. */
  withPayout(payout: ChannelPayout | undefined, nextId: () => number): ChannelGroup {
    let group = this.#groups.get(payout);
    if (group === undefined) {
      group = { groupId: nextId(), payout, channels: new Set(), job: undefined };
      this.#groups.set(payout, group);
    }
    return group;
  }

  /** A new group that no other channel will be in. */
  alone(payout: ChannelPayout | undefined, nextId: () => number): ChannelGroup {
    const group: ChannelGroup = { groupId: nextId(), payout, channels: new Set(), job: undefined };
    this.#groups.set(group, group);
    return group;
  }

  /** Puts a channel into a group. */
  add(group: ChannelGroup, channel: Channel): void {
    group.channels.add(channel);
    this.#ofChannel.set(channel.channelId, group);
  }

  /** The group that a group's id stands for. */
  withId(groupId: number): ChannelGroup | undefined {
    if (groupId === POOL_GROUP_ID) return this.#pool;
    for (const group of this.#groups.values()) if (group.groupId === groupId) return group;
    return undefined;
  }

  /** Takes a channel out; returns what its payout was. */
  remove(channel: Channel): ChannelPayout | undefined {
    const group = this.#ofChannel.get(channel.channelId);
    if (group === undefined) return undefined;
    this.#ofChannel.delete(channel.channelId);
    group.channels.delete(channel);
    if (group.channels.size === 0) {
      group.job = undefined;
      if (!this.#groups.delete(group) && group.payout !== undefined) this.#groups.delete(group.payout);
    }
    return group.payout;
  }
}
