/** One channel below and its own at the pool (`channels = "per_miner"`), which comes and goes while the one below stays. */

import type { TemplateCause } from "../mining/ports.ts";
import type { PreparedJob } from "../mining/prepared-job.ts";
import type { PoolChannel, PoolChannelWish } from "../mining/upstream-ports.ts";
import type { ChannelOwner, UpstreamChannel } from "./upstream-channel.ts";

/** What a miner's channel asks of whoever keeps them all. */
export interface MinerChannelHost {
  readonly onOpened: (miner: MinerChannel) => void;
  readonly onRefused: (miner: MinerChannel, code: string) => void;
  readonly onClosed: (miner: MinerChannel, reason: string) => void;
  /** Its work is to be made. */
  readonly onWork: (miner: MinerChannel) => void;
  /** Hash rate or greatest target changed. */
  readonly onUpdate: (miner: MinerChannel) => void;
  /** The channel below is gone. */
  readonly onGone: (miner: MinerChannel) => void;
}

/** The pair. */
export class MinerChannel implements ChannelOwner, PoolChannel {
  readonly userIdentity: string;
  readonly #host: MinerChannelHost;
  readonly #tell: (work: PreparedJob) => void;
  #wish: PoolChannelWish;
  #work: PreparedJob | undefined;
  #isGone = false;
  /** The channel at the pool, while it is open. */
  channel: UpstreamChannel | undefined;
  /** Times in a row that the pool refused or closed it. */
  failures = 0;
  /** The wish that the pool was told last, and when, monotonic ms. */
  said: { readonly wish: PoolChannelWish; readonly atMs: number } | undefined;
  /** When it was last asked for or opened, monotonic ms. */
  sinceMs = 0;
  /** Ends what it waits for: an answer of the pool, or its pause. */
  giveUp: (() => void) | undefined;

  constructor(
    deps: { readonly host: MinerChannelHost; readonly tell: (work: PreparedJob) => void },
    wish: PoolChannelWish,
  ) {
    this.#host = deps.host;
    this.#tell = deps.tell;
    this.#wish = wish;
    this.userIdentity = wish.userIdentity;
  }

  /** What the miner wants by now. */
  get wish(): PoolChannelWish {
    return this.#wish;
  }

  /** Whether the channel below is closed. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** As the port says. */
  current(): PreparedJob | undefined {
    return this.#work;
  }

  /** As the port says. */
  update(wish: Pick<PoolChannelWish, "nominalHashrate" | "maxTarget">): void {
    if (this.#isGone) return;
    this.#wish = { ...this.#wish, ...wish };
    this.#host.onUpdate(this);
  }

  /** As the port says. */
  close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#host.onGone(this);
  }

  /** Hands another job down. */
  take(work: PreparedJob): void {
    this.#work = work;
    this.#tell(work);
  }

  /** As the port says. */
  onOpened(channel: UpstreamChannel): void {
    this.channel = channel;
    this.#host.onOpened(this);
  }

  /** As the port says. */
  onRefused(code: string): void {
    this.#host.onRefused(this, code);
  }

  /** As the port says. */
  onWork(_channel: UpstreamChannel, _cause: TemplateCause): void {
    this.#host.onWork(this);
  }

  /** As the port says. */
  onClosed(_channel: UpstreamChannel, reason: string): void {
    this.channel = undefined;
    this.#host.onClosed(this, reason);
  }
}
