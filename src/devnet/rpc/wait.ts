/** Waiting for the chain to move, with a timeout: behind long polls and `waitfornewblock`. */
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";

/** A chain whose tip moves; `T` is its block. */
export interface MovingTip<T> {
  readonly tip: T;
  readonly events: { on(name: "tip", listener: (event: { readonly node: T }) => void): Unsubscribe };
}

/**
 * Resolves as soon as `until` holds for the tip, after `timeoutMs` (never for `undefined`), or when `signal` aborts; which
 * of them is for the caller to see.
 */
export function waitForTip<T>(
  deps: { readonly chain: MovingTip<T>; readonly clock: Clock },
  until: (tip: T) => boolean,
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || until(deps.chain.tip)) return resolve();
    let timer: Timer | undefined;
    const done = (): void => {
      timer?.cancel();
      unsubscribe();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const unsubscribe = deps.chain.events.on("tip", ({ node }) => {
      if (until(node)) done();
    });
    if (timeoutMs !== undefined) timer = deps.clock.after(timeoutMs, done);
    signal.addEventListener("abort", done, { once: true });
  });
}
