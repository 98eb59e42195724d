/**
 * Which ends of slices blocks still need. A block that is not settled needs the one at its own time, since its reward is split by work up to then.
 * Where rewards are split by rounds it also needs that at the time of its chain's block before. A settled block may be orphaned and come
 * back, so of every chain all blocks from its second newest distributed one on keep theirs.
 *
 * Answers that came late may revive a block that was called stale, failed or rejected; slices younger than the first tier are not touched, so for
 * two days by default such a block is split exactly, and later by whole slices.
 */
import type { BlockState, LedgerDb } from "../store/schema.ts";

/** States of what was no block: it shares no reward and begins no round. */
const NO_BLOCK: readonly BlockState[] = ["rejected", "stale", "failed"];

/** States from which a block's work is not asked for again, but for a reorg. */
const SETTLED: readonly BlockState[] = ["distributed", ...NO_BLOCK];

/** Distributed blocks of a chain from whose found times on all boundaries are kept. */
const KEPT_DISTRIBUTED = 2;

/** Times of `blocks` that must stay ends of slices, ascending. `sinceMs`: nobody asks for older ones. */
export async function neededBoundaries(db: LedgerDb, sinceMs: number): Promise<number[]> {
  const times = new Set<number>();
  const chains = await db.selectFrom("blocks").select("chain").distinct().execute();
  for (const { chain } of chains) for (const time of await ofChain(db, chain, sinceMs)) times.add(time);
  return [...times].sort((a, b) => a - b);
}

async function ofChain(db: LedgerDb, chain: string, sinceMs: number): Promise<number[]> {
  const blocks = db.selectFrom("blocks").select("found_ms").where("chain", "=", chain);
  const distributed = await blocks
    .where("state", "=", "distributed")
    .orderBy("found_ms", "desc")
    .limit(1)
    .offset(KEPT_DISTRIBUTED - 1)
    .executeTakeFirst();
  const allFromMs = Math.max(sinceMs, distributed?.found_ms ?? sinceMs);
  const recent = await blocks.where("state", "not in", NO_BLOCK).where("found_ms", ">=", allFromMs).execute();
  const older = await blocks
    .where("state", "not in", SETTLED)
    .where("found_ms", ">=", sinceMs)
    .where("found_ms", "<=", allFromMs)
    .execute();
  const times = [...recent, ...older].map(({ found_ms }) => found_ms);
  for (const foundMs of [...older.map(({ found_ms }) => found_ms), allFromMs]) {
    const before = blocks.where("state", "not in", NO_BLOCK).where("found_ms", "<", foundMs);
    const newest = before.orderBy("found_ms", "desc").limit(1);
    // Whether an orphan begins a round is not decided here.
    const previous = [
      await newest.executeTakeFirst(),
      await newest.where("state", "!=", "orphaned").executeTakeFirst(),
    ];
    for (const block of previous) if (block !== undefined) times.push(block.found_ms);
  }
  return times;
}

/** The time of the oldest block whose reward is still to be split; `undefined` for none. An orphan of long ago is not waited for. */
export async function oldestUnsettled(db: LedgerDb): Promise<number | undefined> {
  const block = await db
    .selectFrom("blocks")
    .select("found_ms")
    .where("state", "not in", [...SETTLED, "orphaned"])
    .orderBy("found_ms")
    .limit(1)
    .executeTakeFirst();
  return block?.found_ms;
}
