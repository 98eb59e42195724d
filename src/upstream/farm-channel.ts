/** The one channel that everybody below shares (`channels = "aggregated"`). */
import type { Clock, Timer } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Job } from "../mining/job.ts";
import type { TemplateCause } from "../mining/ports.ts";
import type { UpstreamChannels } from "./channels.ts";
import { ANY_TARGET, announceable, UNKNOWN_HASHRATE } from "./hashrates.ts";
import { Pace } from "./pace.ts";
import { channelRefusal } from "./refusals.ts";
import type { ChannelOwner, UpstreamChannel } from "./upstream-channel.ts";

/** A hash rate is announced again when it is so many times greater or smaller. */
const WORTH_TELLING = 1.2;

/** And not more often than this, ms: pools answer each time, with a new target. */
const TELL_EVERY_MS = 10_000;

/** A channel that the pool closes is opened again once; this long after that, once more, ms. */
const REOPEN_EVERY_MS = 60_000;

/** Each job is a message to everybody below. A pool sends one in many seconds; of one that sends very many the newest is passed on, so often. */
const JOB_PACE = { burst: 8, everyMs: 250 };

/** What the channel works with. */
export interface FarmChannelDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly channels: UpstreamChannels;
  /** What a channel works on as a job of ours. */
  readonly makeJob: (channel: UpstreamChannel) => Job | undefined;
  readonly onOpened: () => void;
  readonly onJob: (job: Job, cause: TemplateCause) => void;
  /** The pool cannot be worked for. */
  readonly fail: (error: unknown) => void;
}

/** Options of `FarmChannel`. */
export interface FarmChannelOptions {
  readonly pool: string;
  readonly userIdentity: string;
  readonly minExtranonceSize: number;
  /** A channel that was opened again must have work within this time, ms. */
  readonly workTimeoutMs: number;
}

/** The channel, and its successor when the pool closes it. */
export class FarmChannel implements ChannelOwner {
  readonly #deps: FarmChannelDeps;
  readonly #options: FarmChannelOptions;
  #channel: UpstreamChannel | undefined;
  #job: Job | undefined;
  #hashrate = UNKNOWN_HASHRATE;
  #toldHashrate = UNKNOWN_HASHRATE;
  #toldMs = 0;
  #reopenedMs: number | undefined;
  #deadline: Timer | undefined;
  readonly #pace: Pace;
  /** Work that comes too soon after other work. */
  #early: { readonly timer: Timer; cause: TemplateCause } | undefined;

  constructor(deps: FarmChannelDeps, options: FarmChannelOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#pace = new Pace(deps, JOB_PACE);
  }

  /** The newest job; `undefined` before the first. */
  get job(): Job | undefined {
    return this.#job;
  }

  /** The channel, while it is open. */
  get channel(): UpstreamChannel | undefined {
    return this.#channel;
  }

  /** Opens it. */
  open(): void {
    const { userIdentity, minExtranonceSize } = this.#options;
    this.#toldHashrate = this.#hashrate;
    this.#toldMs = this.#deps.clock.monotonicMs();
    this.#deps.channels.open(
      { userIdentity, nominalHashRate: this.#hashrate, maxTarget: ANY_TARGET, minExtranonceSize },
      this,
    );
  }

  /** Tells the pool how fast the miners are, where that is worth it; before the channel is open, with the opening. */
  announce(hashesPerSecond: number): void {
    this.#hashrate = announceable(hashesPerSecond);
    this.tick();
  }

  /** Says something that pools answer (with SetTarget, also where nothing changed). */
  ask(): void {
    if (this.#channel !== undefined) this.#update(this.#channel);
  }

  /** Tells the pool what was too early to be told. To be called every second. */
  tick(): void {
    const channel = this.#channel;
    const nowMs = this.#deps.clock.monotonicMs();
    if (channel === undefined || nowMs - this.#toldMs < TELL_EVERY_MS) return;
    const change = this.#hashrate / this.#toldHashrate;
    if (change <= WORTH_TELLING && change >= 1 / WORTH_TELLING) return;
    this.#update(channel);
  }

  /** As the port says. */
  onOpened(channel: UpstreamChannel): void {
    this.#channel = channel;
    this.#deps.log.info("the pool opened a channel", {
      channelId: channel.channelId,
      extranonceSize: channel.extranonceSize,
      difficulty: channel.difficulty,
    });
    this.#deps.onOpened();
  }

  /** As the port says. */
  onRefused(code: string): void {
    const { pool, userIdentity, minExtranonceSize } = this.#options;
    this.#deps.fail(channelRefusal(code, { pool, userIdentity, minExtranonceSize }));
  }

  /** As the port says. */
  onWork(channel: UpstreamChannel, cause: TemplateCause): void {
    if (this.#early !== undefined) {
      if (cause === "newBlock") this.#early.cause = cause;
      return;
    }
    const waitMs = this.#pace.take();
    if (waitMs === 0) this.#work(channel, cause);
    else this.#early = { timer: this.#deps.clock.after(waitMs, () => this.#due(channel)), cause };
  }

  /** As the port says. */
  onClosed(_channel: UpstreamChannel, reason: string): void {
    const { clock, log, fail } = this.#deps;
    const { pool, workTimeoutMs } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#channel = undefined;
    this.#forget();
    if (this.#reopenedMs !== undefined && nowMs - this.#reopenedMs < REOPEN_EVERY_MS) {
      fail(new Fault("upstream-channel-closed", { pool, reason }));
      return;
    }
    log.warn("the pool closed our channel; asking for another", { reason });
    this.#reopenedMs = nowMs;
    this.#deadline = clock.after(workTimeoutMs, () => fail(new Fault("upstream-channel-closed", { pool, reason })));
    this.open();
  }

  /** The connection is gone. */
  abandon(): void {
    this.#deadline?.cancel();
    this.#forget();
    this.#channel = undefined;
    this.#job = undefined;
  }

  #work(channel: UpstreamChannel, cause: TemplateCause): void {
    const job = this.#deps.makeJob(channel);
    if (job === undefined) return;
    this.#deadline?.cancel();
    this.#job = job;
    this.#deps.onJob(job, cause);
  }

  /** Passes on what the channel works on by now. */
  #due(channel: UpstreamChannel): void {
    const cause = this.#early?.cause ?? "refresh";
    this.#early = undefined;
    try {
      this.onWork(channel, cause);
    } catch (error) {
      this.#deps.fail(error);
    }
  }

  #forget(): void {
    this.#early?.timer.cancel();
    this.#early = undefined;
  }

  #update(channel: UpstreamChannel): void {
    this.#toldHashrate = this.#hashrate;
    this.#toldMs = this.#deps.clock.monotonicMs();
    this.#deps.channels.update(channel, this.#hashrate, ANY_TARGET);
  }
}
