/** Rows of `blocks` as the parts that move them read them, and what is told when they moved. */
import { type Selectable, sql } from "kysely";
import type { BlockStateChanged, MergeMiningReward } from "../events.ts";
import { fromColumns } from "../store/amount.ts";
import type { BlockState, BlocksTable, LedgerDb } from "../store/schema.ts";
import { changeState } from "./state.ts";

/** A row. */
export type BlockRow = Selectable<BlocksTable>;

/** What a transaction made of a block, to be told once it is committed. */
export interface Told {
  /** `FoundAux.key` and the like. */
  readonly key: string;
  /** Its change of state, if any. */
  readonly changed?: BlockStateChanged | undefined;
  /** What it pays, when that became certain. */
  readonly reward?: MergeMiningReward | undefined;
}

/** States of a block that counts, or did before a reorg: no other solution of the same block may. */
const COUNTING: readonly BlockState[] = ["accepted", "confirmed", "uncle", "mature", "orphaned", "distributed"];

/** Solutions of one work are found within the life of a template. */
const TWINS_WITHIN_MS = 86_400_000;
/** Characters of `:<header hash>` behind a work's ID in a key. */
const HEADER_HASH = 65;

/** Whether a block in `state` counts as ours, as far as it is known. */
export function counts(state: BlockState): boolean {
  return COUNTING.includes(state);
}

/** What a block pays: as the chain said, else as it was expected. */
export function rewardOf(row: BlockRow): bigint | undefined {
  return amount(row.actual_hi, row.actual_lo) ?? amount(row.expected_hi, row.expected_lo);
}

/** Two columns that may be empty. */
export function amount(hi: bigint | null, lo: bigint | null): bigint | undefined {
  return hi === null || lo === null ? undefined : fromColumns(hi, lo);
}

/** The block of `key`. */
export async function blockByKey(db: LedgerDb, key: string): Promise<BlockRow | undefined> {
  return await db.selectFrom("blocks").selectAll().where("key", "=", key).executeTakeFirst();
}

/**
 * Another solution of the same block that counts. Two solutions of one work are one block on an AuxPoW chain (one hash) and two on RSK and
 * Hathor. While the daemon's name of one of the two is not known, its answer being lost, they are taken for one: better a reward that nobody looks
 * for than one counted twice.
 */
export async function twinOf(
  db: LedgerDb,
  row: Pick<BlockRow, "id" | "chain" | "key" | "found_ms">,
  blockHash: string,
): Promise<{ readonly key: string; readonly block_hash: string } | undefined> {
  const prefix = row.key.slice(0, -HEADER_HASH);
  const work = prefix.slice(row.chain.length + 1);
  const others = await db
    .selectFrom("blocks")
    .select(["key", "block_hash"])
    .where("chain", "=", row.chain)
    .where("found_ms", ">=", row.found_ms - TWINS_WITHIN_MS)
    .where("found_ms", "<=", row.found_ms + TWINS_WITHIN_MS)
    .where("id", "!=", row.id)
    .where("state", "in", [...COUNTING])
    .where((where) =>
      where.or([
        where("block_hash", "=", blockHash),
        // Only to leave out the many: another work's name may begin alike. Both databases count characters, JavaScript halves of some.
        where(sql<string>`substr(key, 1, ${[...prefix].length})`, "=", prefix),
      ]),
    )
    .execute();
  return others.find(
    ({ key, block_hash }) =>
      block_hash === blockHash ||
      (key.slice(0, -HEADER_HASH) === prefix && (block_hash === work || blockHash === work)),
  );
}

/** Changes the state of `row` as `changeState` does; `undefined` when that was not possible. */
export async function move(
  db: LedgerDb,
  row: BlockRow,
  to: BlockState,
  { atMs, note }: { readonly atMs: number; readonly note: string },
): Promise<BlockStateChanged | undefined> {
  const moved = await changeState(db, { blockId: row.id, from: row.state, to, atMs, note });
  return moved ? changeOf(row, row.state, to, { atMs, note }) : undefined;
}

/** What is told of a change of `row`. */
export function changeOf(
  row: BlockRow,
  from: BlockState | undefined,
  to: BlockState,
  { atMs, note }: { readonly atMs: number; readonly note: string },
): BlockStateChanged {
  const { chain, key, block_hash, height, finder } = row;
  return { chain, key, blockHash: block_hash, height, finder, from, to, atMs, note, reward: rewardOf(row) };
}
