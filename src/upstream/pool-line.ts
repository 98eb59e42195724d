/**
 * One configured pool while it is wanted: a connection to it, and after each end another attempt, with pauses that grow. It follows
 * the pool to another address when it is sent there (Reconnect), once until that address has proved steady: two servers that send us to
 * each other must not keep us from the next pool.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import type { Job } from "../mining/job.ts";
import type { TemplateCause } from "../mining/ports.ts";
import { type RedialPauses, redialMs } from "./backoff.ts";
import type { PoolPeer } from "./peer.ts";
import type { PoolConnectionEnd, UpstreamPool } from "./pool-connection.ts";

/** What a line works with. */
export interface PoolLineDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Makes a connection that is not run yet. */
  readonly connect: (pool: UpstreamPool) => PoolPeer;
  /** A connection ended, also one that lingered: nothing comes of it any more. */
  readonly gone: (peer: PoolPeer) => void;
}

/** What a line tells, of its present connection alone. */
export interface PoolLineListener {
  onReady(): void;
  onJob(job: Job, cause: TemplateCause): void;
  /** The connection ended without our doing. `wasReady`: it worked until then. `isMoving`: the address that the pool sent us to is being dialled. */
  onDown(end: PoolConnectionEnd, wasReady: boolean, isMoving: boolean): void;
}

/** Options of `PoolLine`. */
export interface PoolLineOptions {
  readonly pauses: RedialPauses;
  /** A connection that worked for so long, ms, makes good what failed before. */
  readonly steadyMs: number;
}

/** A connection and what is known of it. */
interface Attempt {
  readonly peer: PoolPeer;
  readonly end: AbortController;
  /** Monotonic ms since which it is usable. */
  readySinceMs: number | undefined;
}

/** How a pool stands. */
export type LineState = "resting" | "dialling" | "ready" | "waiting";

/** The line. */
export class PoolLine {
  readonly pool: UpstreamPool;
  readonly #deps: PoolLineDeps;
  readonly #options: PoolLineOptions;
  readonly #listener: PoolLineListener;
  readonly #running = new Set<Promise<void>>();
  readonly #lingering = new Map<Attempt, Timer>();
  #attempt: Attempt | undefined;
  #redial: Timer | undefined;
  #redialAtMs = 0;
  #failures = 0;
  #hasMoved = false;
  #trouble: string | undefined;

  constructor(deps: PoolLineDeps, pool: UpstreamPool, listener: PoolLineListener, options: PoolLineOptions) {
    this.#deps = deps;
    this.pool = pool;
    this.#listener = listener;
    this.#options = options;
  }

  /** How it stands. */
  get state(): LineState {
    if (this.#attempt !== undefined) return this.#attempt.readySinceMs === undefined ? "dialling" : "ready";
    return this.#redial === undefined ? "resting" : "waiting";
  }

  /** The connection, while it is usable. */
  get peer(): PoolPeer | undefined {
    return this.#attempt?.readySinceMs === undefined ? undefined : this.#attempt.peer;
  }

  /** Why the last connection ended, in words; `undefined` before any did. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Ms until the next attempt; `undefined` while none is waited for. */
  get retryInMs(): number | undefined {
    return this.#redial === undefined ? undefined : Math.max(0, this.#redialAtMs - this.#deps.clock.monotonicMs());
  }

  /** Keeps it connected from now on; dials at once unless a pause is on. */
  want(): void {
    if (this.#attempt === undefined && this.#redial === undefined) this.#dial(this.pool);
  }

  /** Lets go of it. Its connection lingers for `lingerMs`, for answers that are on their way. */
  rest(lingerMs: number): void {
    this.#redial?.cancel();
    this.#redial = undefined;
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (attempt === undefined) return;
    if (lingerMs === 0 || attempt.readySinceMs === undefined) attempt.end.abort();
    else {
      const timer = this.#deps.clock.after(lingerMs, () => attempt.end.abort());
      this.#lingering.set(attempt, timer);
    }
  }

  /** Ends all connections; resolves when they are gone. */
  async stop(): Promise<void> {
    this.rest(0);
    for (const attempt of this.#lingering.keys()) attempt.end.abort();
    await Promise.all(this.#running);
  }

  #dial(pool: UpstreamPool): void {
    const attempt: Attempt = {
      peer: this.#deps.connect(pool),
      end: new AbortController(),
      readySinceMs: undefined,
    };
    this.#attempt = attempt;
    const isPresent = (): boolean => this.#attempt === attempt;
    const run = attempt.peer
      .run(
        {
          onReady: () => {
            attempt.readySinceMs = this.#deps.clock.monotonicMs();
            if (isPresent()) this.#listener.onReady();
          },
          onJob: (job, cause) => {
            if (isPresent()) this.#listener.onJob(job, cause);
          },
        },
        attempt.end.signal,
      )
      .then((end) => this.#ended(attempt, end))
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  #ended(attempt: Attempt, end: PoolConnectionEnd): void {
    const { clock, random, gone } = this.#deps;
    gone(attempt.peer);
    this.#lingering.get(attempt)?.cancel();
    this.#lingering.delete(attempt);
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    const { readySinceMs } = attempt;
    const nowMs = clock.monotonicMs();
    if (readySinceMs !== undefined && nowMs - readySinceMs >= this.#options.steadyMs) {
      this.#failures = 0;
      this.#hasMoved = false;
    }
    this.#trouble = end.reason;
    const isMoving = end.moveTo !== undefined && !this.#hasMoved;
    if (isMoving && end.moveTo !== undefined) {
      this.#hasMoved = true;
      this.#dial({ ...this.pool, address: end.moveTo });
    } else {
      this.#hasMoved = false;
      this.#failures += 1;
      const pauseMs = redialMs(this.#options.pauses, this.#failures, random);
      this.#redialAtMs = nowMs + pauseMs;
      this.#redial = clock.after(pauseMs, () => {
        this.#redial = undefined;
        this.#dial(this.pool);
      });
    }
    this.#listener.onDown(end, readySinceMs !== undefined, isMoving);
  }
}
