/** What the books say about blocks: which distributions they had, and whether the last one still stands. */
import { fromColumns } from "../store/amount.ts";
import type { BlockState, LedgerDb } from "../store/schema.ts";

/** A block as its distribution looks at it. */
export interface RewardedBlock {
  readonly id: number;
  readonly chain: string;
  readonly key: string;
  readonly blockHash: string;
  readonly height: number;
  readonly finder: string;
  readonly foundMs: number;
  readonly state: BlockState;
  /** Hashes. */
  readonly difficulty: bigint;
  /** What it really pays beside what its coinbase paid to the finder; `undefined` until the chain said so. */
  readonly actual: bigint | undefined;
  /** What its coinbase paid straight to the finder. */
  readonly finderPaid: bigint;
  /** Whether coinbases paid user identities when it was found. */
  readonly isGift: boolean;
}

/** A block and its transactions. */
export interface BlockBooks {
  readonly block: RewardedBlock;
  /** Number of its last distribution, 0 for none. */
  readonly last: number;
  /** Whether the last distribution was not taken back; what it gave out, with what the coinbase paid. */
  readonly standing: bigint | undefined;
  /** What the last distribution gave out, whether or not it was taken back. */
  readonly lastTotal: bigint | undefined;
}

/** Keys of a block's transactions: `distribution:<block>:<n>` and so on. */
export const blockKey = (
  what: "distribution" | "coinbase" | "reversal" | "coinbase_reversal",
  blockId: number,
  n: number,
): string => `${what}:${blockId}:${n}`;

/** The books of some blocks, by ascending id. */
export async function readBlockBooks(db: LedgerDb, blockIds: readonly number[]): Promise<BlockBooks[]> {
  if (blockIds.length === 0) return [];
  const blocks = await db.selectFrom("blocks").selectAll().where("id", "in", blockIds).orderBy("id").execute();
  const transactions = await db
    .selectFrom("transactions")
    .select(["id", "key", "block_id"])
    .where("block_id", "in", blockIds)
    .where("kind", "in", ["distribution", "reversal"])
    .execute();
  const keys = new Set(transactions.map(({ key }) => key));
  const last = new Map<number, { readonly n: number; readonly id: number }>();
  for (const { id, key, block_id } of transactions) {
    const n = numberOf(key);
    if (block_id === null || !key.startsWith("distribution:") || n <= (last.get(block_id)?.n ?? 0)) continue;
    last.set(block_id, { n, id });
  }
  const totals = await totalsOf(db, [...new Set(blocks.map(({ chain }) => chain))], [...last.values()]);
  return blocks.map((row): BlockBooks => {
    const { actual_hi, actual_lo } = row;
    const block: RewardedBlock = {
      id: row.id,
      chain: row.chain,
      key: row.key,
      blockHash: row.block_hash,
      height: row.height,
      finder: row.finder,
      foundMs: row.found_ms,
      state: row.state,
      difficulty: fromColumns(row.difficulty_hi, row.difficulty_lo),
      actual: actual_hi === null || actual_lo === null ? undefined : fromColumns(actual_hi, actual_lo),
      finderPaid: fromColumns(row.finder_paid_hi, row.finder_paid_lo),
      isGift: row.gift === 1,
    };
    const distribution = last.get(row.id);
    if (distribution === undefined) return { block, last: 0, standing: undefined, lastTotal: undefined };
    const { n, id } = distribution;
    // A reward of 0 has no postings, and its transaction says that it was divided.
    const lastTotal = totals.get(id) ?? 0n;
    const stands = !keys.has(blockKey("reversal", row.id, n));
    return { block, last: n, standing: stands ? lastTotal : undefined, lastTotal };
  });
}

/** What distributions gave out, by transaction: minus what the account of rewards gave. */
async function totalsOf(
  db: LedgerDb,
  chains: readonly string[],
  distributions: readonly { readonly id: number }[],
): Promise<Map<number, bigint>> {
  if (distributions.length === 0) return new Map();
  const accounts = await db
    .selectFrom("accounts")
    .select("id")
    .where("chain", "in", chains)
    .where("kind", "=", "reward")
    .where("name", "=", "")
    .execute();
  if (accounts.length === 0) return new Map();
  const rows = await db
    .selectFrom("postings")
    .select(["transaction_id", "amount_hi", "amount_lo"])
    .where(
      "transaction_id",
      "in",
      distributions.map(({ id }) => id),
    )
    .where(
      "account_id",
      "in",
      accounts.map(({ id }) => id),
    )
    .execute();
  return new Map(rows.map((row) => [row.transaction_id, -fromColumns(row.amount_hi, row.amount_lo)]));
}

function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf(":") + 1));
}
