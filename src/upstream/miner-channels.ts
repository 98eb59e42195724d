/**
 * Every channel below has one of its own at the pool (`channels = "per_miner"`). They are asked for some at a time, and again, after a pause,
 * when the pool refuses or closes one: a miner below is never disconnected for it.
 */
import { targetToBytes } from "../bitcoin/target.ts";
import type { Clock } from "../kernel/clock.ts";
import { describe } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { peerText } from "../kernel/peer-text.ts";
import type { Random } from "../kernel/random.ts";
import type { Job } from "../mining/job.ts";
import type { PreparedJob } from "../mining/prepared-job.ts";
import type { PoolChannel, PoolChannelWish } from "../mining/upstream-ports.ts";
import { redialMs } from "./backoff.ts";
import type { UpstreamChannels } from "./channels.ts";
import { announceable, UNKNOWN_HASHRATE } from "./hashrates.ts";
import { channelIdentity } from "./identities.ts";
import { MinerChannel } from "./miner-channel.ts";
import { channelRefusal } from "./refusals.ts";
import type { UpstreamChannel } from "./upstream-channel.ts";
import { WorkFanOut } from "./work-fan-out.ts";

/** Channels below that one connection serves at most. */
const MAX_CHANNELS = 65_536;

/** Channels that are asked for at once; the others wait for an answer. */
const MAX_ASKED = 64;

/** An answer is waited for this long, ms. */
const ANSWER_MS = 30_000;

/** Pauses before a channel that was refused or closed is asked for again. */
const REOPEN = { firstMs: 1_000, mostMs: 300_000 };

/** A channel that lasted for so long, ms, makes good what failed before. */
const STEADY_MS = 60_000;

/** Changes of one channel's wish go up not more often than this, ms. */
const UPDATE_MS = 5_000;

/** One line a while tells of channels that failed, ms: there may be thousands. */
const TELL_MS = 10_000;

/** What the channels work with. */
export interface MinerChannelsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly channels: UpstreamChannels;
  /** What a channel works on as a job of ours. */
  readonly makeJob: (channel: UpstreamChannel) => Job | undefined;
  /** The pool cannot be worked for. */
  readonly fail: (error: unknown) => void;
}

/** Options of `MinerChannels`. */
export interface MinerChannelsOptions {
  readonly pool: string;
  /** Our user at the pool; the miner's worker comes behind it. */
  readonly userIdentity: string;
  readonly minExtranonceSize: number;
}

/** The channels. */
export class MinerChannels {
  readonly #deps: MinerChannelsDeps;
  readonly #options: MinerChannelsOptions;
  readonly #fanOut: WorkFanOut;
  readonly #all = new Set<MinerChannel>();
  readonly #queue = new Set<MinerChannel>();
  /** Of whom the pool owes an answer, also of those who are gone: miners that come and go could make us flood it. */
  readonly #asked = new Set<MinerChannel>();
  readonly #unsaid = new Set<MinerChannel>();
  #isOpen = false;
  #isOver = false;
  /** The pool left the last question unanswered. */
  #isIgnored = false;
  #failures = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(deps: MinerChannelsDeps, options: MinerChannelsOptions) {
    this.#deps = deps;
    this.#options = options;
    const { clock, makeJob, fail } = deps;
    this.#fanOut = new WorkFanOut({ clock, makeJob, onFailure: fail });
  }

  /** As `PoolChannels.open`. Before `start` it waits; beyond the bound, and after the end, there is never any work. */
  open(wish: PoolChannelWish, onWork: (work: PreparedJob) => void): PoolChannel {
    const miner = new MinerChannel({ host: this.#host, tell: onWork }, wish);
    if (this.#isOver) return miner;
    if (this.#all.size >= MAX_CHANNELS) {
      this.#tell(`there are ${MAX_CHANNELS} channels at the pool already; another gets no work`, {});
      return miner;
    }
    this.#all.add(miner);
    this.#enqueue(miner);
    return miner;
  }

  /** Whether the pool owes an answer. */
  get isAsking(): boolean {
    return this.#asked.size > 0 || this.#isIgnored;
  }

  /** Says something that pools answer (with SetTarget, also where nothing changed), on any channel. */
  ask(): void {
    for (const { channel, said } of this.#all) {
      if (channel === undefined || said === undefined) continue;
      this.#deps.channels.update(channel, claimOf(said.wish), targetToBytes(said.wish.maxTarget));
      return;
    }
  }

  /** The connection is set up: asks for what waits. */
  start(): void {
    this.#isOpen = true;
    this.#pump();
  }

  /** To be called every second. */
  tick(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const miner of [...this.#asked]) {
      if (nowMs - miner.sinceMs < ANSWER_MS) continue;
      miner.giveUp?.();
      this.#isIgnored = true;
      this.#failed(miner, "no answer", () => "the pool does not answer when asked for a channel");
    }
    for (const miner of [...this.#unsaid]) this.#say(miner);
  }

  /** The connection is gone. */
  abandon(): void {
    this.#isOver = true;
    this.#fanOut.stop();
    for (const miner of this.#all) miner.giveUp?.();
    for (const set of [this.#all, this.#queue, this.#asked, this.#unsaid]) set.clear();
  }

  readonly #host = {
    onOpened: (miner: MinerChannel): void => {
      this.#isIgnored = false;
      this.#asked.delete(miner);
      miner.giveUp = undefined;
      miner.sinceMs = this.#deps.clock.monotonicMs();
      if (miner.isGone) this.#leave(miner);
      else if (miner.wish !== miner.said?.wish) this.#unsaid.add(miner);
      this.#pump();
    },
    onRefused: (miner: MinerChannel, code: string): void => {
      this.#isIgnored = false;
      const { pool, minExtranonceSize } = this.#options;
      const userIdentity = this.#identityOf(miner);
      this.#failed(miner, peerText(code), () =>
        describe(channelRefusal(code, { pool, userIdentity, minExtranonceSize })),
      );
    },
    onClosed: (miner: MinerChannel, reason: string): void => {
      if (this.#deps.clock.monotonicMs() - miner.sinceMs >= STEADY_MS) miner.failures = 0;
      this.#fanOut.remove(miner);
      this.#unsaid.delete(miner);
      this.#failed(miner, reason, () => "the pool closed a miner's channel");
    },
    onWork: (miner: MinerChannel): void => this.#fanOut.add(miner),
    onUpdate: (miner: MinerChannel): void => {
      if (miner.channel === undefined) return;
      this.#unsaid.add(miner);
      this.#say(miner);
    },
    onGone: (miner: MinerChannel): void => {
      for (const set of [this.#all, this.#queue, this.#unsaid]) set.delete(miner);
      this.#fanOut.remove(miner);
      if (this.#asked.has(miner)) return;
      miner.giveUp?.();
      this.#leave(miner);
    },
  };

  #leave({ channel }: MinerChannel): void {
    if (channel !== undefined) this.#deps.channels.close(channel, "the miner is gone");
  }

  #enqueue(miner: MinerChannel): void {
    this.#queue.add(miner);
    this.#pump();
  }

  #pump(): void {
    if (!this.#isOpen || this.#isOver) return;
    for (const miner of this.#queue) {
      if (this.#asked.size >= MAX_ASKED) return;
      this.#queue.delete(miner);
      this.#asked.add(miner);
      const { wish } = miner;
      const nowMs = this.#deps.clock.monotonicMs();
      miner.sinceMs = nowMs;
      miner.said = { wish, atMs: nowMs };
      const giveUp = this.#deps.channels.open(
        {
          userIdentity: this.#identityOf(miner),
          nominalHashRate: claimOf(wish),
          maxTarget: targetToBytes(wish.maxTarget),
          minExtranonceSize: this.#options.minExtranonceSize,
        },
        miner,
        miner.userIdentity,
      );
      if (this.#asked.has(miner)) miner.giveUp = giveUp;
    }
  }

  #failed(miner: MinerChannel, reason: string, words: () => string): void {
    const { clock, random } = this.#deps;
    this.#asked.delete(miner);
    if (miner.isGone) {
      this.#pump();
      return;
    }
    miner.failures += 1;
    const timer = clock.after(redialMs(REOPEN, miner.failures, random), () => {
      miner.giveUp = undefined;
      this.#enqueue(miner);
    });
    miner.giveUp = () => timer.cancel();
    this.#tell(words, { reason, userIdentity: this.#identityOf(miner) });
    this.#pump();
  }

  /** Passes a changed wish on, unless it is too early. */
  #say(miner: MinerChannel): void {
    const { channel, wish, said } = miner;
    const nowMs = this.#deps.clock.monotonicMs();
    if (channel === undefined || (said !== undefined && nowMs - said.atMs < UPDATE_MS)) return;
    this.#unsaid.delete(miner);
    miner.said = { wish, atMs: nowMs };
    this.#deps.channels.update(channel, claimOf(wish), targetToBytes(wish.maxTarget));
  }

  #identityOf(miner: MinerChannel): string {
    return channelIdentity(this.#options.userIdentity, miner.userIdentity);
  }

  #tell(words: string | (() => string), facts: Readonly<Record<string, string>>): void {
    this.#failures += 1;
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#toldMs < TELL_MS) return;
    const others = this.#failures - 1;
    this.#failures = 0;
    this.#toldMs = nowMs;
    this.#deps.log.warn(typeof words === "string" ? words : words(), { ...facts, others });
  }
}

/** What the pool is told of a miner's hash rate. 0 is no claim: whoever passed it on would be asked for every hash. */
function claimOf({ nominalHashrate }: PoolChannelWish): number {
  return nominalHashrate > 0 ? announceable(nominalHashrate) : UNKNOWN_HASHRATE;
}
