/** The states of a found block as a table: what may follow what, and the one way in which a state is written. */
import type { BlockState, LedgerDb } from "../store/schema.ts";

/**
 * What may follow each state. `accepted` and later ones go back and forth with the chain's reorgs; `mature` and `distributed` are left only by
 * an orphan, whose distribution is reversed: a daemon that lags behind another, and so counts less blocks, takes nothing back. An answer that came
 * twice, or late, leads nowhere and is passed over.
 */
export const TRANSITIONS: Readonly<Record<BlockState, readonly BlockState[]>> = {
  // An answer may be lost and the chain speak first.
  found: ["submitting", "accepted", "rejected", "stale", "failed", "confirmed", "uncle", "mature"],
  submitting: ["accepted", "rejected", "stale", "failed", "confirmed", "uncle", "mature"],
  accepted: ["confirmed", "uncle", "mature", "orphaned"],
  // A daemon may take a block that it, or another, had called stale, and what no daemon answered on may still be in the chain.
  stale: ["accepted", "confirmed", "uncle", "mature"],
  failed: ["accepted", "confirmed", "uncle", "mature"],
  // With several nodes one that takes it, or only finds it late, is worth more than one that refuses it.
  rejected: ["accepted", "stale"],
  confirmed: ["uncle", "mature", "orphaned", "distributed"],
  uncle: ["confirmed", "mature", "orphaned", "distributed"],
  mature: ["orphaned", "distributed"],
  orphaned: ["confirmed", "uncle", "mature"],
  distributed: ["orphaned"],
};

/** A change of a block's state. */
export interface StateChange {
  readonly blockId: number;
  readonly from: BlockState;
  readonly to: BlockState;
  readonly atMs: number;
  /** Why, in a few words; at most 500 characters are kept. */
  readonly note: string;
}

/** Characters of a note that are kept. */
const MAX_NOTE = 500;

/**
 * Writes a change of state and its event; to be called in a transaction. Returns whether it was made: not when the block is in another state than
 * `from` by now, or `to` may not follow it.
 */
export async function changeState(db: LedgerDb, { blockId, from, to, atMs, note }: StateChange): Promise<boolean> {
  if (!TRANSITIONS[from].includes(to)) return false;
  const text = keptNote(note);
  const { numUpdatedRows } = await db
    .updateTable("blocks")
    .set({ state: to, state_ms: atMs, note: text })
    .where("id", "=", blockId)
    .where("state", "=", from)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await db.insertInto("block_events").values({ block_id: blockId, at_ms: atMs, state: to, note: text }).execute();
  return true;
}

/** A note as it is kept. */
export function keptNote(note: string): string {
  return storable(note).slice(0, MAX_NOTE);
}

/** A text as both databases take it: PostgreSQL refuses NUL, which a daemon or a miner may well send. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd");
}
