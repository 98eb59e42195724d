/**
 * Starts parts in order and stops them in reverse, with a deadline for each stop. tsyringe's own `dispose()` skips
 * instances made by factories, so the order lives here and is read in one place (`src/app`).
 */
import { type Clock, sleep } from "./clock.ts";
import { describe, Fault } from "./fault.ts";
import type { Log } from "./log.ts";

/** Something that does I/O between `start` and `stop`. Construction must be cheap and silent. */
export interface Part {
  /** Short name for logs. */
  readonly name: string;
  /** Resolves once the part is at work. `signal` aborts when the program gives up starting. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves once the part holds no resource any more. Called only after `start` resolved. */
  stop(): Promise<void>;
}

/** Runs a list of parts as one. */
export class Lifecycle {
  readonly #deps: { readonly clock: Clock; readonly log: Log };
  readonly #stopTimeoutMs: number;
  readonly #running: Part[] = [];

  constructor(deps: { readonly clock: Clock; readonly log: Log }, options: { readonly stopTimeoutMs: number }) {
    this.#deps = deps;
    this.#stopTimeoutMs = options.stopTimeoutMs;
  }

  /**
   * Starts `parts` one after the other. When one fails or `signal` aborts, those already started are stopped and
   * `Fault("start-failed")` is thrown with the cause.
   */
  async start(parts: readonly Part[], signal: AbortSignal): Promise<void> {
    for (const part of parts) {
      try {
        signal.throwIfAborted();
        await part.start(signal);
        this.#running.push(part);
      } catch (cause) {
        await this.stop();
        throw new Fault("start-failed", { part: part.name }, { cause });
      }
    }
  }

  /** Stops what runs, last started first. Never throws: a failure or a missed deadline is logged and passed over. */
  async stop(): Promise<void> {
    for (let part = this.#running.pop(); part !== undefined; part = this.#running.pop()) {
      const deadline = new AbortController();
      try {
        await Promise.race([
          part.stop(),
          sleep(this.#deps.clock, this.#stopTimeoutMs, deadline.signal).then(() => {
            throw new Fault("stop-timeout", { part: part?.name, timeoutMs: this.#stopTimeoutMs });
          }),
        ]);
      } catch (error) {
        this.#deps.log.error(`${part.name} did not stop cleanly: ${describe(error)}`, { error });
      } finally {
        deadline.abort();
      }
    }
  }
}
