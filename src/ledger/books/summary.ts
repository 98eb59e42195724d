/**
 * Keeps the books in bounds: what was divided of blocks that are long done with is merged into one transaction a chain and calendar month (UTC), whose
 * postings are the sums of theirs. No balance changes. The blocks keep their rows with all that they paid; who got what of a single block is gone.
 *
 * A block goes as a whole, with its reversals and what its coinbase paid, and only while its books agree with its row, so that nothing that is
 * wrong or still to be done disappears in a sum.
 */
import type { LedgerAccess } from "../store/access.ts";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { LedgerDb } from "../store/schema.ts";
import { type BlockBooks, readBlockBooks } from "./block-books.ts";
import { post } from "./transactions.ts";

/** Options of `summariseBooks`. */
export interface SummaryOptions {
  /** Ms that who got what of a block is kept for. */
  readonly keepDetailMs: number;
  /** Blocks that one transaction of the database merges: with 10,000 workers as many rows each. */
  readonly blocksAtOnce: number;
}

/** What holds unless the operator says otherwise. */
export const SUMMARY_DEFAULTS: SummaryOptions = { keepDetailMs: 90 * 86_400_000, blocksAtOnce: 4 };

/**
 * Merges what is older than `keepDetailMs` at `nowMs`, a few blocks in each transaction, until nothing is left or `signal` aborts. Resolves with the
 * number of blocks. What is merged stays so when it rejects, with `Fault` `ledger-*`. Two processes may do so at once.
 */
export async function summariseBooks(
  ledger: LedgerAccess,
  nowMs: number,
  { keepDetailMs, blocksAtOnce }: SummaryOptions,
  signal: AbortSignal,
): Promise<number> {
  const beforeMs = Math.floor(nowMs - keepDetailMs);
  let merged = 0;
  for (const chain of await ledger.run((db) => chainsOf(db, beforeMs))) {
    for (let after: number | undefined = 0; after !== undefined && !signal.aborted; ) {
      const from: number = after;
      const blockIds = await ledger.run((db) => doneBlocks(db, chain, beforeMs, from, blocksAtOnce));
      if (blockIds.length > 0) merged += await ledger.transaction((db) => merge(db, chain, blockIds, beforeMs));
      after = blockIds.length < blocksAtOnce ? undefined : blockIds.at(-1);
    }
  }
  return merged;
}

async function chainsOf(db: LedgerDb, beforeMs: number): Promise<string[]> {
  const rows = await db
    .selectFrom("transactions")
    .select("chain")
    .distinct()
    .where("at_ms", "<", beforeMs)
    .where("kind", "in", ["distribution", "reversal"])
    .orderBy("chain")
    .execute();
  return rows.map(({ chain }) => chain);
}

/** Blocks whose chain is not asked any more and all of whose transactions are old. */
async function doneBlocks(
  db: LedgerDb,
  chain: string,
  beforeMs: number,
  after: number,
  limit: number,
): Promise<number[]> {
  const rows = await db
    .selectFrom("transactions")
    .innerJoin("blocks", "blocks.id", "transactions.block_id")
    .select("blocks.id")
    .distinct()
    .where("transactions.chain", "=", chain)
    .where("transactions.at_ms", "<", beforeMs)
    .where("blocks.id", ">", after)
    .where("blocks.next_check_ms", "is", null)
    .where("blocks.state", "in", ["distributed", "orphaned"])
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom("transactions as young")
            .select("young.id")
            .whereRef("young.block_id", "=", "blocks.id")
            .where("young.at_ms", ">=", beforeMs),
        ),
      ),
    )
    .orderBy("blocks.id")
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

async function merge(db: LedgerDb, chain: string, blockIds: readonly number[], beforeMs: number): Promise<number> {
  // Locks the chain's books against another process that merges, and the blocks against one that divides.
  await db.updateTable("accounts").set({ name: "" }).where("chain", "=", chain).where("kind", "=", "reward").execute();
  await db
    .updateTable("blocks")
    .set((set) => ({ state_ms: set.ref("state_ms") }))
    .where("id", "in", blockIds)
    .execute();
  const done = (await readBlockBooks(db, blockIds)).filter(agrees).map(({ block }) => block.id);
  if (done.length === 0) return 0;
  const transactions = await db
    .selectFrom("transactions")
    .select(["id", "at_ms", "block_id"])
    .where("block_id", "in", done)
    .execute();
  const young = new Set(transactions.filter(({ at_ms }) => at_ms >= beforeMs).map(({ block_id }) => block_id));
  const months = new Map<string, { ids: number[]; atMs: number }>();
  for (const { id, at_ms, block_id } of transactions) {
    if (young.has(block_id)) continue;
    const name = new Date(at_ms).toISOString().slice(0, "yyyy-mm".length);
    const month = months.get(name) ?? { ids: [], atMs: 0 };
    month.ids.push(id);
    month.atMs = Math.max(month.atMs, at_ms);
    months.set(name, month);
  }
  for (const [month, { ids, atMs }] of months) await mergeMonth(db, chain, month, ids, atMs);
  return done.length - young.size;
}

/** Whether the books of a block say what its row says, and nothing is to be done about it. */
function agrees({ block: { state, actual, finderPaid }, standing }: BlockBooks): boolean {
  if (state === "orphaned") return standing === undefined;
  return state === "distributed" && actual !== undefined && standing === actual + finderPaid;
}

async function mergeMonth(
  db: LedgerDb,
  chain: string,
  month: string,
  transactionIds: readonly number[],
  atMs: number,
): Promise<void> {
  const prefix = `summary:${chain}:${month}:`;
  const summaries = await db
    .selectFrom("transactions")
    .select(["id", "key", "at_ms"])
    .where("chain", "=", chain)
    .where("kind", "=", "summary")
    .execute();
  const before = summaries.filter(({ key }) => key.startsWith(prefix));
  const number = Math.max(0, ...before.map(({ key }) => Number(key.slice(prefix.length))));
  const ids = [...transactionIds, ...before.map(({ id }) => id)];
  const rows = await db
    .selectFrom("postings")
    .select(["account_id", ...exactSum("sum", "amount")])
    .where("transaction_id", "in", ids)
    .groupBy("account_id")
    .execute();
  await db.deleteFrom("postings").where("transaction_id", "in", ids).execute();
  await db.deleteFrom("transactions").where("id", "in", ids).execute();
  const key = `${prefix}${number + 1}`;
  const written = await post(db, {
    key,
    chain,
    kind: "summary",
    blockId: undefined,
    payoutId: undefined,
    atMs: Math.max(atMs, ...before.map(({ at_ms }) => at_ms)),
    postings: rows.map((row) => ({ accountId: row.account_id, amount: sumIn(row, "sum") })),
  });
  // What was deleted comes back with the transaction of the database, which ends here.
  if (!written) throw new Error(`another process wrote ${key}`);
}
