/** Makes one slice of several, in the database and without a sum that could overflow. */
import { sql } from "kysely";
import { AMOUNT_UNIT } from "../store/amount.ts";
import type { LedgerDb } from "../store/schema.ts";
import type { ClosedSlice } from "./compaction-plan.ts";

/** A slice that several became, and how many rows of credit there are fewer for it. */
export interface JoinedSlice {
  readonly slice: ClosedSlice;
  readonly rowsGone: number;
}

/** Literals: half of the digits of the lower column, and all of them. */
const HALF = sql.raw("1000000000");
const UNIT = sql.raw(String(AMOUNT_UNIT));

/** Slices that are joined at a time, whose ids are parameters of a statement. */
const MAX_SLICES = 1000;

/** As many of the first of `slices` as have `maxRows` rows of credit together; two at least, a thousand at most. */
export async function bundleOf(
  db: LedgerDb,
  slices: readonly ClosedSlice[],
  maxRows: number,
): Promise<readonly ClosedSlice[]> {
  let rows = 0;
  for (const [i, { id }] of slices.entries()) {
    if (i >= MAX_SLICES) return slices.slice(0, i);
    const { count } = await db
      .selectFrom("credits")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .where("slice_id", "=", id)
      .executeTakeFirstOrThrow();
    rows += count;
    if (rows > maxRows && i >= 2) return slices.slice(0, i);
  }
  return slices;
}

/**
 * Makes one slice of neighbouring closed ones; to be called in a transaction. `undefined`, and nothing is changed, when they are not all there any
 * more: two servers of one database may want the same.
 *
 * A lower column has 18 digits, and ten of them overflow 64 bits: their halves are summed up apart and carried then.
 */
export async function joinSlices(db: LedgerDb, slices: readonly ClosedSlice[]): Promise<JoinedSlice | undefined> {
  const ids = slices.map(({ id }) => id);
  const [first] = slices;
  const last = slices.at(-1);
  if (first === undefined || last === undefined) return undefined;
  // A write that changes nothing holds the rows against others until the transaction ends.
  const held = await db
    .updateTable("slices")
    .set({ open: 0 })
    .where("id", "in", ids)
    .where("open", "=", 0)
    .executeTakeFirst();
  if (held.numUpdatedRows !== BigInt(ids.length)) return undefined;
  const times = { startMs: first.startMs, endMs: last.endMs };
  const old = await db.selectFrom("slices").select("server").where("id", "=", first.id).executeTakeFirstOrThrow();
  const { id } = await db
    .insertInto("slices")
    .values({ server: old.server, start_ms: times.startMs, end_ms: times.endMs, open: 0 })
    .returning("id")
    .executeTakeFirstOrThrow();
  const sums = db
    .selectFrom("credits")
    .where("slice_id", "in", ids)
    .groupBy(["worker_id", "chain_set_id"])
    .select([
      "worker_id",
      "chain_set_id",
      sql<bigint>`cast(sum(work_hi) as bigint)`.as("whole_sum"),
      sql<bigint>`cast(sum(work_lo / ${HALF}) as bigint)`.as("upper_sum"),
      sql<bigint>`cast(sum(work_lo % ${HALF}) as bigint)`.as("lower_sum"),
      sql<number>`cast(sum(shares) as bigint)`.as("shares"),
    ])
    .as("sums");
  // Below 10^18 and so many 10^9s as there are slices.
  const rest = sql`((upper_sum % ${HALF}) * ${HALF} + lower_sum)`;
  const inserted = await db
    .insertInto("credits")
    .columns(["slice_id", "worker_id", "chain_set_id", "work_hi", "work_lo", "shares"])
    .expression(
      db
        .selectFrom(sums)
        .select([
          sql<number>`cast(${id} as bigint)`.as("slice_id"),
          "worker_id",
          "chain_set_id",
          sql<bigint>`whole_sum + upper_sum / ${HALF} + ${rest} / ${UNIT}`.as("work_hi"),
          sql<bigint>`${rest} % ${UNIT}`.as("work_lo"),
          "shares",
        ]),
    )
    .executeTakeFirst();
  const deleted = await db.deleteFrom("credits").where("slice_id", "in", ids).executeTakeFirst();
  await db.deleteFrom("slices").where("id", "in", ids).execute();
  const rowsGone = Number(deleted.numDeletedRows) - Number(inserted.numInsertedOrUpdatedRows ?? 0n);
  return { slice: { id, ...times }, rowsGone };
}

/** Deletes a slice with its credit; to be called in a transaction. Returns how many rows of credit it had. */
export async function dropSlice(db: LedgerDb, id: number): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom("credits").where("slice_id", "=", id).executeTakeFirst();
  await db.deleteFrom("slices").where("id", "=", id).where("open", "=", 0).execute();
  return Number(numDeletedRows);
}
