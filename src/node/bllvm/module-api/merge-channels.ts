/** The channels of other modules: who has which, how many there may be, and that those are closed that nobody uses. */
import type { Clock, Timer } from "../../../kernel/clock.ts";
import type { Unsubscribe } from "../../../kernel/events.ts";
import { describe, Fault } from "../../../kernel/fault.ts";
import type { Part } from "../../../kernel/lifecycle.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Job } from "../../../mining/job.ts";
import { MergeChannel, type OpenConversation, type Registration } from "./merge-channel.ts";
import { OpeningPaces, type OpeningPacesOptions } from "./opening-paces.ts";

/** What the channels work with. */
export interface MergeChannelsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: { onJob(listener: (job: Job) => void): Unsubscribe };
  readonly open: OpenConversation;
}

/** Options of `MergeChannels`. */
export interface MergeChannelsOptions {
  /** Open channels in all. */
  readonly maxChannels: number;
  /** Open channels of one caller, so that none takes all. */
  readonly maxPerCaller: number;
  /** How fast one caller may open them. */
  readonly openings: OpeningPacesOptions;
  /** Ms without a call after which a channel is closed. */
  readonly idleMs: number;
}

/** Values for every server. */
export const MERGE_CHANNELS_DEFAULTS: MergeChannelsOptions = {
  maxChannels: 32,
  maxPerCaller: 8,
  openings: { burst: 8, perSecond: 0.2, maxCallers: 256 },
  idleMs: 600_000,
};

/** All channels of all callers. */
export class MergeChannels implements Part {
  readonly name = "merge-mining channels of modules";
  readonly #deps: MergeChannelsDeps;
  readonly #options: MergeChannelsOptions;
  readonly #channels = new Map<number, MergeChannel>();
  readonly #openings: OpeningPaces;
  #lastId = 0;
  #isStopped = false;
  #ticker: Timer | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(deps: MergeChannelsDeps, options: MergeChannelsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#openings = new OpeningPaces(deps, options.openings);
  }

  /** Open channels. */
  get size(): number {
    return this.#channels.size;
  }

  /** Whether they were stopped: nothing is opened or found any more. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#unsubscribe = this.#deps.jobs.onJob((job) => this.#each((channel) => channel.newJob(job)));
  }

  /** Closes all for ever: a share that came later would be credited to a ledger that is stopped. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe?.();
    for (const channel of [...this.#channels.values()]) this.#close(channel);
  }

  /**
   * Opens a channel, or gives the caller's own that it asked for before in the same words; one for the same chain and identity in other words is
   * closed. Throws `Fault` `bllvm-api-channels` at a bound, `bllvm-api-busy` for a caller that opens them too fast and after the stop, and
   * `bllvm-api-refused` when a miner of that name would be refused too.
   */
  register(caller: string, registration: Registration): MergeChannel {
    this.#refuseIfStopped();
    const { clock, log } = this.#deps;
    const { chain, userIdentity, minDifficulty, hashrate } = registration;
    const own = [...this.#channels.values()].filter((channel) => channel.caller === caller);
    const before = own.find(({ registration: known }) => known.chain === chain && known.userIdentity === userIdentity);
    if (before !== undefined) {
      const { registration: same } = before;
      if (same.minDifficulty === minDifficulty && same.hashrate === hashrate) {
        before.usedMs = clock.monotonicMs();
        return before;
      }
    }
    this.#refuseAtBound(own.length, before);
    const waitMs = this.#openings.waitMs(caller);
    if (waitMs > 0) throw new Fault("bllvm-api-busy", { why: "channels are opened too fast", waitMs });
    const id = this.#lastId + 1;
    const channel = new MergeChannel(this.#deps, { id, caller, registration, nowMs: clock.monotonicMs() });
    this.#lastId = id;
    this.#channels.set(id, channel);
    if (before !== undefined) this.#close(before);
    this.#ticker ??= clock.every(1000, () => this.#tick());
    log.debug(`module ${JSON.stringify(caller)} opened a merge-mining channel for ${chain}`, {
      channel: id,
      userIdentity,
    });
    return channel;
  }

  /** A channel of a caller's own. Throws `Fault` `bllvm-api-channel`, and `bllvm-api-busy` after the stop. */
  find(caller: string, id: number): MergeChannel {
    this.#refuseIfStopped();
    const channel = this.#channels.get(id);
    if (channel === undefined || channel.caller !== caller) throw new Fault("bllvm-api-channel", { id });
    channel.usedMs = this.#deps.clock.monotonicMs();
    return channel;
  }

  #refuseIfStopped(): void {
    if (this.#isStopped) throw new Fault("bllvm-api-busy", { why: "the server stops" });
  }

  /** `before` is the one whose place the new one takes. */
  #refuseAtBound(own: number, before: MergeChannel | undefined): void {
    const { maxChannels, maxPerCaller } = this.#options;
    const freed = before === undefined ? 0 : 1;
    const [open, yours] = [this.#channels.size - freed, own - freed];
    if (yours >= maxPerCaller) throw new Fault("bllvm-api-channels", { yours });
    if (open >= maxChannels) throw new Fault("bllvm-api-channels", { open });
  }

  #tick(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#each((channel) => {
      if (nowMs - channel.usedMs < this.#options.idleMs) channel.tick();
      else this.#close(channel);
    });
  }

  /** A channel that fails costs itself: jobs of miners come from the same place. */
  #each(act: (channel: MergeChannel) => void): void {
    for (const channel of [...this.#channels.values()]) {
      try {
        act(channel);
      } catch (error) {
        this.#deps.log.error(`merge-mining channel ${channel.id} is closed: ${describe(error)}`, { error });
        this.#close(channel);
      }
    }
  }

  #close(channel: MergeChannel): void {
    this.#channels.delete(channel.id);
    channel.close();
    if (this.#channels.size > 0) return;
    this.#ticker?.cancel();
    this.#ticker = undefined;
  }
}
