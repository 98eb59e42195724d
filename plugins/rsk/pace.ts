/**
 * Keeps submissions apart for a node that refuses them when they come too fast: each waits for its turn, in the order in which
 * they came, and none is dropped.
 */
import type { Clock } from "bllvm-stratum-v2/plugin";

/** A queue at the door of one chain. */
export class Pace {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #last: Promise<unknown> = Promise.resolve();
  #nextMs = Number.NEGATIVE_INFINITY;

  /** `intervalMs`: least time from one turn to the next; 0 lets all pass at once. */
  constructor(deps: { readonly clock: Clock }, options: { readonly intervalMs: number }) {
    this.#clock = deps.clock;
    this.#intervalMs = options.intervalMs;
  }

  /** Resolves when it is this caller's turn; rejects with the signal's reason when it aborts before. */
  turn(signal: AbortSignal): Promise<void> {
    if (this.#intervalMs === 0) return Promise.resolve();
    const turn = this.#last.then(async () => {
      signal.throwIfAborted();
      const nowMs = this.#clock.monotonicMs();
      if (this.#nextMs > nowMs) await this.#wait(this.#nextMs - nowMs, signal);
      this.#nextMs = this.#clock.monotonicMs() + this.#intervalMs;
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timer.cancel();
        reject(signal.reason);
      };
      const timer = this.#clock.after(delayMs, () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      });
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}
