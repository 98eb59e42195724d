/** How pool mode stands at one moment: what is mined for, for the parts that act on it, and everything about the pools for people. */
import type { Job } from "../mining/job.ts";
import type { TemplateCause } from "../mining/ports.ts";
import type { PoolPeer } from "./peer.ts";
import type { LineState } from "./pool-line.ts";

/**
 * What is mined for: a pool over a connection; `away` while the pool that was lost or is not reached yet leaves hope that another comes at once; `solo` and
 * `nothing` once every pool was tried in vain.
 */
export type MinedFor =
  | { readonly kind: "pool"; readonly pool: string; readonly peer: PoolPeer }
  | { readonly kind: "away" | "solo" | "nothing" };

/** Who is told what to mine. */
export interface PoolsListener {
  /** What is mined for has changed; a pool's first job may be there already (`PoolPeer.currentJob`) or come after. */
  onChange(now: MinedFor): void;
  /** Aggregated: another job of the pool that is mined for. */
  onJob(job: Job, cause: TemplateCause): void;
}

/** How one pool stands. */
export interface PoolStatus {
  readonly name: string;
  readonly url: string;
  /** `mining`: it is mined for; `ready`: it stands by. */
  readonly state: "mining" | LineState;
  /** Why its last connection ended, in words. */
  readonly trouble: string | undefined;
  /** Ms until it is tried again. */
  readonly retryInMs: number | undefined;
  /** Facts of the connection, if there is one. */
  readonly connection: object | undefined;
}

/** How pool mode stands: plain values. */
export interface UpstreamStatus {
  /** Name of the pool that is mined for, `solo`, or `undefined` for nothing. */
  readonly miningFor: string | undefined;
  /** For how long, ms. */
  readonly forMs: number;
  /** In order of preference. */
  readonly pools: readonly PoolStatus[];
}
