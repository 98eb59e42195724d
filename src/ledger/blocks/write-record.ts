/**
 * Writes a found block and the words about it. It may be called again with the same, with older or with less, in any order and any number of
 * times: what is there already is passed over, so that nothing has to be remembered over restarts and lost answers.
 */
import { toColumns } from "../store/amount.ts";
import type { LedgerDb } from "../store/schema.ts";
import { type BlockRow, blockByKey, changeOf, counts, move, type Told, twinOf } from "./block-row.ts";
import { type CheckPace, checkPauseMs } from "./check-pace.ts";
import type { FoundRecord, Verdict } from "./found-record.ts";
import { TRANSITIONS } from "./state.ts";

/** What is known of a block. */
export interface BlockNews {
  readonly record: FoundRecord;
  /** In the order in which they came; none while it is under way. */
  readonly verdicts: readonly Verdict[];
}

/** How it is written. */
export interface WriteOptions {
  /** Wall time, ms since the Unix epoch. */
  readonly nowMs: number;
  readonly pace: CheckPace;
}

/** To be called in a transaction. Returns what is to be told when it is committed. */
export async function writeRecord(
  db: LedgerDb,
  { record, verdicts }: BlockNews,
  options: WriteOptions,
): Promise<Told[]> {
  const told: Told[] = [];
  const isNew = await insert(db, record, options);
  let row = await blockByKey(db, record.key);
  if (row === undefined) throw new Error(`block ${record.key} is not there after it was written`);
  if (isNew) {
    told.push(tell(row, changeOf(row, undefined, "found", { atMs: record.foundMs, note: "" })));
    // Out of a journal its answer may be old.
    const atMs = Math.max(record.foundMs, Math.min(options.nowMs, verdicts[0]?.atMs ?? options.nowMs));
    const submitting = await move(db, row, "submitting", { atMs, note: "" });
    if (submitting !== undefined) {
      told.push(tell(row, submitting));
      row = { ...row, state: "submitting" };
    }
  }
  for (const verdict of verdicts) {
    const { moved, after } = await apply(db, row, verdict, options);
    row = after;
    if (moved !== undefined) told.push(moved);
  }
  return told;
}

async function insert(db: LedgerDb, record: FoundRecord, { nowMs, pace }: WriteOptions): Promise<boolean> {
  const { chain, key, blockHash, headerHash, height, finder, foundMs, work, expected, finderPaid } = record;
  if ((await blockByKey(db, key)) !== undefined) return false;
  const worker = await db.selectFrom("workers").select("id").where("identity", "=", finder).executeTakeFirst();
  const difficulty = toColumns(work);
  const pays = expected === undefined ? undefined : toColumns(expected);
  const paid = toColumns(finderPaid);
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("blocks")
    .values({
      chain,
      key,
      block_hash: blockHash,
      header_hash: headerHash,
      height,
      worker_id: worker?.id ?? null,
      finder,
      found_ms: foundMs,
      state: "found",
      state_ms: foundMs,
      note: "",
      confirmations: 0,
      uncle: 0,
      difficulty_hi: difficulty.hi,
      difficulty_lo: difficulty.lo,
      expected_hi: pays?.hi ?? null,
      expected_lo: pays?.lo ?? null,
      actual_hi: null,
      actual_lo: null,
      finder_paid_hi: paid.hi,
      finder_paid_lo: paid.lo,
      finder_address: record.finderAddress ?? null,
      gift: record.isGift ? 1 : 0,
      aux_work: record.auxWork ?? null,
      // An answer comes first, unless it is lost with the journal's disk.
      next_check_ms: nowMs + pace.unansweredMs,
    })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) return false;
  const row = await blockByKey(db, key);
  if (row === undefined) return false;
  await db.insertInto("block_events").values({ block_id: row.id, at_ms: foundMs, state: "found", note: "" }).execute();
  return true;
}

async function apply(
  db: LedgerDb,
  row: BlockRow,
  verdict: Verdict,
  { nowMs, pace }: WriteOptions,
): Promise<{ readonly moved: Told | undefined; readonly after: BlockRow }> {
  const { state, note, atMs, blockHash = row.block_hash, height = row.height } = verdict;
  const isAccepted = state === "accepted";
  // The chain spoke before the daemon's answer came, by the work's name; now the block's own name is known.
  if (!TRANSITIONS[row.state].includes(state) && !(isAccepted && counts(row.state) && row.block_hash !== blockHash)) {
    return { moved: undefined, after: row };
  }
  const twin = isAccepted ? await twinOf(db, row, blockHash) : undefined;
  if (twin !== undefined) {
    if (counts(row.state)) return { moved: undefined, after: row };
    const moved = await move(db, row, "stale", { atMs, note: `duplicate: the block is counted as ${twin.key}` });
    await db.updateTable("blocks").set({ next_check_ms: null }).where("id", "=", row.id).execute();
    return { moved: moved && tell(row, moved), after: { ...row, state: moved?.to ?? row.state } };
  }
  const named: BlockRow = { ...row, block_hash: blockHash, height };
  await db.updateTable("blocks").set({ block_hash: blockHash, height }).where("id", "=", row.id).execute();
  if (counts(row.state)) return { moved: undefined, after: named };
  const moved = await move(db, named, state, { atMs, note });
  if (moved === undefined) return { moved: undefined, after: named };
  const nextMs = state === "rejected" ? null : nowMs + checkPauseMs(nowMs - row.found_ms, pace);
  await db.updateTable("blocks").set({ next_check_ms: nextMs }).where("id", "=", row.id).execute();
  return { moved: tell(named, moved), after: { ...named, state } };
}

function tell({ key }: BlockRow, changed: Told["changed"]): Told {
  return { key, changed };
}
