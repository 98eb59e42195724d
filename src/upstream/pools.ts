/**
 * The pools above, in order of preference: which of them is mined for, and where shares for each go. The rules:
 *
 * - The first that works is mined for. Those before it are tried for as long as it takes and stand by, connected, once they work.
 * - One that is lost costs no waiting: the best that stands by takes its place at once, or the next is dialled.
 * - Miners are moved back to a preferred pool when it has worked without a break for `failbackMs`; so they are from own templates to any.
 * - Connections that were left in good order linger, for answers to shares that are on their way.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { Random } from "../kernel/random.ts";
import type { UpstreamAnswer, UpstreamShare, UpstreamShares } from "../mining/upstream-ports.ts";
import { REDIAL, type RedialPauses } from "./backoff.ts";
import type { PoolLinkBus } from "./events.ts";
import type { ConnectPool, PoolPeer } from "./peer.ts";
import type { PoolConnectionEnd, UpstreamPool } from "./pool-connection.ts";
import { PoolLine } from "./pool-line.ts";
import type { MinedFor, PoolsListener, UpstreamStatus } from "./standing.ts";

/** What the choice works with. */
export interface UpstreamPoolsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly bus: PoolLinkBus;
  readonly connect: ConnectPool;
  /** Hashes a second of all miners, for a pool whose one channel serves them all. */
  readonly hashrate: () => number;
}

/** Options of `UpstreamPools`. */
export interface UpstreamPoolsOptions {
  /** In order of preference, one at least. */
  readonly pools: readonly UpstreamPool[];
  /** Whether own templates are mined while no pool works. */
  readonly fallback: "none" | "solo";
  /** How long a preferred pool must have worked before miners are moved back to it, ms. */
  readonly failbackMs: number;
  /** How long a connection that was left lives on, ms. */
  readonly lingerMs: number;
  readonly pauses: RedialPauses;
  /** A connection that worked for so long, ms, makes good what failed before. */
  readonly steadyMs: number;
  /** Distance of two announcements of the hash rate, ms. */
  readonly announceMs: number;
}

/** Values for every server. */
export const UPSTREAM_POOLS_DEFAULTS = {
  lingerMs: 10_000,
  pauses: REDIAL,
  steadyMs: 60_000,
  announceMs: 10_000,
} as const satisfies Partial<UpstreamPoolsOptions>;

/** The choice. */
export class UpstreamPools implements Part, UpstreamShares {
  readonly name = "upstream pools";
  readonly #deps: UpstreamPoolsDeps;
  readonly #options: UpstreamPoolsOptions;
  readonly #lines: readonly PoolLine[];
  /** Every connection that may still be given shares, by its number. */
  readonly #byNumber = new Map<number, PoolPeer>();
  readonly #numbers = new Map<PoolPeer, number>();
  readonly #probations = new Map<number, Timer>();
  /** What keeps a pool away, as the log has it already: one that is away for days is tried every minute. */
  readonly #told = new Map<number, string>();
  /** Pools that failed since there was one to mine for. */
  readonly #tried = new Set<number>();
  #listener: PoolsListener | undefined;
  #lastNumber = 0;
  /** Index of the pool that is mined for; it may be on the move to another address. */
  #active: number | undefined;
  #now: MinedFor = { kind: "away" };
  #sinceMs = 0;
  #announcer: Timer | undefined;

  constructor(deps: UpstreamPoolsDeps, options: UpstreamPoolsOptions) {
    this.#deps = deps;
    this.#options = options;
    const connect = (pool: UpstreamPool): PoolPeer => this.#connect(pool);
    const gone = (peer: PoolPeer): void => this.#gone(peer);
    this.#lines = options.pools.map(
      (pool, index) =>
        new PoolLine(
          { clock: deps.clock, random: deps.random, connect, gone },
          pool,
          {
            onReady: () => this.#onReady(index),
            onJob: (job, cause) => {
              if (index === this.#active) this.#listener?.onJob(job, cause);
            },
            onDown: (end, wasReady, isMoving) => this.#onDown(index, end, wasReady, isMoving),
          },
          { pauses: options.pauses, steadyMs: options.steadyMs },
        ),
    );
  }

  /** What is mined for. */
  get now(): MinedFor {
    return this.#now;
  }

  /** Tells `listener`, the only one, of everything from now on. */
  listen(listener: PoolsListener): void {
    this.#listener = listener;
  }

  /** Dials the first pool; whether one works shows later. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { clock } = this.#deps;
    this.#sinceMs = clock.monotonicMs();
    for (const { pool } of this.#lines) this.#gauge(pool.name, 0);
    this.#announcer = clock.every(this.#options.announceMs, () => this.#announce());
    this.#dialNext();
  }

  async stop(): Promise<void> {
    this.#announcer?.cancel();
    for (const timer of this.#probations.values()) timer.cancel();
    this.#probations.clear();
    if (this.#active !== undefined && this.#now.kind === "pool") this.#left(this.#active, "stopped");
    await Promise.all(this.#lines.map((line) => line.stop()));
  }

  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    const { pool, connection } = share.work;
    const peer = this.#byNumber.get(connection);
    if (peer !== undefined) return peer.submit(share, answer);
    this.#deps.meter.count("upstream_shares_unsent_total", 1, { pool, why: "gone" });
    return false;
  }

  /** Everything for people. */
  status(): UpstreamStatus {
    return {
      miningFor: this.#now.kind === "pool" ? this.#now.pool : this.#now.kind === "solo" ? "solo" : undefined,
      forMs: Math.round(this.#deps.clock.monotonicMs() - this.#sinceMs),
      pools: this.#lines.map(({ pool, state, peer, trouble, retryInMs }, index) => ({
        name: pool.name,
        url: pool.url,
        state: index === this.#active && state === "ready" ? "mining" : state,
        trouble,
        retryInMs: retryInMs === undefined ? undefined : Math.round(retryInMs),
        connection: peer?.state(),
      })),
    };
  }

  // Connections

  #connect(pool: UpstreamPool): PoolPeer {
    this.#lastNumber += 1;
    const peer = this.#deps.connect(pool, this.#lastNumber);
    this.#byNumber.set(this.#lastNumber, peer);
    this.#numbers.set(peer, this.#lastNumber);
    // Its channel opens with it: the first target suits the miners who are here already.
    this.#announceTo(peer);
    return peer;
  }

  #gone(peer: PoolPeer): void {
    const number = this.#numbers.get(peer);
    this.#numbers.delete(peer);
    if (number !== undefined) this.#byNumber.delete(number);
  }

  #onReady(index: number): void {
    this.#told.delete(index);
    if (index === this.#active) this.#adopt(index);
    else if (this.#active === undefined && this.#now.kind !== "solo") this.#activate(this.#bestReady() ?? index);
    else if (this.#active === undefined || index < this.#active) this.#beginProbation(index);
  }

  #onDown(index: number, end: PoolConnectionEnd, wasReady: boolean, isMoving: boolean): void {
    const name = this.#name(index);
    this.#probations.get(index)?.cancel();
    this.#probations.delete(index);
    if (!isMoving) this.#deps.meter.count("upstream_failures_total", 1, { pool: name });
    if (index === this.#active) {
      const isLost = !isMoving;
      if (this.#now.kind === "pool") {
        this.#deps.log[isLost ? "warn" : "info"](
          isLost ? `lost pool ${name}: ${end.reason}${advice(end)}` : `pool ${name} sends us elsewhere: ${end.reason}`,
          { pool: name, error: end.fault },
        );
        this.#left(index, end.reason);
      }
      if (isLost) this.#lost(index);
      else this.#change({ kind: "away" });
      return;
    }
    const words = wasReady ? `pool ${name}, which stood by, is lost` : `pool ${name} does not work`;
    const isNews = wasReady || this.#told.get(index) !== end.reason;
    this.#told.set(index, end.reason);
    this.#deps.log[isNews ? "warn" : "debug"](`${words}: ${end.reason}${advice(end)}`, {
      pool: name,
      error: end.fault,
    });
    if (this.#active === undefined && this.#now.kind === "away" && !isMoving) {
      this.#tried.add(index);
      this.#dialNext();
    }
  }

  // The choice

  /** The pool that was mined for is gone. */
  #lost(index: number): void {
    this.#active = undefined;
    const other = this.#bestReady();
    if (other !== undefined) this.#activate(other);
    else {
      // Those before it had their chance while it was mined for.
      for (let i = 0; i <= index; i++) this.#tried.add(i);
      this.#change({ kind: "away" });
      this.#dialNext();
    }
  }

  /** Dials the next pool that was not tried; after the last there is nothing left but own templates. */
  #dialNext(): void {
    for (const [index, line] of this.#lines.entries()) {
      line.want();
      if (!this.#tried.has(index)) return;
    }
    const { log } = this.#deps;
    const { fallback } = this.#options;
    if (fallback === "solo") {
      this.#count("solo");
      log.warn("no pool works: own templates are mined until one does", { pools: this.#lines.length });
    } else {
      log.error(
        "no pool works, and there is no fallback: miners keep their last job, and nobody is paid for shares until a pool is back",
        { pools: this.#lines.length },
      );
    }
    this.#change({ kind: fallback === "solo" ? "solo" : "nothing" });
  }

  #bestReady(): number | undefined {
    const found = this.#lines.findIndex(({ peer }) => peer !== undefined);
    return found < 0 ? undefined : found;
  }

  #beginProbation(index: number): void {
    const { clock, log } = this.#deps;
    const { failbackMs } = this.#options;
    if (failbackMs === 0) {
      this.#activate(index);
      return;
    }
    log.info(`pool ${this.#name(index)} works; miners are moved to it when it has for ${failbackMs / 1000} s`);
    this.#probations.get(index)?.cancel();
    this.#probations.set(
      index,
      clock.after(failbackMs, () => this.#activate(index)),
    );
  }

  /** Moves miners to a pool that is ready. */
  #activate(index: number): void {
    const before = this.#active;
    this.#tried.clear();
    this.#active = index;
    if (before !== undefined && this.#now.kind === "pool") {
      this.#left(before, `moved back to the preferred pool ${this.#name(index)}`);
    }
    for (const [i, line] of this.#lines.entries()) {
      if (i < index) continue;
      this.#probations.get(i)?.cancel();
      this.#probations.delete(i);
      if (i > index) line.rest(this.#options.lingerMs);
    }
    // A last resort leaves those before it untried.
    for (let i = 0; i < index; i++) this.#lines[i]?.want();
    this.#adopt(index);
  }

  /** Takes the connection of the pool that is mined for into use. */
  #adopt(index: number): void {
    const { bus, log } = this.#deps;
    const line = this.#lines[index];
    const peer = line?.peer;
    if (line === undefined || peer === undefined) return;
    const { name, url } = line.pool;
    log.info(`mining for pool ${name}`, { pool: name, connection: this.#numbers.get(peer) });
    this.#gauge(name, 1);
    this.#count(name);
    bus.emit("MiningPoolConnected", { poolUrl: url, poolId: undefined });
    this.#change({ kind: "pool", pool: name, peer });
    this.#announce();
  }

  /** A pool is not mined for any more. */
  #left(index: number, reason: string): void {
    const line = this.#lines[index];
    if (line === undefined) return;
    this.#gauge(line.pool.name, 0);
    this.#deps.bus.emit("MiningPoolDisconnected", { poolUrl: line.pool.url, reason });
  }

  #change(now: MinedFor): void {
    this.#now = now;
    this.#sinceMs = this.#deps.clock.monotonicMs();
    this.#listener?.onChange(now);
  }

  /** Nobody mines at the start: a pool that heard of 0 would let the first miners flood it. */
  #announce(): void {
    if (this.#now.kind === "pool") this.#announceTo(this.#now.peer);
  }

  #announceTo(peer: PoolPeer): void {
    const hashrate = this.#deps.hashrate();
    if (hashrate > 0) peer.announceHashrate(hashrate);
  }

  #name(index: number): string {
    return this.#lines[index]?.pool.name ?? "";
  }

  #gauge(pool: string, value: number): void {
    this.#deps.meter.gauge("upstream_active", value, { pool });
  }

  #count(to: string): void {
    this.#deps.meter.count("upstream_switches_total", 1, { to });
  }
}

function advice({ fault }: PoolConnectionEnd): string {
  return fault === undefined ? "" : `. ${fault.help}`;
}
