/**
 * How fast we speak. The node closes the connection of a module that makes more than 100 requests in a second, so we stay at
 * half of that in every window of a second, whatever is asked of us at once.
 * Source: blvm-node `src/module/security/validator.rs` 80-88, `src/module/api/hub.rs` 109-110.
 */
import type { Clock } from "../../../kernel/clock.ts";

/** A rate. In no window of a second more than `burst + perSecond` are let through. */
export interface PaceOptions {
  readonly perSecond: number;
  /** Most that may come at once after a silence. */
  readonly burst: number;
}

/** At most 50 requests in any second, whatever came before it. */
export const REQUEST_PACE: PaceOptions = { perSecond: 40, burst: 10 };

/** Lines for the node's log: they are no requests, but each costs the node a write. */
export const LOG_PACE: PaceOptions = { perSecond: 20, burst: 100 };

/** A token bucket. */
export class Pace {
  readonly #clock: Clock;
  readonly #options: PaceOptions;
  #tokens: number;
  #atMs: number;

  constructor(deps: { readonly clock: Clock }, options: PaceOptions) {
    this.#clock = deps.clock;
    this.#options = options;
    this.#tokens = options.burst;
    this.#atMs = deps.clock.monotonicMs();
  }

  /** Takes one token if there is one. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Counts what is sent in any case, a handshake; what comes after it waits the longer. */
  spend(): void {
    this.#refill();
    this.#tokens -= 1;
  }

  /** Ms until `take` succeeds; 0 when it does now. */
  waitMs(): number {
    this.#refill();
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#options.perSecond) * 1000);
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const grown = this.#tokens + ((nowMs - this.#atMs) * this.#options.perSecond) / 1000;
    this.#tokens = Math.min(this.#options.burst, grown);
    this.#atMs = nowMs;
  }
}
