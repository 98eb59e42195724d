/** A clock that moves only when a test says so. */
import type { Clock, Timer } from "../../src/kernel/clock.ts";

/** Runs due timers in order of their time while `advance` moves on. */
export class FakeClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<{ dueMs: number; periodMs: number | undefined; run: () => void }>();

  /** `startMs`: wall time at the beginning, ms since the Unix epoch. */
  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add(delayMs, undefined, run);
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add(periodMs, periodMs, run);
  }

  #add(delayMs: number, periodMs: number | undefined, run: () => void): Timer {
    const timer = { dueMs: this.#monotonicMs + delayMs, periodMs, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves both clocks on by `ms` and runs what became due. */
  advance(ms: number): void {
    const end = this.#monotonicMs + ms;
    for (;;) {
      let next: { dueMs: number; periodMs: number | undefined; run: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.dueMs <= end && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
      }
      if (next === undefined) break;
      const step = Math.max(0, next.dueMs - this.#monotonicMs);
      this.#monotonicMs += step;
      this.#nowMs += step;
      if (next.periodMs === undefined) this.#timers.delete(next);
      else next.dueMs += next.periodMs;
      next.run();
    }
    this.#nowMs += end - this.#monotonicMs;
    this.#monotonicMs = end;
  }

  /** Sets the wall clock without moving monotonic time, as an operator or NTP does. */
  jumpTo(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}
