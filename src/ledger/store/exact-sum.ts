/**
 * Sums of amounts that a query adds up, exact in both databases. A sum of `lo` columns passes 64 bits from the tenth row on, which SQLite
 * answers with an error: both columns are summed in two halves of nine digits each, good for 9 * 10^9 rows.
 */
import { type AliasedRawBuilder, type RawBuilder, sql } from "kysely";
import { fromColumns } from "./amount.ts";

const HALF = 10n ** 9n;

/** What a sum named `N` is selected as; names end as large integers' do (`integers.ts`). */
type Part<N extends string> = `${N}_top_hi` | `${N}_bottom_hi` | `${N}_top_lo` | `${N}_bottom_lo`;

/** Columns of a sum named `N`. */
export type SumRow<N extends string> = Readonly<Record<Part<N>, bigint>>;

/** The four columns of a sum as a query selects them. */
export type SumColumns<N extends string> = [
  AliasedRawBuilder<bigint, `${N}_top_hi`>,
  AliasedRawBuilder<bigint, `${N}_bottom_hi`>,
  AliasedRawBuilder<bigint, `${N}_top_lo`>,
  AliasedRawBuilder<bigint, `${N}_bottom_lo`>,
];

/**
 * Selects the sum of the amounts in the columns `<column>_hi` and `<column>_lo` as `name`, 0 for no rows; `null` counts as 0. `column` may be written
 * with its table (`credits.work`) and never comes from outside. With `when` only the rows that it is true for count. Read it by `sumIn`.
 */
export function exactSum<N extends string>(name: N, column: string, when?: RawBuilder<unknown>): SumColumns<N> {
  const [hi, lo] = [sql.ref(`${column}_hi`), sql.ref(`${column}_lo`)];
  // Both databases round integer division towards zero, and the remainder has the sign of the column.
  const summed = (part: RawBuilder<unknown>): RawBuilder<bigint> =>
    when === undefined
      ? sql<bigint>`coalesce(sum(${part}), 0)`
      : sql<bigint>`coalesce(sum(case when ${when} then ${part} else 0 end), 0)`;
  return [
    summed(sql`${hi} / 1000000000`).as(`${name}_top_hi`),
    summed(sql`${hi} % 1000000000`).as(`${name}_bottom_hi`),
    summed(sql`${lo} / 1000000000`).as(`${name}_top_lo`),
    summed(sql`${lo} % 1000000000`).as(`${name}_bottom_lo`),
  ];
}

/** The amount of a sum's columns. */
export function sumIn<N extends string>(row: SumRow<N>, name: N): bigint {
  const whole = (column: "hi" | "lo"): bigint => row[`${name}_top_${column}`] * HALF + row[`${name}_bottom_${column}`];
  return fromColumns(whole("hi"), whole("lo"));
}
