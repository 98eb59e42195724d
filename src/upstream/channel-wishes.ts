/**
 * Channels at the pool for every channel below (`[upstream] channels = "per_miner"`): which of them are wanted is kept here, so that they are
 * opened again at each pool that is mined for, and miners notice no more of a change than a job.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { repeatJob } from "../mining/job.ts";
import { type PreparedJob, prepared } from "../mining/prepared-job.ts";
import type { PoolChannel, PoolChannels, PoolChannelWish } from "../mining/upstream-ports.ts";

/** What the channels work with. */
export interface ChannelWishesDeps {
  readonly clock: Clock;
  /** The counter that all jobs are numbered from. */
  readonly jobIds: { next(): number };
}

/** Options of `ChannelWishes`. */
export interface ChannelWishesOptions {
  /** A channel that got no job for so long, ms, gets its last one again: miners take silence for a dead connection. */
  readonly refreshMs: number;
}

/** A channel below and its present counterpart. */
interface Entry {
  wish: PoolChannelWish;
  readonly onWork: (work: PreparedJob) => void;
  /** At the pool that is mined for. */
  channel: PoolChannel | undefined;
  /** What its miner has. */
  work: PreparedJob | undefined;
  givenMs: number;
}

/** Channels are looked through for silence this often, ms … */
const LOOK_MS = 500;

/** … and so many at most get their job again each time, some milliseconds of work: when a pool is lost all fall silent at once. */
const REPEATS = 512;

/** All of them. */
export class ChannelWishes implements PoolChannels {
  readonly #deps: ChannelWishesDeps;
  readonly #options: ChannelWishesOptions;
  readonly #entries = new Set<Entry>();
  #pool: PoolChannels | undefined;
  #look: Timer | undefined;

  constructor(deps: ChannelWishesDeps, options: ChannelWishesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Channels that are wanted. */
  get size(): number {
    return this.#entries.size;
  }

  /** Begins to look after silent channels. */
  start(): void {
    this.#look = this.#deps.clock.every(LOOK_MS, () => this.#repeat());
  }

  /** Ends all timers. */
  stop(): void {
    this.#look?.cancel();
  }

  /**
   * Opens all channels at this pool, those of the pool before are left to end with their connection. `undefined`: there is no pool. Then miners keep
   * their work, unless `forget` says that they get another kind.
   */
  use(pool: PoolChannels | undefined, forget = false): void {
    this.#pool = pool;
    for (const entry of this.#entries) {
      entry.channel = undefined;
      if (forget) entry.work = undefined;
      this.#ask(entry);
    }
  }

  open(wish: PoolChannelWish, onWork: (work: PreparedJob) => void): PoolChannel {
    const entry: Entry = { wish, onWork, channel: undefined, work: undefined, givenMs: this.#deps.clock.monotonicMs() };
    this.#entries.add(entry);
    this.#ask(entry);
    return {
      current: () => this.#newest(entry),
      update: (change) => {
        entry.wish = { ...entry.wish, ...change };
        entry.channel?.update(change);
      },
      close: () => {
        this.#entries.delete(entry);
        entry.channel?.close();
        entry.channel = undefined;
      },
    };
  }

  #newest(entry: Entry): PreparedJob | undefined {
    const newest = entry.channel?.current();
    // A repeated job is newer than the pool's own.
    if (newest !== undefined && entry.work?.job.pool?.jobId !== newest.job.pool?.jobId) entry.work = newest;
    return entry.work;
  }

  #ask(entry: Entry): void {
    const channel = this.#pool?.open(entry.wish, (work) => {
      if (entry.channel === channel) this.#give(entry, work);
    });
    entry.channel = channel;
  }

  #give(entry: Entry, work: PreparedJob): void {
    entry.work = work;
    entry.givenMs = this.#deps.clock.monotonicMs();
    entry.onWork(work);
  }

  #repeat(): void {
    const { clock, jobIds } = this.#deps;
    const nowMs = clock.monotonicMs();
    let repeats = 0;
    for (const entry of this.#entries) {
      if (nowMs - entry.givenMs < this.#options.refreshMs) continue;
      const work = this.#newest(entry);
      if (work === undefined) continue;
      if (repeats === REPEATS) return;
      repeats += 1;
      this.#give(entry, prepared(repeatJob(work.job, jobIds.next(), clock.nowMs())));
    }
  }
}
