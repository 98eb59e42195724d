/** Which slices may become one: pure, so that what must not happen can be tried on any slices and blocks. */

/** What is joined into slices of which length from which age on. */
export interface CompactionTier {
  readonly olderThanMs: number;
  readonly sliceMs: number;
}

/** A closed slice: shares after `startMs`, up to `endMs` included. */
export interface ClosedSlice {
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** What `planCompaction` goes by. */
export interface CompactionRules {
  readonly nowMs: number;
  readonly tiers: readonly CompactionTier[];
  /** Times that some block still needs as an end of slices, ascending. */
  readonly boundaries: readonly number[];
}

/**
 * Groups of at least two neighbouring slices, each of which may become one slice. `slices` are those of one server in order. A group lies wholly
 * between two boundaries, and within one stretch of its tier's length, multiples of which by the wall clock end stretches; a stretch is
 * touched once all of it is old enough, so that it is written once. A slice that a boundary runs through stays as it is.
 */
export function planCompaction(slices: readonly ClosedSlice[], rules: CompactionRules): ClosedSlice[][] {
  const groups: ClosedSlice[][] = [];
  let group: ClosedSlice[] = [];
  let place: string | undefined;
  for (const slice of slices) {
    const its = placeOf(slice, rules);
    if (its === undefined || its !== place) {
      if (group.length > 1) groups.push(group);
      group = [];
    }
    group.push(slice);
    place = its;
  }
  if (group.length > 1) groups.push(group);
  return groups;
}

/** Names tier, stretch and gap between boundaries; slices of one name may be joined. `undefined`: this one stays. */
function placeOf({ startMs, endMs }: ClosedSlice, { nowMs, tiers, boundaries }: CompactionRules): string | undefined {
  const before = countUpTo(boundaries, startMs);
  const next = boundaries[before];
  if (next !== undefined && next < endMs) return undefined;
  let coarsest: CompactionTier | undefined;
  for (const tier of tiers) {
    const isOld = Math.ceil(endMs / tier.sliceMs) * tier.sliceMs <= nowMs - tier.olderThanMs;
    if (isOld && (coarsest === undefined || tier.sliceMs > coarsest.sliceMs)) coarsest = tier;
  }
  if (coarsest === undefined) return undefined;
  return `${coarsest.sliceMs} ${Math.ceil(endMs / coarsest.sliceMs)} ${before}`;
}

/** How many of the ascending `values` are at most `most`. */
function countUpTo(values: readonly number[], most: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}
