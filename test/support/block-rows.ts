/** Found blocks for tests that only care when they were found and what became of them. */
import type { BlockState, LedgerDb } from "../../src/ledger/store/schema.ts";

/** What a test says of a block. */
export interface BlockWish {
  readonly chain: string;
  readonly foundMs: number;
  readonly state: BlockState;
}

/** Writes blocks down, without a reward. */
export async function insertBlocks(db: LedgerDb, blocks: readonly BlockWish[]): Promise<void> {
  if (blocks.length === 0) return;
  const rows = blocks.map(({ chain, foundMs, state }, i) => ({
    chain,
    key: `${chain}:${foundMs}:${i}`,
    block_hash: "",
    header_hash: "",
    height: i,
    worker_id: null,
    finder: "",
    found_ms: foundMs,
    state,
    state_ms: foundMs,
    note: "",
    confirmations: 0,
    uncle: 0,
    difficulty_hi: 0n,
    difficulty_lo: 1n,
    expected_hi: null,
    expected_lo: null,
    actual_hi: null,
    actual_lo: null,
    finder_paid_hi: 0n,
    finder_paid_lo: 0n,
    finder_address: null,
    aux_work: null,
    next_check_ms: null,
  }));
  await db.insertInto("blocks").values(rows).execute();
}
