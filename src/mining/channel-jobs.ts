/**
 * The jobs that one channel may send shares for, with what was fixed for each when it became active: target, extranonce
 * prefix, least header time. A later SetTarget or SetExtranoncePrefix does not touch them (spec 5.3.10, 5.3.21).
 */
import type { PreparedJob } from "./prepared-job.ts";
import { isSameWork } from "./template.ts";

/** A job as one channel got it. */
export interface ChannelJob {
  readonly prepared: PreparedJob;
  /** The target that shares are judged by, `Uint8Array(32)` little-endian. */
  readonly target: Uint8Array;
  /** Difficulty of `target`: what a share counts. */
  readonly difficulty: number;
  /** The whole extranonce of a standard channel, the prefix of an extended one. */
  readonly extranoncePrefix: Uint8Array;
  /** Least header time: the `min_ntime` of the SetNewPrevHash that it follows (spec 5.3.11). */
  readonly minTime: number;
  /** Whether another previous block came since. */
  stale: boolean;
  /** Merkle root of a standard channel's job once it was needed, `Uint8Array(32)`. */
  merkleRoot: Uint8Array | undefined;
}

/** Jobs on the current previous block that shares are taken for. With a job every 30 s these are the last 16 minutes. */
const MAX_JOBS = 32;

/** Jobs on the previous block before that are kept to say "stale-share", and in case one of them solves a block. */
const MAX_STALE_JOBS = 8;

/** Jobs whose merkle roots, frames and hashers are kept: shares are nearly always for the newest. */
const MAX_READY = 2;

/** The jobs of one channel, at most 40, the newest last. */
export class ChannelJobs {
  readonly #jobs: ChannelJob[] = [];

  /** The job to mine on; `undefined` before the first. */
  get newest(): ChannelJob | undefined {
    return this.#jobs[this.#jobs.length - 1];
  }

  /** All jobs that are kept. */
  get all(): readonly ChannelJob[] {
    return this.#jobs;
  }

  /**
   * Adds the job that is active from now on. `newTip`: it is the first on another previous block, or of another pool; a custom job of the client's
   * own may have been there before it, and goes on.
   */
  add(job: ChannelJob, newTip: boolean): void {
    const jobs = this.#jobs;
    if (newTip) {
      for (const old of jobs) {
        const { job: before } = old.prepared;
        if (before.custom === undefined || !isSameWork(before, job.prepared.job)) old.stale = true;
      }
      if (jobs.length > MAX_STALE_JOBS) jobs.splice(0, jobs.length - MAX_STALE_JOBS);
    } else if (jobs.length >= MAX_JOBS + MAX_STALE_JOBS) {
      jobs.shift();
    }
    jobs.push(job);
    const old = jobs[jobs.length - 1 - MAX_READY];
    if (old === undefined) return;
    old.merkleRoot = undefined;
    old.prepared.rest();
  }

  /** The job with an id; `undefined` when the channel never got it or it is too old. */
  find(jobId: number): ChannelJob | undefined {
    for (let i = this.#jobs.length - 1; i >= 0; i--) {
      const job = this.#jobs[i] as ChannelJob;
      if (job.prepared.job.jobId === jobId) return job;
    }
    return undefined;
  }
}
