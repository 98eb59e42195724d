/**
 * Events that outlive a node that is away: rewards in their order, and of every pool whether it is connected. Rewards are bounded, the oldest goes
 * first: the ledger has them all, the event only tells of them.
 */
import type { BllvmPublishedEvent } from "../bllvm-node.ts";

/** An event that is kept. */
export interface KeptEvent {
  readonly event: BllvmPublishedEvent;
  /** Times that the node answered with an error. */
  refusals: number;
}

/** Bounds of `KeptEvents`. */
export interface KeptEventsOptions {
  readonly maxRewards: number;
  readonly maxPools: number;
}

/** The events, in the order in which they go out. */
export class KeptEvents {
  readonly #options: KeptEventsOptions;
  readonly #rewards: KeptEvent[] = [];
  readonly #pools = new Map<string, KeptEvent>();

  constructor(_deps: object, options: KeptEventsOptions) {
    this.#options = options;
  }

  /** Events that are kept. */
  get size(): number {
    return this.#rewards.length + this.#pools.size;
  }

  /** Takes an event; of one pool only the newest stays. Returns the names of those that had to go for it. */
  add(event: BllvmPublishedEvent): BllvmPublishedEvent["name"][] {
    const kept = { event, refusals: 0 };
    const url = poolUrlOf(event);
    if (url === undefined) {
      this.#rewards.push(kept);
      return this.#rewards.splice(0, this.#rewards.length - this.#options.maxRewards).map(nameOf);
    }
    const gone: KeptEvent[] = [];
    this.#dropPool(url, gone);
    this.#pools.set(url, kept);
    for (const oldest of this.#pools.keys()) {
      if (this.#pools.size <= this.#options.maxPools) break;
      this.#dropPool(oldest, gone);
    }
    return gone.map(nameOf);
  }

  /** Takes the next event out. */
  take(): KeptEvent | undefined {
    const reward = this.#rewards.shift();
    if (reward !== undefined) return reward;
    const [first] = this.#pools;
    if (first === undefined) return undefined;
    this.#pools.delete(first[0]);
    return first[1];
  }

  /** Puts an event back in front that could not be published. Returns whether there was room: newer ones go before it. */
  putBack(kept: KeptEvent): boolean {
    const url = poolUrlOf(kept.event);
    if (url === undefined) {
      if (this.#rewards.length >= this.#options.maxRewards) return false;
      this.#rewards.unshift(kept);
      return true;
    }
    if (this.#pools.has(url) || this.#pools.size >= this.#options.maxPools) return false;
    this.#pools.set(url, kept);
    return true;
  }

  /** Forgets everything. Returns the names of what there was. */
  clear(): BllvmPublishedEvent["name"][] {
    const gone = [...this.#rewards.splice(0), ...this.#pools.values()].map(nameOf);
    this.#pools.clear();
    return gone;
  }

  #dropPool(url: string, gone: KeptEvent[]): void {
    const kept = this.#pools.get(url);
    if (kept === undefined) return;
    this.#pools.delete(url);
    gone.push(kept);
  }
}

function nameOf({ event }: KeptEvent): BllvmPublishedEvent["name"] {
  return event.name;
}

function poolUrlOf({ event }: BllvmPublishedEvent): string | undefined {
  return "poolUrl" in event ? event.poolUrl : undefined;
}
