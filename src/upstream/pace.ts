/** How often something may happen: some times in a row, and on and on at a rate. */
import type { Clock } from "../kernel/clock.ts";

/** Options of `Pace`. */
export interface PaceOptions {
  /** Times in a row. */
  readonly burst: number;
  /** Time after which one more is allowed, ms. */
  readonly everyMs: number;
}

/** One thing's pace. */
export class Pace {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #options: PaceOptions;
  /** When all that happened is made good again, monotonic ms. */
  #freeMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { readonly clock: Pick<Clock, "monotonicMs"> }, options: PaceOptions) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  /** 0: it may happen, and counts as done. Else ms to wait before asking again. */
  take(): number {
    const { burst, everyMs } = this.#options;
    const nowMs = this.#clock.monotonicMs();
    const freeMs = Math.max(this.#freeMs, nowMs) + everyMs;
    const waitMs = freeMs - nowMs - burst * everyMs;
    if (waitMs > 0) return waitMs;
    this.#freeMs = freeMs;
    return 0;
  }
}
