/**
 * One of our extended channels at a pool: what the pool said of it (prefix, target, block, jobs) and its shares. Which job it works on is
 * made into a `Job` of ours only when asked for: with thousands of channels that is done some at a time.
 */
import { difficultyOfTarget, targetFromBytes } from "../bitcoin/target.ts";
import type { Job } from "../mining/job.ts";
import { poolJob } from "../mining/pool-job.ts";
import type { TemplateCause } from "../mining/ports.ts";
import type { ChannelShares } from "./channel-shares.ts";
import { FutureJobs, type HeldJob } from "./held-jobs.ts";

/** A block that jobs build on, as SetNewPrevHash gives it; bytes of our own. */
export interface Tip {
  readonly prevHash: Uint8Array;
  readonly minNtime: number;
  readonly nbits: number;
}

/** What opened a channel (spec 5.3.5). */
export interface ChannelOpening {
  readonly channelId: number;
  readonly groupChannelId: number;
  /** `Uint8Array(32)`, little-endian. */
  readonly target: Uint8Array;
  readonly extranonceSize: number;
  readonly extranoncePrefix: Uint8Array;
}

/** Whom a channel tells what happens to it. */
export interface ChannelOwner {
  /** The pool opened it. */
  onOpened(channel: UpstreamChannel): void;
  /** The pool did not. */
  onRefused(code: string): void;
  /** It has other work: `channel.makeJob()`. */
  onWork(channel: UpstreamChannel, cause: TemplateCause): void;
  /** The pool closed it. Its shares were given up. */
  onClosed(channel: UpstreamChannel, reason: string): void;
}

/** What a job of ours needs besides the channel. */
export interface JobMaking {
  readonly pool: string;
  readonly connection: number;
  readonly jobId: number;
  readonly nowMs: number;
  readonly versionRollingMask: number;
}

/** Changes of the prefix that are remembered, for future jobs sent before them. */
const MAX_PREFIXES = 16;

/** What a channel works on. */
export interface ActiveWork {
  readonly job: HeldJob;
  readonly tip: Tip;
  readonly extranoncePrefix: Uint8Array;
  /** The target at the job's activation: that of its shares, whatever SetTarget says later (spec 5.3.21). */
  readonly target: Uint8Array;
}

/** The channel. */
export class UpstreamChannel {
  readonly channelId: number;
  readonly extranonceSize: number;
  readonly owner: ChannelOwner;
  readonly shares: ChannelShares;
  /** Future jobs that were sent to it alone. */
  readonly future = new FutureJobs();
  /** The group that it is in. */
  groupChannelId: number;
  /** Closed by either side. */
  isClosed = false;
  #target: Uint8Array;
  #tip: Tip | undefined;
  #active: ActiveWork | undefined;
  readonly #prefixes: { readonly at: number; readonly prefix: Uint8Array }[];

  constructor(deps: { readonly owner: ChannelOwner; readonly shares: ChannelShares }, opening: ChannelOpening) {
    this.owner = deps.owner;
    this.shares = deps.shares;
    this.channelId = opening.channelId;
    this.groupChannelId = opening.groupChannelId;
    this.extranonceSize = opening.extranonceSize;
    this.#target = opening.target.slice();
    this.#prefixes = [{ at: 0, prefix: opening.extranoncePrefix.slice() }];
  }

  /** What it works on; `undefined` before its first job. */
  get active(): ActiveWork | undefined {
    return this.#active;
  }

  /** The block that it works on. */
  get tip(): Tip | undefined {
    return this.#tip;
  }

  /** The prefix of the jobs from now on. */
  get extranoncePrefix(): Uint8Array {
    return this.#prefixes.at(-1)?.prefix ?? new Uint8Array(0);
  }

  /** The target of the jobs from now on, `Uint8Array(32)` little-endian. */
  get target(): Uint8Array {
    return this.#target;
  }

  /** Difficulty of shares of its next job. */
  get difficulty(): number {
    return difficultyOf(this.#target);
  }

  /** SetTarget: for later jobs, and for future jobs that wait; an active job keeps its own (spec 5.3.21). */
  setTarget(target: Uint8Array): void {
    this.#target = target;
  }

  /** SetExtranoncePrefix: for jobs sent after it (spec 5.3.10). `at`: its place among the connection's messages. */
  setExtranoncePrefix(prefix: Uint8Array, at: number): void {
    this.#prefixes.push({ at, prefix });
    if (this.#prefixes.length > MAX_PREFIXES) this.#prefixes.shift();
  }

  /** Works on `job` upon `tip` from now on. */
  activate(job: HeldJob, tip: Tip, cause: TemplateCause): void {
    this.#tip = tip;
    this.#active = { job, tip, extranoncePrefix: this.#prefixFor(job), target: this.#target };
    this.owner.onWork(this, cause);
  }

  /** What it works on as a job of ours, another object each time; `undefined` without work. Throws as `poolJob`. */
  makeJob({ pool, connection, jobId, nowMs, versionRollingMask }: JobMaking): Job | undefined {
    if (this.#active === undefined) return undefined;
    const { job, tip, extranoncePrefix, target } = this.#active;
    const { channelId, extranonceSize } = this;
    const difficulty = difficultyOf(target);
    return poolJob({
      announced: job.message,
      tip,
      extranoncePrefix,
      extranonceSize,
      work: Object.freeze({ pool, connection, channelId, jobId: job.message.jobId, target, difficulty }),
      jobId,
      nowMs,
      versionRollingMask,
    });
  }

  #prefixFor(job: HeldJob): Uint8Array {
    const [first, ...later] = this.#prefixes;
    const held = later.findLast(({ at }) => at < job.at) ?? first;
    return held?.prefix ?? new Uint8Array(0);
  }
}

function difficultyOf(target: Uint8Array): number {
  const value = targetFromBytes(target);
  return value === 0n ? Number.POSITIVE_INFINITY : difficultyOfTarget(value);
}
