/**
 * Tells of the jobs that miners get where these are not always the job maker's: in pool mode own templates are made ready all the time, so that a last
 * resort costs no waiting, and nobody may take one that nobody mines for work.
 */

import type { Clock } from "../kernel/clock.ts";
import type { Unsubscribe } from "../kernel/events.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { JobFeed } from "../mining/ports.ts";
import type { PoolBus } from "../pool/events.ts";

/** What it works with. */
export interface AnnounceJobsDeps {
  readonly clock: Pick<Clock, "nowMs">;
  readonly bus: PoolBus;
  readonly jobs: JobFeed;
}

/** Announces between start and stop. */
export class AnnounceJobs implements Part {
  readonly name = "announced jobs";
  readonly #deps: AnnounceJobsDeps;
  #unsubscribe: Unsubscribe | undefined;

  constructor(deps: AnnounceJobsDeps) {
    this.#deps = deps;
  }

  async start(_signal: AbortSignal): Promise<void> {
    const { bus, jobs, clock } = this.#deps;
    this.#unsubscribe = jobs.onJob(({ jobId, prevHash, template, payoutValue: value }, cause) => {
      const { height, transactionCount } = template;
      bus.emit("MiningJobCreated", { jobId, height, prevHash, cause, value, transactionCount, atMs: clock.nowMs() });
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
  }
}

/** A bus for a job maker whose jobs are announced by the feed above it. */
export const SILENT_BUS: PoolBus = { emit() {} };
