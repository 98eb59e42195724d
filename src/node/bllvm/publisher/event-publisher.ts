/**
 * Publishes what the server tells to the node's other modules: rewards and pool connections first, then jobs, then shares, one request at a time
 * and never more than the node takes (it closes the connection of a module above 100 requests a second, reference 1.9, and we ask for more than
 * events). Whoever tells never waits and is never thrown at.
 *
 * Rewards go out at least once: one whose answer was lost with the connection is published again. Of jobs the newest waits. Shares are news of a
 * moment; those that cannot go out at once are dropped and counted.
 */
import type { Clock, Timer } from "../../../kernel/clock.ts";
import type { Unsubscribe } from "../../../kernel/events.ts";
import { describe, Fault } from "../../../kernel/fault.ts";
import type { Part } from "../../../kernel/lifecycle.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Meter } from "../../../kernel/meter.ts";
import type { BllvmNode, BllvmPublishedEvent, BllvmPublishedEvents, BllvmState } from "../bllvm-node.ts";
import { BestShares } from "./best-shares.ts";
import { type KeptEvent, KeptEvents } from "./kept-events.ts";

/** What the publisher works with. */
export interface EventPublisherDeps {
  readonly node: Pick<BllvmNode, "publish" | "state" | "onState">;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}

/** Options of `EventPublisher`; `PUBLISHER_DEFAULTS` has those that no operator chooses. */
export interface EventPublisherOptions {
  /** `bllvm.publish_events`. */
  readonly enabled: boolean;
  /** Most ShareSubmitted events a second; 0 for none. */
  readonly shareEventsPerS: number;
  /** Least time between two events of any kind, ms. */
  readonly gapMs: number;
  /** Least time between two MiningJobCreated events, ms. */
  readonly jobGapMs: number;
  /** Miners that are remembered in one interval of shares. */
  readonly maxMiners: number;
  /** Rewards that wait for a node that is away. */
  readonly maxRewards: number;
  /** Pools whose connection is told of. */
  readonly maxPools: number;
  /** Ms until a request counts as failed. */
  readonly timeoutMs: number;
  /** Ms that a stop waits for rewards that are on their way. */
  readonly stopMs: number;
}

/** Values for every node: 40 events a second at most. */
export const PUBLISHER_DEFAULTS: Omit<EventPublisherOptions, "enabled" | "shareEventsPerS"> = {
  gapMs: 25,
  jobGapMs: 500,
  maxMiners: 1000,
  maxRewards: 1000,
  maxPools: 16,
  timeoutMs: 5000,
  stopMs: 1000,
};

/** The node's name of the request, as `BllvmState.unusable` lists it. */
const PUBLISH = "PublishEvent";

/** Characters of a miner's name that are published. */
const MAX_MINER = 128;

/** Waits after an event that has to be published again: the first, and the longest. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

/** Error answers to one event after which it is given up. */
const MAX_REFUSALS = 3;

/** Least time between two warnings about rewards that had to go. */
const WARN_EVERY_MS = 60_000;

type Name = BllvmPublishedEvent["name"];
type Reason = "worse" | "rate" | "full" | "replaced" | "away" | "failed" | "off";
type Next = { readonly kind: "kept" | "job" | "share"; readonly dueMs: number };

/** The publisher. Before `start` and after `stop` nothing is taken. */
export class EventPublisher implements Part {
  readonly name = "event publisher";
  readonly #deps: EventPublisherDeps;
  readonly #options: EventPublisherOptions;
  readonly #intervalMs: number;
  readonly #shares: BestShares;
  readonly #kept: KeptEvents;
  #job: BllvmPublishedEvents["MiningJobCreated"] | undefined;
  /** The newest job, and the newest that was told: a node that comes back, or that takes events now, hears of it. */
  #newestJob: BllvmPublishedEvents["MiningJobCreated"] | undefined;
  #toldJob: BllvmPublishedEvents["MiningJobCreated"] | undefined;
  #isOpen = false;
  #isUp = false;
  #isUsable = true;
  #isBusy = false;
  /** Shares that came while the node was away and are not counted yet. */
  #unheard = 0;
  /** Monotonic ms before which nothing, no job, no share, no kept event goes out. */
  #readyMs = 0;
  #jobReadyMs = 0;
  #shareReadyMs = 0;
  #keptReadyMs = 0;
  #retryMs = FIRST_RETRY_MS;
  #timer: Timer | undefined;
  #interval: Timer | undefined;
  #unsubscribe: Unsubscribe | undefined;
  #saidUnusable = false;
  #lost = { rewards: 0, warnedMs: Number.NEGATIVE_INFINITY };
  #onIdle: (() => void) | undefined;

  constructor(deps: EventPublisherDeps, options: EventPublisherOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#intervalMs = Math.max(1000, 1000 / options.shareEventsPerS);
    this.#shares = new BestShares({}, options);
    this.#kept = new KeptEvents({}, options);
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { node, log } = this.#deps;
    if (!this.#options.enabled) {
      log.info("no events are published to the node's modules: bllvm.publish_events is false");
      return;
    }
    this.#isOpen = true;
    this.#unsubscribe = node.onState((state) => this.#see(state));
    this.#see(node.state());
  }

  /** Lets rewards that can still go out do so, for a moment. */
  async stop(): Promise<void> {
    const { clock, log, meter } = this.#deps;
    this.#isOpen = false;
    this.#dropNews("away");
    if (this.#isUp && (this.#kept.size > 0 || this.#isBusy)) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(this.#options.stopMs, resolve);
        this.#onIdle = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#isUp = false;
    this.#unsubscribe?.();
    this.#timer?.cancel();
    const unpublished = this.#kept.clear();
    meter.gauge("bllvm_events_waiting", 0);
    for (const name of unpublished) this.#leftOut(name, "away");
    if (unpublished.length > 0) log.warn(`${unpublished.length} events were not published before the stop`);
  }

  /** A job that miners get. Only the newest waits, also while the node is away: it is what they work on when the node is back. */
  job(event: BllvmPublishedEvents["MiningJobCreated"]): void {
    this.#newestJob = event;
    if (!this.#takes("MiningJobCreated")) return;
    if (this.#job !== undefined) this.#leftOut("MiningJobCreated", "replaced");
    this.#job = event;
    this.#pump();
  }

  /**
   * An accepted share. The share path's: `hash` (`Uint8Array(32)`, internal byte order) is read during the call only, and hardly anything is
   * allocated. `miner`: its user identity.
   */
  share(jobId: number, hash: Uint8Array, miner: string): void {
    if (!this.#isOpen || !this.#isUsable || this.#options.shareEventsPerS === 0) return;
    if (!this.#isUp) {
      this.#unheard += 1;
      return;
    }
    this.#shares.offer(jobId, hash, cut(miner));
    this.#interval ??= this.#deps.clock.after(this.#intervalMs, () => this.#turn());
  }

  /** A reward; kept while the node is away. */
  reward(event: BllvmPublishedEvents["MergeMiningReward"]): void {
    this.#keep({ name: "MergeMiningReward", event });
  }

  /** A pool was connected to; kept while the node is away, the newest of each pool. */
  poolConnected(event: BllvmPublishedEvents["MiningPoolConnected"]): void {
    this.#keep({ name: "MiningPoolConnected", event });
  }

  /** The connection to a pool ended; as `poolConnected`. */
  poolDisconnected(event: BllvmPublishedEvents["MiningPoolDisconnected"]): void {
    this.#keep({ name: "MiningPoolDisconnected", event });
  }

  /** Events that are held in memory. */
  get held(): number {
    return this.#kept.size + this.#shares.size + (this.#job === undefined ? 0 : 1);
  }

  #takes(name: Name): boolean {
    if (this.#isOpen && this.#isUsable) return true;
    this.#leftOut(name, "off");
    return false;
  }

  #keep(event: BllvmPublishedEvent): void {
    if (!this.#takes(event.name)) return;
    for (const gone of this.#kept.add(event)) this.#lose(gone);
    this.#deps.meter.gauge("bllvm_events_waiting", this.#kept.size);
    this.#pump();
  }

  /** A kept event had to go. A pool's is replaced by its newer one; a reward is a loss. */
  #lose(name: Name): void {
    const { clock, log } = this.#deps;
    this.#leftOut(name, name === "MergeMiningReward" ? "full" : "replaced");
    if (name !== "MergeMiningReward") return;
    this.#lost.rewards += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lost.warnedMs < WARN_EVERY_MS) return;
    this.#lost.warnedMs = nowMs;
    const most = this.#options.maxRewards;
    log.warn(
      `more than ${most} rewards wait to be published: the oldest are not told to the node's modules (${this.#lost.rewards} so far); the ledger has them all`,
    );
  }

  #see({ phase, unusable }: BllvmState): void {
    const isUsable = !unusable.includes(PUBLISH);
    if (isUsable) this.#isUsable = true;
    else this.#giveUp();
    const wasUp = this.#isUp;
    this.#isUp = phase === "up";
    if (!this.#isUp) this.#dropShares("away");
    if (wasUp && !this.#isUp) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#onIdle?.();
    } else if (!wasUp && this.#isUp) {
      this.#leftOut("ShareSubmitted", "away", this.#unheard);
      this.#unheard = 0;
      this.#retryMs = FIRST_RETRY_MS;
      this.#keptReadyMs = 0;
    }
    if (this.#isUp && this.#isUsable && this.#newestJob !== this.#toldJob) this.#job ??= this.#newestJob;
    this.#pump();
  }

  /** The node closes the connection at every event: nothing is queued any more. */
  #giveUp(): void {
    const { log, meter } = this.#deps;
    this.#isUsable = false;
    this.#dropNews("off");
    for (const name of this.#kept.clear()) this.#leftOut(name, "off");
    meter.gauge("bllvm_events_waiting", 0);
    if (this.#saidUnusable) return;
    this.#saidUnusable = true;
    const fault = new Fault("bllvm-request-unusable", { request: PUBLISH });
    log.warn(`no events are published to the node's modules: ${describe(fault)}. ${fault.help}`, { error: fault });
  }

  #dropNews(reason: Reason): void {
    if (this.#job !== undefined) this.#leftOut("MiningJobCreated", reason);
    this.#job = undefined;
    this.#dropShares(reason);
  }

  #dropShares(reason: Reason): void {
    this.#interval?.cancel();
    this.#interval = undefined;
    this.#leftOut("ShareSubmitted", reason, this.#shares.clear());
    this.#leftOut("ShareSubmitted", "away", this.#unheard);
    this.#unheard = 0;
  }

  /** An interval of shares is over. */
  #turn(): void {
    this.#interval = undefined;
    const { worse, rate, full } = this.#shares.turn();
    this.#leftOut("ShareSubmitted", "worse", worse);
    this.#leftOut("ShareSubmitted", "rate", rate);
    this.#leftOut("ShareSubmitted", "full", full);
    this.#pump();
  }

  /** Sends what may go out now, or sees to it that it is done when the time has come. */
  #pump(): void {
    const { clock } = this.#deps;
    if (this.#isBusy || !this.#isUp || !this.#isUsable) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    const nowMs = clock.monotonicMs();
    const next = this.#next(nowMs);
    if (next === undefined) this.#onIdle?.();
    else if (next.dueMs > nowMs) this.#timer = clock.after(next.dueMs - nowMs, () => this.#pump());
    else this.#send(next.kind, nowMs);
  }

  /** What goes out first: of what may go out now what matters most, else what may soonest. */
  #next(nowMs: number): Next | undefined {
    const waiting: Next[] = [];
    const add = (kind: Next["kind"], readyMs: number): void => {
      waiting.push({ kind, dueMs: Math.max(readyMs, this.#readyMs) });
    };
    if (this.#kept.size > 0) add("kept", this.#keptReadyMs);
    if (this.#job !== undefined) add("job", this.#jobReadyMs);
    if (this.#shares.isReady) add("share", this.#shareReadyMs);
    let first: Next | undefined;
    for (const each of waiting) {
      if (each.dueMs <= nowMs) return each;
      if (first === undefined || each.dueMs < first.dueMs) first = each;
    }
    return first;
  }

  #send(kind: Next["kind"], nowMs: number): void {
    this.#readyMs = nowMs + this.#options.gapMs;
    if (kind === "kept") {
      const kept = this.#kept.take();
      if (kept !== undefined) this.#publish(kept.event, kept);
    } else if (kind === "job") {
      const event = this.#job;
      this.#job = undefined;
      this.#jobReadyMs = nowMs + this.#options.jobGapMs;
      if (event !== undefined) this.#publish({ name: "MiningJobCreated", event });
    } else {
      const share = this.#shares.next();
      this.#shareReadyMs = nowMs + 1000 / this.#options.shareEventsPerS;
      if (share === undefined) return;
      const { jobId, hash, miner } = share;
      this.#publish({
        name: "ShareSubmitted",
        event: { jobId: String(jobId), shareHash: hash, minerId: miner === "" ? undefined : miner },
      });
    }
  }

  #publish(event: BllvmPublishedEvent, kept?: KeptEvent): void {
    const { node, meter } = this.#deps;
    this.#isBusy = true;
    const ended = (): void => {
      this.#isBusy = false;
      meter.gauge("bllvm_events_waiting", this.#kept.size);
      this.#pump();
      if (!this.#isUp || !this.#isUsable) this.#onIdle?.();
    };
    const publish = async (): Promise<void> => await node.publish(event, { timeoutMs: this.#options.timeoutMs });
    publish().then(
      () => {
        this.#retryMs = FIRST_RETRY_MS;
        if (event.name === "MiningJobCreated") this.#toldJob = event.event;
        meter.count("bllvm_events_published_total", 1, { event: event.name });
        ended();
      },
      (error: unknown) => {
        this.#failed(event, kept, error);
        ended();
      },
    );
  }

  #failed({ name }: BllvmPublishedEvent, kept: KeptEvent | undefined, error: unknown): void {
    const { clock, log } = this.#deps;
    const code = error instanceof Fault ? error.code : undefined;
    if (code === "bllvm-request-unusable") this.#giveUp();
    if (kept === undefined || !this.#isUsable) {
      this.#leftOut(name, this.#isUsable ? "failed" : "off");
      log.debug(`${name} was not published: ${describe(error)}`, { error });
      return;
    }
    if (code === "bllvm-request-failed") kept.refusals += 1;
    // What is no fault of the table is a mistake of ours, and would be one each time.
    if (code === undefined || kept.refusals >= MAX_REFUSALS) {
      this.#leftOut(name, "failed");
      log.error(`${name} is not published: ${describe(error)}`, { error });
      return;
    }
    if (!this.#kept.putBack(kept)) this.#lose(name);
    this.#keptReadyMs = clock.monotonicMs() + this.#retryMs;
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    log.debug(`${name} is published again: ${describe(error)}`, { error });
  }

  #leftOut(event: Name, reason: Reason, count = 1): void {
    if (count > 0) this.#deps.meter.count("bllvm_events_left_out_total", count, { event, reason });
  }
}

/** The first characters of a name, whole ones. */
function cut(miner: string): string {
  if (miner.length <= MAX_MINER) return miner;
  const last = miner.charCodeAt(MAX_MINER - 1);
  return miner.slice(0, last >= 0xd800 && last < 0xdc00 ? MAX_MINER - 1 : MAX_MINER);
}
