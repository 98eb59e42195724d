/**
 * The job feed of pool mode: jobs of the pool that is mined for, or own ones while none works. A change from one to the other is one job to
 * everybody, and new work also on the same previous block, since shares of the old work have no place at the new one.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Unsubscribe } from "../kernel/events.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Meter } from "../kernel/meter.ts";
import { type Job, repeatJob } from "../mining/job.ts";
import type { JobFeed, TemplateCause } from "../mining/ports.ts";
import type { ChannelWishes } from "./channel-wishes.ts";
import type { UpstreamPools } from "./pools.ts";
import type { MinedFor } from "./standing.ts";

/** What the feed works with. */
export interface UpstreamFeedDeps {
  readonly clock: Clock;
  readonly meter: Meter;
  /** The counter that all jobs are numbered from. */
  readonly jobIds: { next(): number };
  readonly pools: Pick<UpstreamPools, "listen">;
  /** Where every channel below has one of its own at the pool; left out, one channel there serves all. */
  readonly channels?: ChannelWishes;
  /** Own jobs; left out, none are ever mined. */
  readonly solo?: JobFeed;
}

/** Options of `UpstreamFeed`. */
export interface UpstreamFeedOptions {
  /** Age at which a pool's job is given out again, ms: miners take two silent minutes for a dead connection. */
  readonly refreshMs: number;
}

/** The feed. To be started before the pools. */
export class UpstreamFeed implements Part, JobFeed {
  readonly name = "jobs of the pools";
  readonly #deps: UpstreamFeedDeps;
  readonly #options: UpstreamFeedOptions;
  readonly #listeners = new Set<(job: Job, cause: TemplateCause) => void>();
  #unsubscribe: Unsubscribe | undefined;
  #now: MinedFor["kind"] = "away";
  #current: Job | undefined;
  /** Whether the next job is of another origin than the one before. */
  #isNewWork = true;
  #refresh: Timer | undefined;

  constructor(deps: UpstreamFeedDeps, options: UpstreamFeedOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  current(): Job | undefined {
    return this.#current;
  }

  onJob(listener: (job: Job, cause: TemplateCause) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { pools, solo, channels } = this.#deps;
    channels?.start();
    pools.listen({
      onChange: (now) => this.#change(now),
      onJob: (job, cause) => {
        // The first one came with the change already.
        if (this.#now === "pool" && job !== this.#current) this.#give(job, cause);
      },
    });
    this.#unsubscribe = solo?.onJob((job, cause) => {
      if (this.#now === "solo") this.#give(job, cause);
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#refresh?.cancel();
    this.#deps.channels?.stop();
  }

  #change(now: MinedFor): void {
    const { channels, solo } = this.#deps;
    this.#now = now.kind;
    if (now.kind === "pool") {
      this.#isNewWork = true;
      if (channels !== undefined) this.#keep(undefined);
      channels?.use(now.peer);
      const job = channels === undefined ? now.peer.currentJob() : undefined;
      if (job !== undefined) this.#give(job, "newBlock");
    } else if (now.kind === "solo") {
      this.#isNewWork = true;
      channels?.use(undefined, true);
      const job = solo?.current();
      if (job !== undefined) this.#give(job, "newBlock");
    } else channels?.use(undefined);
  }

  #give(job: Job, cause: TemplateCause): void {
    const told = this.#isNewWork ? "newBlock" : cause;
    this.#isNewWork = false;
    this.#tell(job, told);
  }

  #tell(job: Job, cause: TemplateCause): void {
    this.#keep(job);
    if (job.pool !== undefined) this.#deps.meter.count("jobs_total", 1, { cause });
    for (const listener of this.#listeners) listener(job, cause);
  }

  /** Own jobs are refreshed where they are made. */
  #keep(job: Job | undefined): void {
    this.#current = job;
    this.#refresh?.cancel();
    this.#refresh = job?.pool === undefined ? undefined : this.#repeatLater(job);
  }

  #repeatLater(job: Job): Timer {
    const { clock, jobIds } = this.#deps;
    return clock.after(this.#options.refreshMs, () =>
      this.#tell(repeatJob(job, jobIds.next(), clock.nowMs()), "refresh"),
    );
  }
}
