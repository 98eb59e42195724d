/** The work that a reward is divided by, and what each worker's part of it weighs, in whole numbers throughout. */
import type { Weight } from "./largest-remainder.ts";

/** Work by worker identity, hashes. */
export type WorkByWorker = ReadonlyMap<string, bigint>;

/** The work of a round that counts. */
export interface CountedWork {
  /** Who found the block: takes all when no work counts. */
  readonly finder: string;
  /** Work that counts as it is. */
  readonly full: WorkByWorker;
  /** The oldest slice, when only `counts` of all its work count: each worker's in proportion. */
  readonly oldest: { readonly work: WorkByWorker; readonly counts: bigint } | undefined;
}

/** Where a window ends among slices. */
export interface WindowCut {
  /** How many of the newest slices count in full. */
  readonly full: number;
  /** How much of the slice after those counts; 0 for none. */
  readonly counts: bigint;
}

/** Walks back over slices, `totals` from the newest on, until `limit` hashes are together. */
export function cutWindow(totals: readonly bigint[], limit: bigint): WindowCut {
  let rest = limit;
  for (const [full, total] of totals.entries()) {
    if (total > rest) return { full, counts: rest };
    rest -= total;
  }
  return { full: totals.length, counts: 0n };
}

/**
 * What each worker weighs. With S for all work of the oldest slice and n for what counts of it, a worker with f in full and p in the oldest
 * did f + p·n/S of what counts: f·S + p·n is the same in whole numbers. The finder takes all when nothing counts.
 */
export function weightsOf({ finder, full, oldest }: CountedWork): Weight[] {
  const weights = new Map<string, bigint>();
  const all = [...(oldest?.work.values() ?? [])].reduce((sum, work) => sum + work, 0n);
  const [scale, part] = oldest === undefined || all === 0n ? [1n, 0n] : [all, oldest.counts];
  for (const [name, work] of full) weights.set(name, work * scale);
  if (part > 0n) {
    for (const [name, work] of oldest?.work ?? []) weights.set(name, (weights.get(name) ?? 0n) + work * part);
  }
  const list = [...weights].filter(([, weight]) => weight > 0n).map(([name, weight]) => ({ name, weight }));
  return list.length === 0 ? [{ name: finder, weight: 1n }] : list;
}
