/** Rates with a burst, in constant memory: the classic token bucket over a monotonic clock. */

/** Options of `TokenBucket`. */
export interface TokenBucketOptions {
  /** Tokens that flow in per second; above 0. */
  readonly perSecond: number;
  /** Tokens that the bucket holds, and begins with; at least 1. */
  readonly burst: number;
}

/** A bucket that may go into debt: whoever took too much waits until it is paid back. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  /** `nowMs`: monotonic time of the start, ms. */
  constructor(options: TokenBucketOptions, nowMs: number) {
    this.#perMs = options.perSecond / 1000;
    this.#burst = options.burst;
    this.#tokens = options.burst;
    this.#atMs = nowMs;
  }

  /** Takes one token if there is a whole one. */
  tryTake(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes `count` tokens, into debt if need be. */
  charge(nowMs: number, count: number): void {
    this.#refill(nowMs);
    this.#tokens -= count;
  }

  /** Time until a whole token is there, ms; 0 when there is one. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs;
  }

  #refill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}
