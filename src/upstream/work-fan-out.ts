/**
 * Another job for thousands of channels, made and handed down some at a time: shares and other connections have their turn in between
 * (spec 5.2.3: one message of the pool is for all channels of a group).
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Job } from "../mining/job.ts";
import { PreparedJob } from "../mining/prepared-job.ts";
import type { MinerChannel } from "./miner-channel.ts";
import type { ActiveWork, UpstreamChannel } from "./upstream-channel.ts";

/** Channels of one slice at most, and ms that it may take. */
const SLICE_CHANNELS = 256;
const SLICE_MS = 5;

/** What the fan-out works with. */
export interface WorkFanOutDeps {
  readonly clock: Pick<Clock, "monotonicMs" | "after">;
  readonly makeJob: (channel: UpstreamChannel) => Job | undefined;
  /** A job could not be made: the pool's fault, since it is made of what the pool sent. */
  readonly onFailure: (error: unknown) => void;
}

/** Channels whose newest work was not handed down yet. */
export class WorkFanOut {
  readonly #deps: WorkFanOutDeps;
  readonly #waiting = new Set<MinerChannel>();
  #timer: Timer | undefined;
  #last: { readonly active: ActiveWork; readonly work: PreparedJob } | undefined;

  constructor(deps: WorkFanOutDeps) {
    this.#deps = deps;
  }

  /** A channel has other work. Work that comes before its turn replaces it. */
  add(miner: MinerChannel): void {
    this.#waiting.add(miner);
    this.#timer ??= this.#deps.clock.after(0, () => this.#slice());
  }

  /** A channel is gone. */
  remove(miner: MinerChannel): void {
    this.#waiting.delete(miner);
  }

  /** Hands nothing down any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #slice(): void {
    this.#timer = undefined;
    const { clock, onFailure } = this.#deps;
    const beganMs = clock.monotonicMs();
    let done = 0;
    try {
      for (const miner of this.#waiting) {
        if (done === SLICE_CHANNELS || clock.monotonicMs() - beganMs >= SLICE_MS) break;
        this.#waiting.delete(miner);
        done += 1;
        const work = this.#make(miner.channel);
        if (work !== undefined) miner.take(work);
      }
    } catch (error) {
      this.stop();
      onFailure(error);
      return;
    }
    if (this.#waiting.size > 0) this.#timer ??= clock.after(0, () => this.#slice());
    else this.#last = undefined;
  }

  /** The jobs of a group differ in their coinbase alone; what else is derived from them is derived once. */
  #make(channel: UpstreamChannel | undefined): PreparedJob | undefined {
    const active = channel?.active;
    if (channel === undefined || active === undefined) return undefined;
    const job = this.#deps.makeJob(channel);
    if (job === undefined) return undefined;
    const last = this.#last;
    const isAlike = last !== undefined && last.active.job === active.job && last.active.tip === active.tip;
    const work = new PreparedJob(job, isAlike ? last.work : undefined);
    this.#last = { active, work };
    return work;
  }
}
