/**
 * How long to stay away from the node after a connection ended. Never below the first pause, jitter or not: the node cleans up
 * after a connection by the module's name, so one that comes back within microseconds can lose its new subscription to that.
 * Source: blvm-node `src/module/ipc/server.rs` 672-683, 828-836.
 */
import { type Random, randomU32 } from "../../../kernel/random.ts";

/** Bounds of the pause. */
export interface BackoffOptions {
  /** First and shortest pause, ms. */
  readonly firstMs: number;
  /** Longest pause, ms. */
  readonly mostMs: number;
}

/** Pauses that double. */
export class Backoff {
  readonly #random: Random;
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(deps: { readonly random: Random }, options: BackoffOptions) {
    this.#random = deps.random;
    this.#options = options;
  }

  /** The next pause, ms: twice the one before, give or take a quarter by chance, inside the bounds. */
  next(): number {
    const { firstMs, mostMs } = this.#options;
    const base = Math.min(mostMs, firstMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    const factor = 0.75 + randomU32(this.#random) / 2 ** 33;
    return Math.min(mostMs, Math.max(firstMs, base * factor));
  }

  /** The connection was good: the next pause is the first again. */
  reset(): void {
    this.#attempt = 0;
  }
}
