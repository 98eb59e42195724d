/** Finds the blocks whose books may owe something, in pages by id. `nextStep` says what; this only keeps the many out that owe nothing. */
import { sql } from "kysely";
import type { LedgerDb } from "../store/schema.ts";

/** A page: ids of blocks, and where the next page begins. */
export interface CandidatePage {
  readonly blockIds: readonly number[];
  /** `undefined` after the last page. */
  readonly after: number | undefined;
}

/** Chains that have blocks which are confirmed and not yet mature. */
export async function chainsWithConfirmed(db: LedgerDb): Promise<string[]> {
  const rows = await db
    .selectFrom("blocks")
    .select("chain")
    .distinct()
    .where("state", "in", ["confirmed", "uncle"])
    .execute();
  return rows.map(({ chain }) => chain);
}

/** Blocks that are mature, or confirmed on one of `chains`, and whose reward is known. */
export async function dueBlocks(
  db: LedgerDb,
  chains: readonly string[],
  after: number,
  limit: number,
): Promise<CandidatePage> {
  const rows = await db
    .selectFrom("blocks")
    .select("id")
    .where("id", ">", after)
    .where("actual_hi", "is not", null)
    .where((where) =>
      where.or([
        where("state", "=", "mature"),
        ...(chains.length === 0
          ? []
          : [where.and([where("state", "in", ["confirmed", "uncle"]), where("chain", "in", chains)])]),
      ]),
    )
    .orderBy("id")
    .limit(limit)
    .execute();
  return pageOf(rows, limit);
}

/** Orphans with a distribution that stands. */
export async function orphansToReverse(db: LedgerDb, after: number, limit: number): Promise<CandidatePage> {
  const rows = await db
    .selectFrom("blocks")
    .select("id")
    .where("id", ">", after)
    .where("state", "=", "orphaned")
    .where((where) =>
      where.exists(
        where
          .selectFrom("transactions")
          .select("transactions.id")
          .whereRef("transactions.block_id", "=", "blocks.id")
          .where("transactions.kind", "=", "distribution")
          .where((inner) =>
            inner.not(
              inner.exists(
                inner
                  .selectFrom("transactions as taken_back")
                  .select("taken_back.id")
                  .where(
                    "taken_back.key",
                    "=",
                    sql<string>`replace(${sql.ref("transactions.key")}, 'distribution', 'reversal')`,
                  ),
              ),
            ),
          ),
      ),
    )
    .orderBy("id")
    .limit(limit)
    .execute();
  return pageOf(rows, limit);
}

/** Blocks that were divided, in the order in which they were: `after` is a transaction's id. What has gone into a summary is not among them. */
export async function dividedBlocks(db: LedgerDb, after: number, limit: number): Promise<CandidatePage> {
  const rows = await db
    .selectFrom("transactions")
    .select(["id", "block_id"])
    .where("id", ">", after)
    .where("kind", "=", "distribution")
    .orderBy("id")
    .limit(limit)
    .execute();
  const blockIds = [...new Set(rows.flatMap(({ block_id }) => (block_id === null ? [] : [block_id])))];
  return { ...pageOf(rows, limit), blockIds };
}

function pageOf(rows: readonly { readonly id: number }[], limit: number): CandidatePage {
  return {
    blockIds: rows.map(({ id }) => id),
    after: rows.length < limit ? undefined : rows.at(-1)?.id,
  };
}
