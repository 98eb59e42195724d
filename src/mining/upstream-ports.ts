/**
 * Pool mode: the jobs are another pool's, and the shares that meet its target go there. Which job of which connection a share belongs to
 * is in the share's own job; what the core needs of the connection itself are these ports, which `src/upstream` implements.
 */
import type { PoolWork } from "./pool-work.ts";
import type { PreparedJob } from "./prepared-job.ts";

/** A share that meets the pool's target, in the pool's terms. */
export interface UpstreamShare {
  readonly work: PoolWork;
  readonly version: number;
  /** Header time, Unix seconds. */
  readonly ntime: number;
  readonly nonce: number;
  /** All that is rolled in the pool's eyes: the whole extranonce of our job, `Uint8Array(job.extranonceSize)`. The callee's to keep. */
  readonly extranonce: Uint8Array;
  /** Who found it. */
  readonly userIdentity: string;
  /** Whether it solves a Bitcoin block: the pool submits it. */
  readonly block: boolean;
}

/**
 * What the pool said of a share: `undefined` it was accepted, a text its SubmitShares.Error code. `null`: it never said anything, the
 * connection ended first or the answer took too long; the share was valid as far as anybody here knows.
 */
export type UpstreamAnswer = string | undefined | null;

/** Takes shares to the pool. */
export interface UpstreamShares {
  /**
   * Sends a share on the connection of its job. Returns whether it was sent; then `answer` is called exactly once, later. Not sent: the
   * connection is gone, or too many shares wait for an answer. Never throws.
   */
  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean;
}

/** A channel below, as its counterpart at the pool is asked for. */
export interface PoolChannelWish {
  readonly userIdentity: string;
  /** Hashes a second. */
  readonly nominalHashrate: number;
  /** The easiest target that the miner accepts. */
  readonly maxTarget: bigint;
}

/** The pool's side of one channel below. */
export interface PoolChannel {
  /** The newest work of this channel; `undefined` while the pool gave none. */
  current(): PreparedJob | undefined;
  /** The miner's hash rate or greatest target changed. */
  update(wish: Pick<PoolChannelWish, "nominalHashrate" | "maxTarget">): void;
  /** The channel below is closed. */
  close(): void;
}

/** Where every channel below has one of its own at the pool (`[upstream] channels = "per_miner"`). */
export interface PoolChannels {
  /**
   * Asks the pool for a channel, now and after every change of the pool, until `close`. `onWork` is called with each later job of it, never from inside
   * this call; the same job's object each time.
   */
  open(wish: PoolChannelWish, onWork: (work: PreparedJob) => void): PoolChannel;
}
