/**
 * A reward that an operator looked up himself: daemons of old forks, or ones without receipts, never tell what a block of ours pays, and its reward would
 * wait for that for ever.
 */
import { Fault } from "../../kernel/fault.ts";
import { MAX_REWARD, toColumns } from "../store/amount.ts";
import type { LedgerDb } from "../store/schema.ts";

/** What an operator says of a block. */
export interface OwnWord {
  readonly chain: string;
  /** The block's key or its hash as the chain prints it. */
  readonly block: string;
  /** What it pays us, in the chain's base unit. */
  readonly reward: bigint;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
}

/** A block whose reward was set. */
export interface RewardSet {
  readonly key: string;
  readonly height: number;
}

/**
 * Sets the reward of a mature block whose chain does not tell it; to be called in a transaction. The server divides it with its next look at the
 * books, and whatever the chain says later on takes its place. Throws `Fault` `report-block-unknown`, or `ledger-reward-known` for a block
 * that is not mature, or whose reward is known, or `payout-amount` for one that no coin pays.
 */
export async function setReward(db: LedgerDb, { chain, block, reward, atMs }: OwnWord): Promise<RewardSet> {
  const rows = await db
    .selectFrom("blocks")
    .select(["id", "key", "height", "state", "actual_lo"])
    .where("chain", "=", chain)
    .where((where) => where.or([where("key", "=", block), where("block_hash", "=", block)]))
    .execute();
  // A second solution of a block has its hash too, and ended when the first was counted.
  const row = rows.find(({ state }) => state === "mature") ?? rows[0];
  if (row === undefined) throw new Fault("report-block-unknown", { chain, block: block.slice(0, 100) });
  const { id, key, height, state } = row;
  if (state !== "mature" || row.actual_lo !== null) throw new Fault("ledger-reward-known", { chain, height, state });
  if (reward > MAX_REWARD) throw new Fault("payout-amount", { units: String(reward), most: String(MAX_REWARD) });
  const { hi, lo } = toColumns(reward);
  await db.updateTable("blocks").set({ actual_hi: hi, actual_lo: lo }).where("id", "=", id).execute();
  const note = `the operator says that it pays ${reward}`;
  await db.insertInto("block_events").values({ block_id: id, at_ms: atMs, state, note }).execute();
  return { key, height };
}
