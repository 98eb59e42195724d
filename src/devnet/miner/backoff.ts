/** How long to wait before the next attempt. */
import type { Random } from "../../kernel/random.ts";
import { randomU32 } from "../../kernel/random.ts";

/** Bounds of the wait, ms. */
export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Doubles the wait with each failure in a row; a random half of it keeps a fleet of miners from coming back as one. */
export class Backoff {
  readonly #random: Random;
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(deps: { readonly random: Random }, options: BackoffOptions) {
    this.#random = deps.random;
    this.#options = options;
  }

  /** The next wait: between half of the present step and the whole of it, ms. */
  next(): number {
    const { minMs, maxMs } = this.#options;
    const step = Math.min(maxMs, minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.round(step / 2 + (step / 2) * (randomU32(this.#random) / 2 ** 32));
  }

  /** Something worked: begins with the shortest step again. */
  reset(): void {
    this.#failures = 0;
  }
}
