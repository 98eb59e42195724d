/**
 * Which shares are told of, of the many that come: of every miner the best one of an interval, and the miners in turn where there are more of them
 * than events. It is called for every accepted share, so it only compares hashes and copies the better one.
 */
import { meetsTargetBytes } from "../../../bitcoin/target.ts";

/** The best share of a miner in one interval. */
export interface BestShare {
  readonly miner: string;
  jobId: number;
  /** `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
}

/** Shares of one interval that are not told of, by reason. */
export interface LeftOutShares {
  /** The miner had a better one. */
  worse: number;
  /** Others had their turn. */
  rate: number;
  /** Too many miners to remember them all. */
  full: number;
}

/** Options of `BestShares`. */
export interface BestSharesOptions {
  /** Miners that are remembered of one interval, and as many who were told of before. */
  readonly maxMiners: number;
}

/** Collects one interval while what was best in the one before is told. */
export class BestShares {
  readonly #maxMiners: number;
  #collected = new Map<string, BestShare>();
  /** What may be told, who waited longest last. */
  #ready: BestShare[] = [];
  /** Who was told of, with the number of that event; who waited longest first. */
  readonly #told = new Map<string, number>();
  #number = 0;
  #worse = 0;
  #full = 0;

  constructor(_deps: object, options: BestSharesOptions) {
    this.#maxMiners = options.maxMiners;
  }

  /** Whether `next` has one. */
  get isReady(): boolean {
    return this.#ready.length > 0;
  }

  /** Shares that are held, collected and ready ones. */
  get size(): number {
    return this.#collected.size + this.#ready.length;
  }

  /** Takes a share; its hash is copied if it is the miner's best. */
  offer(jobId: number, hash: Uint8Array, miner: string): void {
    const best = this.#collected.get(miner);
    if (best !== undefined) {
      this.#worse += 1;
      if (meetsTargetBytes(best.hash, hash)) return;
      best.jobId = jobId;
      best.hash.set(hash);
    } else if (this.#collected.size < this.#maxMiners) {
      this.#collected.set(miner, { miner, jobId, hash: hash.slice() });
    } else {
      this.#full += 1;
    }
  }

  /** Ends the interval: its best shares take the place of what is left of the one before. Returns what is not told of. */
  turn(): LeftOutShares {
    const left = { worse: this.#worse, rate: this.#ready.length, full: this.#full };
    this.#worse = 0;
    this.#full = 0;
    const turnOf = ({ miner }: BestShare): number => this.#told.get(miner) ?? 0;
    this.#ready = [...this.#collected.values()].sort((a, b) => turnOf(b) - turnOf(a));
    this.#collected = new Map();
    return left;
  }

  /** The share to tell of now: of the miner who waited longest. */
  next(): BestShare | undefined {
    const share = this.#ready.pop();
    if (share === undefined) return undefined;
    this.#number += 1;
    this.#told.delete(share.miner);
    this.#told.set(share.miner, this.#number);
    for (const miner of this.#told.keys()) {
      if (this.#told.size <= this.#maxMiners) break;
      this.#told.delete(miner);
    }
    return share;
  }

  /** Forgets all shares; the turns stay. Returns how many there were. */
  clear(): number {
    const held = this.size + this.#worse + this.#full;
    this.#collected.clear();
    this.#ready = [];
    this.#worse = 0;
    this.#full = 0;
    return held;
  }
}
