/**
 * Whether a pool is mined for with jobs of ours or with its own. One that refused ours is mined for with its own for a while, which grows, and then asked again.
 */

import { withSignals } from "../../kernel/abort.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { PoolPeer } from "../peer.ts";

/** First and longest time that a pool's own jobs are mined after it refused ours, ms. */
const FIRST_MS = 60_000;
const MOST_MS = 1_800_000;

/** What `DeclaringChoice` works with. */
export interface DeclaringChoiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** A connection with jobs of ours; `refused` is called when the pool does not take them. */
  readonly declaring: (refused: (reason: string) => void) => PoolPeer;
  /** One with the pool's jobs. */
  readonly ordinary: () => PoolPeer;
}

/** The choice for one pool. */
export class DeclaringChoice {
  readonly #deps: Pick<DeclaringChoiceDeps, "clock" | "log">;
  readonly #pool: string;
  #untilMs = Number.NEGATIVE_INFINITY;
  #pauseMs = FIRST_MS;

  constructor(deps: Pick<DeclaringChoiceDeps, "clock" | "log">, options: { readonly pool: string }) {
    this.#deps = deps;
    this.#pool = options.pool;
  }

  /** A connection that was not run yet. */
  connect({ declaring, ordinary }: Pick<DeclaringChoiceDeps, "declaring" | "ordinary">): PoolPeer {
    const { clock } = this.#deps;
    const restMs = this.#untilMs - clock.monotonicMs();
    if (restMs <= 0) return declaring((reason) => this.#refused(reason));
    return new ForAWhile({ clock, peer: ordinary() }, { forMs: restMs });
  }

  #refused(reason: string): void {
    const { clock, log } = this.#deps;
    log.warn(
      `pool ${this.#pool} is mined for with its own jobs, without our chains, for ${this.#pauseMs / 60_000} minutes: ${reason}`,
      { pool: this.#pool },
    );
    this.#untilMs = clock.monotonicMs() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, MOST_MS);
  }
}

/** A connection that is left in good order after a while. */
class ForAWhile implements PoolPeer {
  readonly #deps: { readonly clock: Clock; readonly peer: PoolPeer };
  readonly #forMs: number;

  constructor(deps: { readonly clock: Clock; readonly peer: PoolPeer }, options: { readonly forMs: number }) {
    this.#deps = deps;
    this.#forMs = options.forMs;
  }

  async run(...[listener, signal]: Parameters<PoolPeer["run"]>): ReturnType<PoolPeer["run"]> {
    const { clock, peer } = this.#deps;
    const over = new AbortController();
    const timer = clock.after(this.#forMs, () => over.abort());
    const end = await withSignals([signal, over.signal], (both) => peer.run(listener, both));
    timer.cancel();
    return over.signal.aborted && !signal.aborted ? { ...end, reason: "our own jobs are offered to it again" } : end;
  }

  currentJob(): ReturnType<PoolPeer["currentJob"]> {
    return this.#deps.peer.currentJob();
  }

  announceHashrate(hashesPerSecond: number): void {
    this.#deps.peer.announceHashrate(hashesPerSecond);
  }

  submit(...[share, answer]: Parameters<PoolPeer["submit"]>): boolean {
    return this.#deps.peer.submit(share, answer);
  }

  open(...[wish, onWork]: Parameters<PoolPeer["open"]>): ReturnType<PoolPeer["open"]> {
    return this.#deps.peer.open(wish, onWork);
  }

  state(): ReturnType<PoolPeer["state"]> {
    return this.#deps.peer.state();
  }
}
