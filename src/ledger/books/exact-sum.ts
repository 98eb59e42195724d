/**
 * Sums of amount columns that no database can overflow: 10,000 lower columns of up to 10^18 already exceed 64 bits, and SQLite fails a query for it. Each
 * column is summed up in two halves of nine digits (`hi = 10^9 · a + b`), and put together here.
 */
import { type RawBuilder, sql } from "kysely";
import { fromColumns } from "../store/amount.ts";

/** Halves of both columns of a sum, as `exactSums` names them; `null` when there was nothing to sum up. */
export interface SumColumns {
  readonly top_hi: bigint | null;
  readonly bottom_hi: bigint | null;
  readonly top_lo: bigint | null;
  readonly bottom_lo: bigint | null;
}

const HALF = 1_000_000_000n;

/** The selections of the sum of `<prefix>_hi` and `<prefix>_lo`, e.g. of `work` or `postings.amount`. Read what they give by `sumOf`. */
export function exactSums(prefix: string) {
  const half = (column: "hi" | "lo", part: "/" | "%"): RawBuilder<bigint | null> =>
    // Both databases round integer division towards zero, and the remainder has the sign of the column.
    sql<bigint | null>`sum(${sql.ref(`${prefix}_${column}`)} ${sql.raw(part)} 1000000000)`;
  return [
    half("hi", "/").as("top_hi"),
    half("hi", "%").as("bottom_hi"),
    half("lo", "/").as("top_lo"),
    half("lo", "%").as("bottom_lo"),
  ] as const;
}

/** The sum that a row of `exactSums` holds. */
export function sumOf({ top_hi, bottom_hi, top_lo, bottom_lo }: SumColumns): bigint {
  return fromColumns((top_hi ?? 0n) * HALF + (bottom_hi ?? 0n), (top_lo ?? 0n) * HALF + (bottom_lo ?? 0n));
}
