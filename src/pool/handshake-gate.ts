/**
 * Spreads the cost of Noise handshakes (about 2 ms of CPU each, reference: docs/benchmarks.md) over time, so that a
 * reconnect storm or an attacker cannot hold up jobs and shares. A connection over the rate is not refused but waits:
 * a refused miner would come back at once and cost another accept. Turns go round the waiting subscribers, so a
 * thousand connections of one attacker delay a lone miner by one turn and not by a thousand. Who waits too long meets
 * the session's own handshake deadline.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { TokenBucket, type TokenBucketOptions } from "./token-bucket.ts";

/** A place in the queue. */
export interface GatePlace {
  /** Leaves the queue; does nothing once the turn came. */
  leave(): void;
}

/** Lets handshakes through at a rate. The queue is bounded by the connections that admission let in. */
export class HandshakeGate {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  /** Waiting turns by subscriber; the map's order is the order of the subscribers' turns. */
  readonly #waiting = new Map<bigint, Set<() => void>>();
  #timer: Timer | undefined;

  constructor(deps: { readonly clock: Clock }, options: TokenBucketOptions) {
    this.#clock = deps.clock;
    this.#bucket = new TokenBucket(options, deps.clock.monotonicMs());
  }

  /** Connections that wait for their turn. */
  get waiting(): number {
    let count = 0;
    for (const turns of this.#waiting.values()) count += turns.size;
    return count;
  }

  /**
   * Returns `undefined` when the caller may go ahead at once; otherwise `turn` is called later, unless the place is
   * left before.
   */
  enter(subscriber: bigint, turn: () => void): GatePlace | undefined {
    if (this.#waiting.size === 0 && this.#bucket.tryTake(this.#clock.monotonicMs())) return undefined;
    let turns = this.#waiting.get(subscriber);
    if (turns === undefined) {
      turns = new Set();
      this.#waiting.set(subscriber, turns);
    }
    // A fresh function for each place: the caller may pass the same one twice.
    const place = (): void => turn();
    turns.add(place);
    this.#schedule();
    return { leave: () => this.#leave(subscriber, place) };
  }

  #leave(subscriber: bigint, place: () => void): void {
    const turns = this.#waiting.get(subscriber);
    if (turns?.delete(place) && turns.size === 0) this.#waiting.delete(subscriber);
    if (this.#waiting.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One turn a timer: between two handshakes the event loop serves everybody else. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#waiting.size === 0) return;
    // Timers may fire a little early; a millisecond on top spares a second round.
    const delayMs = Math.ceil(this.#bucket.waitMs(this.#clock.monotonicMs()));
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      const next = this.#waiting.entries().next().value;
      if (next !== undefined && this.#bucket.tryTake(this.#clock.monotonicMs())) {
        const [subscriber, turns] = next;
        const [turn] = turns;
        if (turn !== undefined) {
          turns.delete(turn);
          // To the back of the round, if more of this subscriber wait.
          this.#waiting.delete(subscriber);
          if (turns.size > 0) this.#waiting.set(subscriber, turns);
          turn();
        }
      }
      this.#schedule();
    });
  }
}
