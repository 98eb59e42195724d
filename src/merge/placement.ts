/**
 * Which chains' commitments stand in a coinbase, and in which order, so that every rule of every chain holds: one push in
 * the scriptSig for all AuxPoW chains, outputs between the payout and the template's own.
 */
import type { AuxEntry, AuxWork } from "../mining/aux.ts";
import type { Commitments, JobParts } from "../mining/job.ts";
import type { Commitment } from "./plugin.ts";

/** What one chain wants in the next job. */
export interface ChainCommitments {
  /** Name of the chain as configured. */
  readonly chain: string;
  readonly work: AuxWork;
  /** What its plugin returned for `work`; not trusted. */
  readonly commitments: readonly Commitment[];
}

/**
 * Why a job went out without a chain, as a metric's label: `invalid` the commitments or the work have a wrong shape, `chain_id`
 * another chain has the same ID or this one's changed, `script_too_long` no room in the scriptSig, `no_room` none in the
 * template, `frame` the job's message would be too long, `size_class` the coinbase too large for the operator's miners,
 * `max_bytes_after`, `occurrence` and `forbidden` a declared rule (its own or another chain's) cannot be kept, `failed` our own error.
 */
export type DropReason =
  | "invalid"
  | "chain_id"
  | "script_too_long"
  | "no_room"
  | "frame"
  | "size_class"
  | "max_bytes_after"
  | "occurrence"
  | "forbidden"
  | "failed";

/** A chain that is not in a job. */
export interface Dropped {
  readonly chain: string;
  readonly reason: DropReason;
  /** One clause for the log, with the figures. */
  readonly detail: string;
}

/** What bounds a coinbase besides the template's room and the scriptSig's 100 bytes. */
export interface PlacementLimits {
  /**
   * IDs of all configured AuxPoW chains by chain name, also of those without work at present: the tree's height is taken over all
   * of them, so that a chain that drops out moves no other. Chains missing here are added as they come.
   */
  readonly chainIds: ReadonlyMap<string, number>;
  /** Bytes that the whole coinbase without witness may have; no such limit when `undefined`. */
  readonly sizeLimitBytes?: number | undefined;
}

/** Where everything stands. */
export interface Placement {
  /** Ready for `buildJob`. */
  readonly commitments: Commitments;
  /** The chains that are in, in the order in which they were wanted. */
  readonly entries: readonly AuxEntry[];
  readonly dropped: readonly Dropped[];
}

/**
 * Places as many chains as go together. Earlier ones in `wanted` win over later ones. `parts` without commitments must make a
 * job (`buildJob` does not throw).
 */
export function place(wanted: readonly ChainCommitments[], _parts: JobParts, _limits: PlacementLimits): Placement {
  const dropped = wanted.map(
    ({ chain }): Dropped => ({ chain, reason: "failed", detail: "placement is not there yet" }),
  );
  return { commitments: {}, entries: [], dropped };
}
