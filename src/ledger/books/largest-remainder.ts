/**
 * Splits an amount by weights in whole units. Each part gets its share rounded down, and the units that are left go one each to the parts that lost most
 * by the rounding (Hamilton's method): the parts sum up to the whole, always, and none is a whole unit away from its exact share.
 */

/** What one part weighs. */
export interface Weight {
  readonly name: string;
  /** Never negative. */
  readonly weight: bigint;
}

/** What one part gets. */
export interface Portion {
  readonly name: string;
  readonly amount: bigint;
}

/**
 * `whole` split by `weights`, in their order. Among equal remainders the heavier part comes first, then the name that sorts first by code units:
 * the result does not depend on the order of the weights. When all weigh nothing, all count alike.
 * Throws `TypeError` for negative amounts and for an amount without anybody to take it.
 */
export function splitByWeight(whole: bigint, weights: readonly Weight[]): Portion[] {
  if (whole < 0n || weights.some(({ weight }) => weight < 0n)) throw new TypeError("a split of a negative amount");
  if (weights.length === 0) {
    if (whole === 0n) return [];
    throw new TypeError(`nobody takes ${whole}`);
  }
  const total = weights.reduce((sum, { weight }) => sum + weight, 0n);
  if (total === 0n)
    return splitByWeight(
      whole,
      weights.map(({ name }) => ({ name, weight: 1n })),
    );
  const amounts: bigint[] = [];
  const remainders: { readonly at: number; readonly remainder: bigint; readonly weight: Weight }[] = [];
  let left = whole;
  for (const [at, weight] of weights.entries()) {
    const share = whole * weight.weight;
    const amount = share / total;
    const remainder = share % total;
    amounts.push(amount);
    left -= amount;
    // What lost nothing is owed nothing: there are always fewer units left than parts that lost some.
    if (remainder > 0n) remainders.push({ at, remainder, weight });
  }
  remainders.sort(
    (a, b) =>
      descending(a.remainder, b.remainder) ||
      descending(a.weight.weight, b.weight.weight) ||
      ascending(a.weight.name, b.weight.name),
  );
  for (const { at } of remainders.slice(0, Number(left))) amounts[at] = (amounts[at] ?? 0n) + 1n;
  return weights.map(({ name }, at) => ({ name, amount: amounts[at] ?? 0n }));
}

function descending(a: bigint, b: bigint): number {
  return a === b ? 0 : a > b ? -1 : 1;
}

function ascending(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
