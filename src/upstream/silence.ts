/**
 * How long a pool has been silent. Between two templates an honest pool has nothing to say (SRI's has no keep-alive), so before it is taken
 * for gone it is asked something that pools answer.
 */
import type { Clock } from "../kernel/clock.ts";

/** It is asked after this part of the limit, and again after the next. */
const PARTS = 3;

/** The silence of one connection. */
export class Silence {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #limitMs: number;
  #heardMs: number;
  #askedMs: number;

  /** `limitMs`: a pool that is silent for so long is gone. */
  constructor(deps: { readonly clock: Pick<Clock, "monotonicMs"> }, options: { readonly limitMs: number }) {
    this.#clock = deps.clock;
    this.#limitMs = options.limitMs;
    this.#heardMs = deps.clock.monotonicMs();
    this.#askedMs = this.#heardMs;
  }

  /** The pool said something, or has no reason to. */
  broken(): void {
    this.#heardMs = this.#clock.monotonicMs();
    this.#askedMs = this.#heardMs;
  }

  /** What is to be done now; asked every second or so. */
  judge(): "nothing" | "ask" | "leave" {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#heardMs >= this.#limitMs) return "leave";
    if (nowMs - this.#askedMs < this.#limitMs / PARTS) return "nothing";
    this.#askedMs = nowMs;
    return "ask";
  }
}
