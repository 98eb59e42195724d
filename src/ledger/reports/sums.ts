/**
 * Sums of amounts that a query adds up, exact in both databases. A sum of `lo` columns passes 64 bits from the tenth row on, which SQLite
 * answers with an error: the two halves of 10^9 each are summed by themselves, good for 9 * 10^9 rows.
 */
import { type AliasedRawBuilder, type RawBuilder, sql } from "kysely";
import { fromColumns } from "../store/amount.ts";

const HALF = 10n ** 9n;

/** Columns of a sum named `N`. */
export type SumRow<N extends string> = Readonly<Record<`${N}_hi` | `${N}_half_hi` | `${N}_lo`, bigint>>;

/** The three columns of a sum as a query selects them. */
export type SumColumns<N extends string> = [
  AliasedRawBuilder<bigint, `${N}_hi`>,
  AliasedRawBuilder<bigint, `${N}_half_hi`>,
  AliasedRawBuilder<bigint, `${N}_lo`>,
];

/**
 * Selects the sum of the amounts in the columns `<column>_hi` and `<column>_lo` as `name`, 0 for no rows; `null` counts as 0. `column` is written
 * with its table (`credits.work`) and never comes from outside. With `when` only the rows that it is true for count.
 */
export function exactSum<N extends string>(name: N, column: string, when?: RawBuilder<unknown>): SumColumns<N> {
  const [hi, lo] = [sql.ref(`${column}_hi`), sql.ref(`${column}_lo`)];
  const summed = (part: RawBuilder<unknown>): RawBuilder<bigint> =>
    when === undefined
      ? sql<bigint>`coalesce(sum(${part}), 0)`
      : sql<bigint>`coalesce(sum(case when ${when} then ${part} else 0 end), 0)`;
  return [
    summed(sql`${hi}`).as(`${name}_hi`),
    summed(sql`${lo} / 1000000000`).as(`${name}_half_hi`),
    summed(sql`${lo} % 1000000000`).as(`${name}_lo`),
  ];
}

/** The amount of a sum's columns. */
export function sumIn<N extends string>(row: SumRow<N>, name: N): bigint {
  const [hi, half, lo] = [row[`${name}_hi`], row[`${name}_half_hi`], row[`${name}_lo`]];
  return fromColumns(hi, half * HALF + lo);
}
