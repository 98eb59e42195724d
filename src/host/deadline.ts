/** Waits for a plugin's promise, but not for ever. */
import type { Clock } from "../kernel/clock.ts";

/** What came of a call. */
export type Ended<T> =
  | { readonly how: "returned"; readonly value: T }
  | { readonly how: "failed"; readonly error: unknown }
  /** The deadline and the grace behind it passed and nothing came. */
  | { readonly how: "hung" }
  /** `stop` aborted before anything came. */
  | { readonly how: "stopped" };

/** How long to wait. */
export interface Deadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** How long a call may take to give up after its signal aborted; 0 when it has no signal. */
  readonly graceMs: number;
  /** Ends the waiting at once. */
  readonly stop: AbortSignal;
}

/**
 * Calls `work` with a signal that aborts at the deadline, and resolves with what came of it. Never rejects; a promise that was given up
 * may settle whenever it likes and troubles nobody.
 */
export function callWithin<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<Ended<T>> {
  const { clock, timeoutMs, graceMs, stop } = deadline;
  return new Promise((resolve) => {
    const abort = new AbortController();
    const end = (ended: Ended<T>): void => {
      timer.cancel();
      grace?.cancel();
      stop.removeEventListener("abort", onStop);
      resolve(ended);
    };
    const onStop = (): void => {
      end({ how: "stopped" });
      abort.abort(stop.reason);
    };
    let grace: { cancel(): void } | undefined;
    const timer = clock.after(timeoutMs, () => {
      grace = clock.after(graceMs, () => end({ how: "hung" }));
      abort.abort(new Error(`no end after ${timeoutMs / 1000} s`));
    });
    if (stop.aborted) return onStop();
    stop.addEventListener("abort", onStop, { once: true });
    let running: Promise<T>;
    try {
      running = Promise.resolve(work(abort.signal));
    } catch (error) {
      return end({ how: "failed", error });
    }
    running.then(
      (value) => end({ how: "returned", value }),
      (error) => end({ how: "failed", error }),
    );
  });
}
