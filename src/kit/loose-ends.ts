/**
 * Catches what a plugin throws where nobody listens: rejections that nothing handles, and exceptions in timers and events. In the
 * server they would end the process or be laid at another chain's door. While a check runs the kit hears them first; what is not
 * the plugin's goes on to whoever listened before.
 */
import { describe } from "../kernel/fault.ts";
import type { Footprint } from "./footprint.ts";

type Listener = (...args: unknown[]) => void;

/** Errors that are kept. */
const MAX_FOUND = 20;

/** Checks that run now, by the footprint of each. */
const running = new Map<Footprint, LooseEnds>();
/** Who listened before the first of them. */
let before: { readonly rejection: Listener[]; readonly exception: Listener[] } = { rejection: [], exception: [] };

function onRejection(reason: unknown, promise: unknown): void {
  const owner = [...running.keys()].find((footprint) => footprint.owns(promise as object));
  if (owner !== undefined) {
    running.get(owner)?.add("a rejection that nothing handles", reason);
    return;
  }
  if (before.rejection.length === 0) throw reason;
  for (const listener of before.rejection) listener(reason, promise);
}

function onException(error: unknown): void {
  // Whose exception it is cannot be told; one check at a time is the rule.
  for (const each of new Set(running.values())) each.add("an exception that nothing catches", error);
}

function take(): void {
  before = {
    rejection: process.listeners("unhandledRejection") as Listener[],
    exception: process.listeners("uncaughtException") as Listener[],
  };
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", onRejection);
  process.removeAllListeners("uncaughtException").on("uncaughtException", onException);
}

function giveBack(): void {
  process.off("unhandledRejection", onRejection).off("uncaughtException", onException);
  for (const listener of before.rejection) process.on("unhandledRejection", listener);
  for (const listener of before.exception) process.on("uncaughtException", listener);
}

/** Collects over all checks of one plugin. */
export class LooseEnds {
  /** One clause each: `a rejection that nothing handles: connect ECONNREFUSED`. */
  readonly found: string[] = [];
  /** The errors themselves, to be searched for secrets. */
  readonly errors: unknown[] = [];

  /** Runs `work` and listens meanwhile, and until what it left in the queues has run. */
  async during<T>(footprint: Footprint, work: () => Promise<T>): Promise<T> {
    if (running.size === 0) take();
    running.set(footprint, this);
    try {
      return await work();
    } finally {
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      running.delete(footprint);
      if (running.size === 0) giveBack();
    }
  }

  /** Keeps one. */
  add(what: string, error: unknown): void {
    if (this.found.length >= MAX_FOUND) return;
    this.found.push(`${what}: ${describe(error)}`);
    this.errors.push(error);
  }
}
