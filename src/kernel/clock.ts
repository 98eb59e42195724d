/** Time as an argument: nothing in the program reads a clock or sets a timer but through this port. */

/** A timer that was set; `cancel` may be called at any time and any number of times. */
export interface Timer {
  cancel(): void;
}

/** Wall time, monotonic time and timers. */
export interface Clock {
  /** Wall time in ms since the Unix epoch; may jump. For header times and certificates. */
  nowMs(): number;
  /** Monotonic time in ms with fractions, from an arbitrary origin. For durations and rates. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` every `periodMs` until cancelled. */
  every(periodMs: number, run: () => void): Timer;
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
