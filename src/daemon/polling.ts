/**
 * Asks again and again, one question at a time: the next one begins a fixed time after the last one ended, or at once after a
 * `poke`. What every chain without a dependable notice needs, and what stands under those that have one.
 */
import type { Clock, Timer } from "../kernel/clock.ts";

/** What is asked, and how often. */
export interface PollingOptions {
  /** Pause between the end of one run and the beginning of the next, ms. */
  readonly everyMs: number;
  /** One question. Never runs twice at a time; a rejection only ends it, so tell errors inside. `signal` aborts at `stop`. */
  run(signal: AbortSignal): Promise<void>;
}

/** Runs a question again and again. */
export class Polling {
  readonly #clock: Clock;
  readonly #options: PollingOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #again = false;

  constructor(deps: { readonly clock: Clock }, options: PollingOptions) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  /** Asks now, or as soon as the question under way has its answer: that one may be older than the news. */
  poke(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#again = false;
    this.#running = this.#ask();
  }

  /** Ends it; resolves when the question under way has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    await this.#running;
  }

  async #ask(): Promise<void> {
    try {
      await this.#options.run(this.#stop.signal);
    } catch {
      // Told by whoever asked; the next question may be answered.
    } finally {
      this.#running = undefined;
      if (!this.#stop.signal.aborted) {
        if (this.#again) this.poke();
        else this.#timer = this.#clock.after(this.#options.everyMs, () => this.poke());
      }
    }
  }
}
