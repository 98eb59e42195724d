/**
 * Which compact target the next block has to carry (Core's `GetNextWorkRequired`), and the least time that it may. Pure:
 * the headers that a rule needs are the caller's to fetch. Facts from Bitcoin Core's pow.cpp and chainparams, BIP94.
 */
import { NETWORKS, type NetworkName } from "./network.ts";
import { compactFromTarget, targetFromCompact } from "./target.ts";

/** Blocks between changes of the target. */
export const RETARGET_INTERVAL = 2016;

/** Seconds that `RETARGET_INTERVAL` blocks should take. */
const TARGET_TIMESPAN = 14 * 24 * 60 * 60;

/** A target changes by this factor at most. */
const MOST_CHANGE = 4;

/** BIP94: the first block of a period may not be earlier than the one before by more than this, seconds. */
const MAX_TIMEWARP = 600;

/** Test networks take a block of the easiest target when this many seconds have passed since the one before. */
const MINIMUM_DIFFICULTY_AFTER = 20 * 60;

/** Networks with the 20-minute rule. Regtest has it too, where it changes nothing: all its blocks are of the easiest target. */
const WITH_MINIMUM_DIFFICULTY: ReadonlySet<NetworkName> = new Set(["testnet", "testnet4"]);

/**
 * Where the next target comes from: `tip` it is the tip's, `period` the one of the first block of the tip's period, `minimum` the easiest,
 * `retarget` it is computed from the first and the last block of the period (`retargetedBits`).
 *
 * On networks with the 20-minute rule Core looks back for the last block that did not use it. All such blocks of a period carry the
 * target of its first one, so that one is enough: the second block has the first one's target or the easiest, and so on.
 */
export type NextTargetRule = "tip" | "period" | "minimum" | "retarget";

/** The rule for the block after `tip` with the header time `blockTime`; times are Unix seconds. */
export function nextTargetRule(
  network: NetworkName,
  tip: { readonly height: number; readonly time: number },
  blockTime: number,
): NextTargetRule {
  // Never changes there.
  if (network === "regtest") return "tip";
  if ((tip.height + 1) % RETARGET_INTERVAL === 0) return "retarget";
  if (!WITH_MINIMUM_DIFFICULTY.has(network)) return "tip";
  return blockTime > tip.time + MINIMUM_DIFFICULTY_AFTER ? "minimum" : "period";
}

/** What a retarget looks at of a block. */
export interface RetargetBlock {
  /** Header time, Unix seconds. */
  readonly time: number;
  /** Compact target, u32. */
  readonly nBits: number;
}

/** The compact target of the period after the one from `first` to `last` (Core's `CalculateNextWorkRequired`). */
export function retargetedBits(network: NetworkName, first: RetargetBlock, last: RetargetBlock): number {
  const least = TARGET_TIMESPAN / MOST_CHANGE;
  const timespan = Math.min(Math.max(last.time - first.time, least), TARGET_TIMESPAN * MOST_CHANGE);
  // BIP94: the last block of a period may have used the 20-minute rule, the first one cannot.
  const base = network === "testnet4" ? first.nBits : last.nBits;
  const target = (targetFromCompact(base) * BigInt(timespan)) / BigInt(TARGET_TIMESPAN);
  const { powLimit } = NETWORKS[network];
  return compactFromTarget(target > powLimit ? powLimit : target);
}

/** The easiest compact target of `network`. */
export function easiestBits(network: NetworkName): number {
  return compactFromTarget(NETWORKS[network].powLimit);
}

/**
 * Least header time of the block at `height`, Unix seconds: later than the median of the eleven blocks before it (BIP113), and as
 * Core's templates on every network since BIP94 not much before its parent when it begins a period.
 */
export function leastTime(height: number, parent: { readonly medianTime: number; readonly time: number }): number {
  const afterMedian = parent.medianTime + 1;
  return height % RETARGET_INTERVAL === 0 ? Math.max(afterMedian, parent.time - MAX_TIMEWARP) : afterMedian;
}
