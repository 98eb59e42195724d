/**
 * Catches what a plugin throws where nobody listens: rejections that nothing handles, and exceptions in timers and events. In the
 * server they would end the process or be laid at another chain's door. While a check runs the kit hears them first; what is not
 * the plugin's goes on to whoever listened before.
 */
import { describe } from "../kernel/fault.ts";
import type { Footprint } from "./footprint.ts";

type Listener = (...args: unknown[]) => void;

/** Collects over all checks of one plugin. */
export class LooseEnds {
  /** One clause each: `a rejection that nothing handles: connect ECONNREFUSED`. */
  readonly found: string[] = [];
  /** The errors themselves, to be searched for secrets. */
  readonly errors: unknown[] = [];

  /** Runs `work` and listens meanwhile, and until what it left in the queues has run. */
  async during<T>(footprint: Footprint, work: () => Promise<T>): Promise<T> {
    const restore = [
      replaceListeners("unhandledRejection", (others) => (reason, promise) => {
        if (!footprint.owns(promise as object)) return pass(others, reason, promise);
        this.#add("a rejection that nothing handles", reason);
      }),
      // Whose exception it is cannot be told; only one plugin runs at a time.
      replaceListeners("uncaughtException", () => (error) => this.#add("an exception that nothing catches", error)),
    ];
    try {
      return await work();
    } finally {
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      for (const each of restore) each();
    }
  }

  #add(what: string, error: unknown): void {
    if (this.found.length >= 20) return;
    this.found.push(`${what}: ${describe(error)}`);
    this.errors.push(error);
  }
}

function replaceListeners(
  event: "unhandledRejection" | "uncaughtException",
  make: (others: readonly Listener[]) => Listener,
): () => void {
  const others = process.listeners(event as "uncaughtException") as Listener[];
  const own = make(others);
  process.removeAllListeners(event);
  process.on(event, own);
  return () => {
    process.off(event, own);
    for (const each of others) process.on(event, each);
  };
}

function pass(others: readonly Listener[], reason: unknown, promise: unknown): void {
  if (others.length === 0) throw reason;
  for (const each of others) each(reason, promise);
}
