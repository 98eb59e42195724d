/** How a chain's work grew over time, from slices: how much there was up to any moment. Pure. */

/** The work of one slice. */
export interface SliceWork {
  readonly startMs: number;
  readonly endMs: number;
  /** Hashes. */
  readonly work: bigint;
}

/**
 * Reads the work up to each moment, moments in ascending order: what a slice holds is taken to have come evenly over its time, in whole hashes. Slices may
 * overlap, those of several servers do.
 */
export class WorkCurve {
  readonly #waiting: readonly SliceWork[];
  #taken = 0;
  #passing: SliceWork[] = [];
  #done = 0n;

  constructor(slices: readonly SliceWork[]) {
    this.#waiting = [...slices].sort((a, b) => a.startMs - b.startMs);
  }

  /** Hashes of all slices up to `atMs`; never asked for an earlier moment than the last one. */
  upTo(atMs: number): bigint {
    for (;;) {
      const next = this.#waiting[this.#taken];
      if (next === undefined || next.startMs > atMs) break;
      this.#passing.push(next);
      this.#taken += 1;
    }
    let part = 0n;
    const passing: SliceWork[] = [];
    for (const slice of this.#passing) {
      if (slice.endMs <= atMs) {
        this.#done += slice.work;
      } else {
        part += partOf(slice, atMs);
        passing.push(slice);
      }
    }
    this.#passing = passing;
    return this.#done + part;
  }
}

function partOf({ startMs, endMs, work }: SliceWork, atMs: number): bigint {
  return (work * BigInt(atMs - startMs)) / BigInt(endMs - startMs);
}
