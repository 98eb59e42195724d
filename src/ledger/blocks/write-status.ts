/**
 * Writes what a chain says of a block: its state, its confirmations, what it really pays, when to ask again. The row is read anew, for it may have
 * moved since the question was put: an answer came, or its reward was distributed.
 */

import type { BlockStatus } from "../../merge/plugin.ts";
import type { MergeMiningReward } from "../events.ts";
import { MAX_REWARD, toColumns } from "../store/amount.ts";
import type { LedgerDb } from "../store/schema.ts";
import { BITCOIN } from "../store/schema.ts";
import { amount, type BlockRow, counts, move, rewardOf, type Told, twinOf } from "./block-row.ts";
import { type CheckPace, unsteadyPauseMs } from "./check-pace.ts";

import { nextStep } from "./next-step.ts";

/** A chain's word on a block. */
export interface Heard {
  readonly blockId: number;
  readonly said: BlockStatus;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
  /** Since no daemon knows the block, ms; 0 when one does. */
  readonly unknownForMs: number;
}

/** To be called in a transaction. Returns what is to be told when it is committed. */
export async function writeStatus(db: LedgerDb, heard: Heard, pace: CheckPace): Promise<Told[]> {
  const { blockId, said, atMs, unknownForMs } = heard;
  const row = await db.selectFrom("blocks").selectAll().where("id", "=", blockId).executeTakeFirst();
  if (row === undefined) return [];
  const { maturedMs, wasMature, events } = await history(db, row);
  const isThere = said.state === "confirmed" || said.state === "uncle" || said.state === "mature";
  const known = amount(row.actual_hi, row.actual_lo);
  const pays = isThere ? (paidToUs(row, said) ?? known) : known;
  const step = nextStep(
    {
      state: row.state,
      ageMs: atMs - row.found_ms,
      inStateMs: atMs - row.state_ms,
      matureForMs: maturedMs === undefined ? undefined : atMs - maturedMs,
      isPayKnown: pays !== undefined,
      unknownForMs,
    },
    said,
    pace,
  );
  if (isThere && !counts(row.state) && (await twinOf(db, row, row.block_hash)) !== undefined) {
    await db.updateTable("blocks").set({ next_check_ms: null }).where("id", "=", row.id).execute();
    return [];
  }
  const columns = pays === undefined ? undefined : toColumns(pays);
  const after: BlockRow = {
    ...row,
    confirmations: said.state === "unknown" ? row.confirmations : said.confirmations,
    uncle: isUncle(row, said),
    actual_hi: columns?.hi ?? null,
    actual_lo: columns?.lo ?? null,
  };
  await db
    .updateTable("blocks")
    .set({
      confirmations: after.confirmations,
      uncle: after.uncle,
      actual_hi: after.actual_hi,
      actual_lo: after.actual_lo,
      next_check_ms: step.pauseMs === undefined ? null : Math.round(atMs + unsteadyPauseMs(step.pauseMs, events)),
    })
    .where("id", "=", row.id)
    .execute();
  const changed = step.to === undefined ? undefined : await move(db, after, step.to, { atMs, note: step.note });
  const isMature = said.state === "mature";
  if (isMature && maturedMs === undefined && row.state === "distributed") {
    const event = { block_id: row.id, at_ms: atMs, state: "mature", note: step.note } as const;
    await db.insertInto("block_events").values(event).execute();
  } else if (changed === undefined && known !== undefined && pays !== known) {
    // Its reward is divided anew for each of these, so they count among the turns of an unsteady block.
    const note = `it pays ${pays} now, and not ${known}`;
    await db.insertInto("block_events").values({ block_id: row.id, at_ms: atMs, state: row.state, note }).execute();
  }
  // Certain once the amount is known, at the latest when it is mature; each of the two stays in the database and so speaks once.
  const isFirst = known === undefined && !wasMature && (pays !== undefined || isMature);
  const reward = isFirst && row.chain !== BITCOIN ? rewardTold(after, atMs) : undefined;
  return changed === undefined && reward === undefined ? [] : [{ key: row.key, changed, reward }];
}

/** A Bitcoin block's hash commits to its coinbase, so it pays what its own bytes said; other chains tell. */
function paidToUs(row: BlockRow, { reward }: BlockStatus): bigint | undefined {
  // No coin pays more; a plugin may say it all the same.
  if (reward !== undefined && reward <= MAX_REWARD) return reward;
  return row.chain === BITCOIN ? amount(row.expected_hi, row.expected_lo) : undefined;
}

function isUncle(row: BlockRow, { state, confirmations }: BlockStatus): number {
  if (state === "confirmed") return 0;
  return state === "uncle" || (state === "mature" && confirmations === 0) ? 1 : row.uncle;
}

/** When the chain said that the block is mature, unless it was orphaned after that; whether it ever did; and how many lines its history has. */
async function history(
  db: LedgerDb,
  row: BlockRow,
): Promise<{ readonly maturedMs: number | undefined; readonly wasMature: boolean; readonly events: number }> {
  const events = await db
    .selectFrom("block_events")
    .select(["state", "at_ms"])
    .where("block_id", "=", row.id)
    .orderBy("id", "desc")
    .execute();
  const last = events.find(({ state }) => state === "mature" || state === "orphaned");
  return {
    maturedMs: last?.state === "mature" ? last.at_ms : undefined,
    wasMature: events.some(({ state }) => state === "mature"),
    events: events.length,
  };
}

function rewardTold(row: BlockRow, atMs: number): MergeMiningReward | undefined {
  const rewardAmount = rewardOf(row);
  if (rewardAmount === undefined) return undefined;
  const { chain, block_hash, height, confirmations } = row;
  return { secondaryChain: chain, blockHash: block_hash, height, rewardAmount, confirmations, atMs };
}
