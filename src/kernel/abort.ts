/**
 * Work that ends with any of several signals. `AbortSignal.any` would do it in one call, but what it makes of a signal that lives as
 * long as the program stays with that signal for good (Node 20: about 1.2 KB a call), and work that is done with every
 * poll of a daemon leaks without end.
 */

/**
 * Runs `work` with a signal that aborts, with the same reason, as soon as one of `signals` does. Once `work` has settled
 * nothing is left on them. Settles as `work` does; `work` is called at once, also when one of them has aborted already.
 */
export async function withSignals<T>(
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const releases: (() => void)[] = [];
  try {
    for (const signal of signals) {
      if (signal === undefined) continue;
      if (signal.aborted) {
        controller.abort(signal.reason);
        break;
      }
      const onAbort = (): void => controller.abort(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      releases.push(() => signal.removeEventListener("abort", onAbort));
    }
    return await work(controller.signal);
  } finally {
    for (const release of releases) release();
  }
}
