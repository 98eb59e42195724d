/**
 * Makes a job that commits to as many chains as can be placed. No chain can harm Bitcoin's work: whatever goes wrong, the job
 * goes out without the chain that it goes wrong with, or without any.
 */
import { targetFromBytes, targetToBytes } from "../bitcoin/target.ts";
import { describe } from "../kernel/fault.ts";
import type { AuxEntry, AuxSnapshot } from "../mining/aux.ts";
import { buildJob, type Job, type JobParts } from "../mining/job.ts";
import { type ChainCommitments, type Dropped, type PlacementLimits, place } from "./placement.ts";

/** Options of `composeJob`. */
export interface ComposeOptions extends PlacementLimits {
  /** Goes into the job's snapshot; counts up with every composition. */
  readonly generation: number;
  /** What the job asks of channel targets (`AuxSnapshot.channelTarget`), given the chains that are in. */
  readonly channelTarget?: (entries: readonly AuxEntry[]) => bigint | undefined;
}

/** A job, and who is not in it. */
export interface Composition {
  readonly job: Job;
  /** In the order in which they were wanted. */
  readonly dropped: readonly Dropped[];
}

/**
 * The job for `parts` (without `commitments` and `aux`) that commits to as many of `wanted` as go together; earlier ones win over
 * later ones. Throws only what `buildJob` throws without any commitment.
 */
export function composeJob(parts: JobParts, wanted: readonly ChainCommitments[], options: ComposeOptions): Composition {
  if (wanted.length === 0) return { job: buildJob(parts), dropped: [] };
  try {
    const { job, entries, dropped } = place(wanted, parts, options);
    if (job === undefined) return { job: buildJob(parts), dropped };
    return { job: Object.freeze({ ...job, aux: snapshot(entries, options) }), dropped };
  } catch (error) {
    const detail = describe(error);
    return { job: buildJob(parts), dropped: wanted.map(({ chain }) => ({ chain, reason: "failed", detail })) };
  }
}

/** All chains of a job, with what the share path needs of them. */
export function snapshot(
  entries: readonly AuxEntry[],
  options: Pick<ComposeOptions, "generation" | "channelTarget">,
): AuxSnapshot {
  let easiest = 0n;
  for (const { target } of entries) {
    const value = targetFromBytes(target);
    if (value > easiest) easiest = value;
  }
  return {
    generation: options.generation,
    entries,
    chains: Object.freeze(entries.map(({ chain }) => chain)),
    easiest: targetToBytes(easiest),
    channelTarget: options.channelTarget?.(entries),
  };
}
