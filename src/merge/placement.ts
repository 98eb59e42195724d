/**
 * Which chains' commitments stand in a coinbase, and in which order, so that every rule of every chain holds: one push in
 * the scriptSig for all AuxPoW chains, outputs between the payout and the template's own. Every attempt is a whole job, made
 * by the builder of jobs and judged on its bytes.
 */
import { findWitnessCommitment } from "../bitcoin/coinbase.ts";
import { targetToBytes } from "../bitcoin/target.ts";
import { describe } from "../kernel/fault.ts";
import type { AuxEntry, AuxWork } from "../mining/aux.ts";
import type { Commitments, Job, JobParts } from "../mining/job.ts";
import { type Attempt, attempt, type Refusal, type Wish } from "./attempt.ts";
import { AUXPOW_MAGIC, treeHeight } from "./auxpow/tree.ts";
import { occurrences } from "./open-coinbase.ts";
import type { Commitment } from "./plugin.ts";
import { takeCommitments } from "./taken.ts";

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
export type DropReason = Refusal["reason"] | "invalid" | "chain_id" | "failed";

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
  /** Bytes that a channel's own payout may add to the coinbase; 0 when left out. */
  readonly reserveBytes?: number;
}

/** Where everything stands. */
export interface Placement {
  /** Ready for `buildJob`. */
  readonly commitments: Commitments;
  /** The chains that are in, in the order in which they were wanted. */
  readonly entries: readonly AuxEntry[];
  /** The others, in the order in which they were wanted. */
  readonly dropped: readonly Dropped[];
  /** The job that was judged, without its snapshot; `undefined` when no chain is in. */
  readonly job: Job | undefined;
}

/**
 * Places as many chains as go together; earlier ones in `wanted` win over later ones. A chain is dropped only when the chains
 * before it that are in leave it no place. Throws only what `buildJob` throws for `parts` without any commitment.
 */
export function place(wanted: readonly ChainCommitments[], parts: JobParts, limits: PlacementLimits): Placement {
  const dropped = new Map<number, Dropped>();
  const drop = (index: number, reason: DropReason, detail: string): void => {
    dropped.set(index, { chain: (wanted[index] as ChainCommitments).chain, reason, detail });
  };
  const owners = new Map<number, string>();
  for (const [chain, id] of limits.chainIds) if (!owners.has(id)) owners.set(id, chain);
  const wishes = new Map<number, Wish>();
  for (const [index, each] of wanted.entries()) {
    const wish = wishOf(each);
    if (typeof wish === "string") {
      drop(index, "invalid", wish);
      continue;
    }
    const mark = marked(wish);
    const clash = mark === undefined ? claim(wish, limits.chainIds, owners) : undefined;
    if (mark !== undefined) drop(index, "forbidden", mark);
    else if (clash !== undefined) drop(index, "chain_id", clash);
    else wishes.set(index, wish);
  }
  const { sizeLimitBytes, reserveBytes = 0 } = limits;
  const bounds = { parts, height: treeHeight([...owners.keys()]), sizeLimitBytes, reserveBytes };
  const among = (indices: readonly number[]) =>
    attempt(
      indices.map((index) => wishes.get(index) as Wish),
      bounds,
    );
  const placed = asManyAsGo([...wishes.keys()], among, drop);
  const { job, commitments, entries } = placed ?? { job: undefined, commitments: {}, entries: [] };
  return { job, commitments, entries, dropped: [...dropped.entries()].sort(([a], [b]) => a - b).map(([, one]) => one) };
}

/**
 * What comes of adding one chain after the other and leaving out each that does not go with those that are in; done in
 * halves, since whatever goes together also goes in part: where all chains go, one attempt is enough.
 */
function asManyAsGo(
  all: readonly number[],
  among: (indices: readonly number[]) => Attempt | Refusal,
  drop: (index: number, reason: DropReason, detail: string) => void,
): Attempt | undefined {
  let kept: readonly number[] = [];
  let placed: Attempt | undefined;
  const add = (some: readonly number[]): void => {
    const [first] = some;
    if (first === undefined) return;
    const together = [...kept, ...some];
    const next = among(together);
    if (!("reason" in next)) {
      kept = together;
      placed = next;
    } else if (some.length === 1) {
      drop(first, next.reason, next.detail);
    } else {
      const half = some.length >> 1;
      add(some.slice(0, half));
      add(some.slice(half));
    }
  };
  add(all);
  return placed;
}

/** The chain's wish with copies of all bytes, or what is wrong with it. */
function wishOf(wanted: ChainCommitments): Wish | string {
  try {
    const { chain, work } = wanted;
    const commitments = takeCommitments(chain, work, wanted.commitments);
    const leaf = commitments.find((each) => each.kind === "auxpow");
    const outputs = commitments.filter((each) => each.kind === "output");
    return { chain, work, target: targetToBytes(work.target), leaf, outputs };
  } catch (error) {
    return describe(error);
  }
}

/**
 * Whether a script holds what AuxPoW's verifiers search for, or is what Bitcoin takes for the block's witness commitment (BIP141: in a
 * template without one it would make the block invalid): then it is refused whatever the other chains are.
 */
function marked({ outputs }: Wish): string | undefined {
  if (outputs.some(({ script }) => findWitnessCommitment([{ value: 0n, script }]) !== undefined)) {
    return "its script is a witness commitment of Bitcoin";
  }
  const bad = outputs.some(({ script }) => occurrences(script, AUXPOW_MAGIC) > 0);
  return bad ? "its script holds the mark of AuxPoW, fabe6d6d" : undefined;
}

/** Takes the chain's ID for it, or says who has it. */
function claim(wish: Wish, ids: ReadonlyMap<string, number>, owners: Map<number, string>): string | undefined {
  if (wish.leaf === undefined) return undefined;
  const { chainId } = wish.leaf;
  const known = ids.get(wish.chain);
  if (known !== undefined && known !== chainId) return `its chain ID was ${known} and is now ${chainId}`;
  const owner = owners.get(chainId);
  if (owner !== undefined && owner !== wish.chain) return `${owner} has the chain ID ${chainId} too`;
  owners.set(chainId, wish.chain);
  return undefined;
}
