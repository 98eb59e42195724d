/** `rewards` by chain: what was found and what became of it, what the books made of it, who is owed what. */
import { sql } from "kysely";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { AccountKind, BlockState, LedgerDb, TransactionKind } from "../store/schema.ts";
import { BLOCK_STATES, type RewardStage, STAGE_OF } from "./block-value.ts";

/** What is asked for. */
export interface RewardsQuery {
  /** One chain; all when left out. */
  readonly chain?: string | undefined;
  /** Blocks found and transactions made from this wall time on, ms; all when left out. Balances (`owed`) are always as they are now. */
  readonly sinceMs?: number | undefined;
}

/** A beneficiary of a chain. */
export interface BeneficiaryRewards {
  readonly name: string;
  /** What distributions gave, less what reversals took back. */
  readonly earned: bigint;
  readonly owed: bigint;
}

/** The rewards of one chain; amounts in its base unit. */
export interface ChainRewards {
  readonly chain: string;
  /** Solutions found, and how many are in each state now: these add up to `found`. */
  readonly found: number;
  readonly states: Readonly<Record<BlockState, number>>;
  /** Blocks that were taken as uncles, also those that have matured since. */
  readonly uncles: number;
  /** What all of them were expected to pay when they were found. */
  readonly expected: bigint;
  /** What they are worth, by where that is: what the chain says, or what was expected as long as it has not said. */
  readonly rewards: Readonly<Record<RewardStage, bigint>>;
  /** What transactions of the books split up: distributions less reversals. */
  readonly split: bigint;
  /** Of that: the workers' part, the operator's fee, and the rest by beneficiary. */
  readonly workersEarned: bigint;
  readonly operatorEarned: bigint;
  readonly beneficiaries: readonly BeneficiaryRewards[];
  /** Paid by coinbases straight to finders. */
  readonly paidByCoinbase: bigint;
  /** Paid through the chain's wallet, to whomever, and what the network took for it. */
  readonly paid: bigint;
  readonly networkFees: bigint;
  /** Balances as they are now. */
  readonly workersOwed: bigint;
  readonly operatorOwed: bigint;
}

/** The rewards of every chain that the ledger knows of, by name. */
export async function chainRewards(db: LedgerDb, query: RewardsQuery): Promise<ChainRewards[]> {
  const [blocks, books] = [await blockTotals(db, query), await bookTotals(db, query)];
  const names = [...new Set([...blocks, ...books].map(({ chain }) => chain))].sort();
  return names.map((chain) => ({
    chain,
    ...ofBlocks(blocks.filter((each) => each.chain === chain)),
    ...ofBooks(books.filter((each) => each.chain === chain)),
  }));
}

interface BlockTotal {
  readonly chain: string;
  readonly state: BlockState;
  readonly count: number;
  readonly uncles: number;
  readonly expected: bigint;
  readonly worth: bigint;
}

async function blockTotals(db: LedgerDb, { chain, sinceMs }: RewardsQuery): Promise<BlockTotal[]> {
  const known = sql`blocks.actual_hi is not null`;
  let wanted = db
    .selectFrom("blocks")
    .select(["blocks.chain", "blocks.state"])
    .select([sql<number>`count(*)`.as("count"), sql<number>`sum(blocks.uncle)`.as("uncles")])
    .select(exactSum("expected", "blocks.expected"))
    .select(exactSum("unknown", "blocks.expected", sql`blocks.actual_hi is null`))
    .select(exactSum("actual", "blocks.actual"))
    .select(exactSum("finder", "blocks.finder_paid", known))
    .groupBy(["blocks.chain", "blocks.state"]);
  if (chain !== undefined) wanted = wanted.where("blocks.chain", "=", chain);
  if (sinceMs !== undefined) wanted = wanted.where("blocks.found_ms", ">=", sinceMs);
  const rows = await wanted.execute();
  return rows.map((row) => ({
    chain: row.chain,
    state: row.state,
    count: row.count,
    uncles: row.uncles,
    expected: sumIn(row, "expected"),
    worth: sumIn(row, "unknown") + sumIn(row, "actual") + sumIn(row, "finder"),
  }));
}

function ofBlocks(totals: readonly BlockTotal[]) {
  const states = Object.fromEntries(BLOCK_STATES.map((state) => [state, 0])) as Record<BlockState, number>;
  const rewards: Record<RewardStage, bigint> = { waiting: 0n, immature: 0n, mature: 0n, distributed: 0n, lost: 0n };
  for (const { state, count, worth } of totals) {
    states[state] = count;
    rewards[STAGE_OF[state]] += worth;
  }
  return {
    found: totals.reduce((sum, { count }) => sum + count, 0),
    states,
    uncles: totals.reduce((sum, { uncles }) => sum + uncles, 0),
    expected: totals.reduce((sum, { expected }) => sum + expected, 0n),
    rewards,
  };
}

interface BookTotal {
  readonly chain: string;
  readonly account: AccountKind;
  readonly name: string;
  readonly kind: TransactionKind;
  /** Since the time that was asked for. */
  readonly since: bigint;
  readonly ever: bigint;
}

/**
 * What accounts other than workers' got and gave, by kind of transaction. Every transaction adds up to 0, so what workers got is what these gave: a few
 * rows a block instead of one for each worker. `ledger check` shows whether the books do add up.
 */
async function bookTotals(db: LedgerDb, { chain, sinceMs }: RewardsQuery): Promise<BookTotal[]> {
  let others = db.selectFrom("accounts").select(["id", "chain", "kind", "name"]).where("kind", "<>", "worker");
  if (chain !== undefined) others = others.where("chain", "=", chain);
  const totals: BookTotal[] = [];
  // One at a time: a database that knows nothing of its tables' sizes would read every worker's postings to find these.
  for (const account of await others.execute()) {
    const rows = await db
      .selectFrom("postings")
      .innerJoin("transactions", "transactions.id", "postings.transaction_id")
      .select("transactions.kind")
      .select(exactSum("since", "postings.amount", sql`transactions.at_ms >= ${sinceMs ?? 0}`))
      .select(exactSum("ever", "postings.amount"))
      .where("postings.account_id", "=", account.id)
      .groupBy("transactions.kind")
      .execute();
    for (const row of rows) {
      totals.push({
        chain: account.chain,
        account: account.kind,
        name: account.name,
        kind: row.kind,
        since: sumIn(row, "since"),
        ever: sumIn(row, "ever"),
      });
    }
  }
  return totals;
}

/** Transactions that pay out or take a payment back; the others split rewards up. */
const PAYS: readonly TransactionKind[] = ["payout", "payout_reversal"];

function ofBooks(totals: readonly BookTotal[]) {
  const earned = totals.filter(({ kind }) => !PAYS.includes(kind));
  const sinceOf = (from: readonly BookTotal[], kind: AccountKind): bigint =>
    from.reduce((sum, { account, since }) => (account === kind ? sum + since : sum), 0n);
  const everOf = (kind: AccountKind, name = ""): bigint =>
    totals.reduce((sum, each) => (each.account === kind && each.name === name ? sum + each.ever : sum), 0n);
  const names = [...new Set(totals.filter(({ account }) => account === "beneficiary").map(({ name }) => name))].sort();
  return {
    split: 0n - sinceOf(earned, "reward"),
    // What a coinbase paid was earned before: in summaries both are in one transaction.
    workersEarned: 0n - earned.reduce((sum, { account, since }) => (account === "coinbase" ? sum : sum + since), 0n),
    operatorEarned: sinceOf(earned, "operator"),
    beneficiaries: names.map((name) => ({
      name,
      earned: sinceOf(
        earned.filter((each) => each.name === name),
        "beneficiary",
      ),
      owed: everOf("beneficiary", name),
    })),
    paidByCoinbase: sinceOf(totals, "coinbase"),
    paid: sinceOf(totals, "payout"),
    networkFees: sinceOf(totals, "network_fee"),
    workersOwed: 0n - totals.reduce((sum, { ever }) => sum + ever, 0n),
    operatorOwed: everOf("operator"),
  };
}
