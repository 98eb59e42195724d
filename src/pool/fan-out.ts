/**
 * Visits very many sessions without holding up the event loop: after some milliseconds the rest waits for the next turn,
 * so that shares and blocks are judged between two slices of a fan-out.
 */
import type { Clock, Timer } from "../kernel/clock.ts";

/** Options of `FanOut`. */
export interface FanOutOptions {
  /** Time that one slice may take, ms. */
  readonly sliceMs: number;
}

/** One running round at most: a new one takes the place of the old one, whose remaining items it visits too. */
export class FanOut<T> {
  readonly #clock: Clock;
  readonly #sliceMs: number;
  #timer: Timer | undefined;

  constructor(deps: { readonly clock: Clock }, options: FanOutOptions) {
    this.#clock = deps.clock;
    this.#sliceMs = options.sliceMs;
  }

  /** Whether a round is under way. */
  get running(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * Calls `visit` for each of `items`, again and again while it returns `true`, and `done` with the elapsed ms after the last one. The
   * first slice runs before this returns. `items` may change meanwhile: one that is added to a `Set` is visited, one that is deleted is not. A round that
   * was replaced or cancelled never calls `done`. `visit` must not throw.
   */
  start(items: Iterable<T>, visit: (item: T) => boolean, done: (elapsedMs: number) => void): void {
    this.cancel();
    const beganMs = this.#clock.monotonicMs();
    const iterator = items[Symbol.iterator]();
    let again: IteratorResult<T> | undefined;
    const slice = (): void => {
      this.#timer = undefined;
      const endMs = this.#clock.monotonicMs() + this.#sliceMs;
      for (;;) {
        const next = again ?? iterator.next();
        if (next.done === true) {
          done(this.#clock.monotonicMs() - beganMs);
          return;
        }
        again = visit(next.value) ? next : undefined;
        if (this.#clock.monotonicMs() >= endMs) break;
      }
      this.#timer = this.#clock.after(0, slice);
    };
    slice();
  }

  /** Ends the round without visiting the rest. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
