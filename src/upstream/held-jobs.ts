/** Jobs that a pool announced for later, until a SetNewPrevHash names one of them (spec 5.3.16, 5.3.17). */
import type { MINING } from "../sv2/messages/mining.ts";
import type { Value } from "../sv2/table.ts";

/** What a pool announced, as bytes of our own. */
export interface HeldJob {
  readonly message: Value<typeof MINING.NewExtendedMiningJob>;
  /** Its place among the connection's messages: an extranonce prefix holds for jobs behind it. */
  readonly at: number;
}

/** Future jobs that are kept; the oldest goes first. The one that is named is the newest or the one before in practice. */
const MAX_FUTURE_JOBS = 32;

/** A copy of a decoded message, which is a view into what the socket received. */
export function holdJob(message: Value<typeof MINING.NewExtendedMiningJob>, at: number): HeldJob {
  return {
    message: {
      ...message,
      merklePath: message.merklePath.map((sibling) => sibling.slice()),
      coinbaseTxPrefix: message.coinbaseTxPrefix.slice(),
      coinbaseTxSuffix: message.coinbaseTxSuffix.slice(),
    },
    at,
  };
}

/** Future jobs of one channel, or of one group. */
export class FutureJobs {
  readonly #jobs = new Map<number, HeldJob>();

  /** Keeps a job. One whose id is there already takes its place: the pool knows which of them it means, we cannot. */
  keep(job: HeldJob): void {
    const { jobId } = job.message;
    this.#jobs.delete(jobId);
    this.#jobs.set(jobId, job);
    if (this.#jobs.size <= MAX_FUTURE_JOBS) return;
    for (const oldest of this.#jobs.keys()) {
      this.#jobs.delete(oldest);
      return;
    }
  }

  /** The job of that id. */
  find(jobId: number): HeldJob | undefined {
    return this.#jobs.get(jobId);
  }

  /** A new block: what waited is void. */
  clear(): void {
    this.#jobs.clear();
  }
}
