/** Deadlines of calls whose work is shared or cannot be given up: the caller leaves, the work goes on for the others. */
import type { Clock } from "../../../kernel/clock.ts";

/**
 * Settles as `work` does, unless `signal` aborts before (with its reason) or `timeoutMs` pass (with what `late` makes). `work` gets a
 * signal that aborts then too, for what can be given up.
 */
export async function withDeadline<T>(
  clock: Clock,
  limits: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number; readonly late: () => unknown },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs, late } = limits;
  signal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = clock.after(timeoutMs, () => controller.abort(late()));
  try {
    return await Promise.race([
      work(controller.signal),
      new Promise<never>((_, reject) => {
        controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
      }),
    ]);
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}
