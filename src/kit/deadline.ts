/** Waiting for a plugin that may never answer. */
import { sleep } from "../kernel/clock.ts";
import { realClock } from "./real-clock.ts";

/** How a promise ended, if it did. */
export type Ending<T> =
  | { readonly kind: "resolved"; readonly value: T }
  | { readonly kind: "rejected"; readonly error: unknown }
  | { readonly kind: "pending" };

/** How `work` stands after at most `ms`. A throw of `work` itself counts as a rejection; a later rejection is handled. */
export async function endingOf<T>(work: () => T | Promise<T>, ms: number): Promise<Ending<T>> {
  const ending: Promise<Ending<T>> = (async (): Promise<T> => await work())().then(
    (value) => ({ kind: "resolved", value }),
    (error: unknown) => ({ kind: "rejected", error }),
  );
  const done = new AbortController();
  const late = sleep(realClock, ms, done.signal).then(
    (): Ending<T> => ({ kind: "pending" }),
    (): Ending<T> => ({ kind: "pending" }),
  );
  try {
    return await Promise.race([ending, late]);
  } finally {
    done.abort();
  }
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return sleep(realClock, ms);
}
