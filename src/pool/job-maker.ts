/**
 * Makes one job of every template; a fresh one of the same template when a merge-mined chain has new work, and when nothing new
 * came for a while: miners take two or three silent minutes for a dead connection (cpuminer 120 s, bitaxe 180 s). It knows nothing of connections, so it may
 * run in another process than they do.
 */
import type { TxOutput } from "../bitcoin/transaction.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Unsubscribe } from "../kernel/events.ts";
import { describe } from "../kernel/fault.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import { buildJob, type Job, type JobIds, type JobParts } from "../mining/job.ts";
import type { JobFeed, JobSource, TemplateCause } from "../mining/ports.ts";
import { isSameWork, type Template } from "../mining/template.ts";
import type { PoolBus } from "./events.ts";

/** What makes jobs that commit to merge-mined chains; `MergeMining` of `src/merge` does. */
export interface JobComposer {
  /** As `buildJob`, with commitments to as many chains as can be placed; throws only what `buildJob` throws without any. */
  makeJob(parts: JobParts): Job;
  /** Calls `listener` when chains have new work that is worth a job. */
  onWork(listener: () => void): Unsubscribe;
}

/** What a job maker works with. */
export interface JobMakerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly jobSource: JobSource;
  readonly bus: PoolBus;
  /** The pool's one counter; the server's conversations number repeated jobs from it too. */
  readonly jobIds: JobIds;
  /** Outputs that share `value` sat; they must sum up to it. */
  readonly payout: (value: bigint) => readonly TxOutput[];
  /** Left out, jobs are for Bitcoin alone. */
  readonly merge?: JobComposer;
}

/** Options of `JobMaker`. */
export interface JobMakerOptions {
  /** Bytes in the coinbase script that name the pool; `checkCoinbaseFits` of `mining/job.ts` judges them at start. */
  readonly tag: Uint8Array;
  /** Header version bits that miners may roll, u32. */
  readonly versionRollingMask: number;
  /** Age at which a job is replaced though nothing changed, ms. */
  readonly refreshMs: number;
}

/** Templates in, jobs out. */
export class JobMaker implements Part, JobFeed {
  readonly name = "job maker";
  readonly #deps: JobMakerDeps;
  readonly #options: JobMakerOptions;
  readonly #listeners = new Set<(job: Job, cause: TemplateCause) => void>();
  #current: Job | undefined;
  readonly #subscriptions: Unsubscribe[] = [];
  #refresh: Timer | undefined;

  constructor(deps: JobMakerDeps, options: JobMakerOptions) {
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

  /** Makes the first job if the source has a template already. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { jobSource, merge } = this.#deps;
    this.#subscriptions.push(jobSource.onTemplate((template, cause) => this.#make(template, cause)));
    if (merge !== undefined) this.#subscriptions.push(merge.onWork(() => this.#makeAgain("aux")));
    const template = jobSource.current();
    if (template !== undefined) this.#make(template, "newBlock");
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    this.#refresh?.cancel();
  }

  /** A template that makes no job is passed over: miners stay on the last good one. */
  #make(template: Template, offered: TemplateCause): void {
    const { clock, log, meter, bus, payout, jobIds, merge } = this.#deps;
    const { tag, versionRollingMask } = this.#options;
    const nowMs = clock.nowMs();
    const cause = this.#causeOf(template, offered);
    this.#scheduleRefresh();
    let job: Job;
    try {
      const parts: JobParts = { template, payout, tag, versionRollingMask, jobId: jobIds.next(), nowMs };
      job = merge === undefined ? buildJob(parts) : merge.makeJob(parts);
    } catch (error) {
      log.error(`no job could be made of a template: ${describe(error)}`, { error, template: template.id });
      return;
    }
    this.#current = job;
    meter.count("jobs_total", 1, { cause });
    for (const listener of this.#listeners) listener(job, cause);
    const { height, prevHash, transactionCount, coinbaseValue: value } = template;
    bus.emit("MiningJobCreated", { jobId: job.jobId, height, prevHash, cause, value, transactionCount, atMs: nowMs });
  }

  /** What counts for miners is whether the previous block or the target is another one, whatever a source took for its reason. */
  #causeOf(template: Template, offered: TemplateCause): TemplateCause {
    if (this.#current === undefined || !isSameWork(this.#current, template)) return "newBlock";
    return offered === "newBlock" ? "refresh" : offered;
  }

  #scheduleRefresh(): void {
    this.#refresh?.cancel();
    this.#refresh = this.#deps.clock.after(this.#options.refreshMs, () => this.#makeAgain("refresh"));
  }

  /** While no node is at work the last template is still the best guess, and a miner that hears nothing leaves. */
  #makeAgain(cause: "refresh" | "aux"): void {
    const template = this.#deps.jobSource.current() ?? this.#current?.template;
    if (template !== undefined) this.#make(template, cause);
    else if (cause === "refresh") this.#scheduleRefresh();
  }
}
