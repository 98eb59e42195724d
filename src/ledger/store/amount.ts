/**
 * Amounts and work as two 64-bit columns, exact in every database: `hi · 10^18 + lo`, both with the sign of the whole. Wei and hashes
 * exceed 64 bits, SQLite has no larger integer, and text can't be summed by a query. For all coins of 10^-8 the first column is 0 and the second the
 * amount as people read it; for wei the first is whole coins.
 *
 * Ten lower columns may exceed 64 bits already. SQLite fails a plain `sum` then and rounds nothing; a query that sums many
 * rows takes halves of the columns.
 */

/** What `hi` counts. */
export const AMOUNT_UNIT = 10n ** 18n;

/** Largest magnitude of either column. */
const MAX_COLUMN = 2n ** 63n - 1n;

/**
 * The largest reward of a block that is believed: the columns hold the sum of a million of these, on an account or in a summary. It is still 4 * 10^5 times all
 * the wei that a coin of 21 million has.
 */
export const MAX_REWARD = (MAX_COLUMN * AMOUNT_UNIT) / 1_000_000n;

/** An amount as its columns hold it. */
export interface AmountColumns {
  /** Whole 10^18s. */
  readonly hi: bigint;
  /** The rest, -(10^18 - 1) to 10^18 - 1; never of the other sign than `hi`. */
  readonly lo: bigint;
}

/** The columns of `amount`. Throws `TypeError` beyond about 9.2e36, more than any coin has units. */
export function toColumns(amount: bigint): AmountColumns {
  // Division of bigints truncates towards zero, as it does in SQL: both parts have the sign of the whole.
  const hi = amount / AMOUNT_UNIT;
  if (hi > MAX_COLUMN || hi < -MAX_COLUMN) throw new TypeError(`an amount of ${amount} is no amount of any coin`);
  return { hi, lo: amount % AMOUNT_UNIT };
}

/** The amount of two columns, also of columns that were summed up one by one. */
export function fromColumns(hi: bigint, lo: bigint): bigint {
  return hi * AMOUNT_UNIT + lo;
}
