/**
 * Proves the books by queries alone, from the rows and from nothing that the program remembers: every transaction sums up to 0 and stays within its chain,
 * every chain's accounts do together, and what was divided of each block is what its chain pays.
 */
import { sql } from "kysely";
import type { LedgerAccess } from "../store/access.ts";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { AccountKind, LedgerDb } from "../store/schema.ts";
import { type Balance, balancesOf, OWED } from "./balances.ts";
import { type BlockBooks, readBlockBooks } from "./block-books.ts";

/** What was found out. */
export interface BooksReport {
  /** What must not be, in words; empty when the books balance. */
  readonly problems: readonly string[];
  /** Accounts that owe, since a reward that was paid out was taken back. That may be, and an operator wants to know. */
  readonly owing: readonly Balance[];
  readonly transactions: number;
  readonly blocks: number;
}

/** Options of `checkBooks`. */
export interface BooksCheckOptions {
  /** Rows that are read at once. */
  readonly page: number;
  /** Problems that are listed, and accounts that owe. */
  readonly most: number;
}

/** What holds unless said otherwise. */
export const BOOKS_CHECK_DEFAULTS: BooksCheckOptions = { page: 100, most: 100 };

type Run = LedgerAccess["run"];

/** Accounts that only ever get. */
const PLUS: readonly AccountKind[] = ["payout", "coinbase", "network_fee"];

/** Looks at all of the books. Rejects with what `run` rejects with. */
export async function checkBooks(run: Run, options = BOOKS_CHECK_DEFAULTS): Promise<BooksReport> {
  const { most } = options;
  const found: string[] = [];
  const owing: Balance[] = [];
  const problem = (text: string): void => {
    if (found.length < most) found.push(text);
    else if (found.length === most) found.push("and more");
  };
  const transactions = await checkTransactions(run, options, problem);
  const blocks = await checkBlocks(run, options, problem);
  await checkAccounts(run, options, problem, (balance) => {
    if (owing.length < most) owing.push(balance);
  });
  return { problems: found, owing, transactions, blocks };
}

async function checkTransactions(
  run: Run,
  { page }: BooksCheckOptions,
  problem: (text: string) => void,
): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const rows = await run((db) => transactionSums(db, after, page));
    for (const row of rows) {
      const sum = sumIn(row, "sum");
      if (sum !== 0n) problem(`the postings of ${row.key} (${row.chain}) sum up to ${sum}, not to 0`);
      if (row.foreign > 0) problem(`${row.key} (${row.chain}) has postings to accounts of another chain`);
    }
    count += rows.length;
    const last = rows.at(-1);
    if (rows.length < page || last === undefined) return count;
    after = last.id;
  }
}

function transactionSums(db: LedgerDb, after: number, limit: number) {
  const page = db.selectFrom("transactions").selectAll().where("id", ">", after).orderBy("id").limit(limit);
  return db
    .selectFrom(page.as("page"))
    .leftJoin("postings", "postings.transaction_id", "page.id")
    .leftJoin("accounts", "accounts.id", "postings.account_id")
    .select(["page.id", "page.key", "page.chain", ...exactSum("sum", "postings.amount")])
    .select(sql<number>`sum(case when accounts.chain <> page.chain then 1 else 0 end)`.as("foreign"))
    .groupBy(["page.id", "page.key", "page.chain"])
    .orderBy("page.id")
    .execute();
}

async function checkBlocks(run: Run, { page }: BooksCheckOptions, problem: (text: string) => void): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const rows = await run((db) =>
      db.selectFrom("blocks").select("id").where("id", ">", after).orderBy("id").limit(page).execute(),
    );
    const suspects = await run((db) => blockFlaws(db, idsOf(rows)));
    // A server that runs meanwhile may have written between two of the queries: what is wrong is so at a second look too.
    const flaws = suspects.length === 0 ? [] : await run((db) => blockFlaws(db, idsOf(suspects)));
    for (const { text } of flaws) problem(text);
    count += rows.length;
    const last = rows.at(-1);
    if (rows.length < page || last === undefined) return count;
    after = last.id;
  }
}

async function blockFlaws(
  db: LedgerDb,
  blockIds: readonly number[],
): Promise<{ readonly id: number; readonly text: string }[]> {
  const books = await readBlockBooks(db, blockIds);
  const summarised = await chainsWithSummary(db);
  const sums = await blockSums(db, books);
  return books.flatMap((one) => {
    const { id, chain, height, blockHash } = one.block;
    return flawsOf(one, sums.get(id), summarised).map((flaw) => {
      return { id, text: `block ${height} of ${chain} (${blockHash}) ${flaw}` };
    });
  });
}

function idsOf(rows: readonly { readonly id: number }[]): number[] {
  return rows.map(({ id }) => id);
}

interface BlockSums {
  /** What the account of rewards gave for it, and the account of coinbases got, by all of its transactions. */
  readonly reward: bigint;
  readonly coinbase: bigint;
}

function flawsOf(
  { block, standing, last }: BlockBooks,
  sums: BlockSums | undefined,
  summarised: ReadonlySet<string>,
): string[] {
  const { state, actual, finderPaid, chain } = block;
  if (last === 0) {
    return state === "distributed" && !summarised.has(chain) ? ["is distributed, and its books say nothing of it"] : [];
  }
  const { reward, coinbase } = sums ?? { reward: 0n, coinbase: 0n };
  if (standing === undefined) {
    if (reward !== 0n || coinbase !== 0n) return [`was taken back, and ${-reward} of it still stands`];
    return state === "distributed" ? ["is distributed, and its distribution was taken back"] : [];
  }
  if (state === "orphaned") return [`is an orphan, and ${standing} of it is not taken back yet`];
  const flaws: string[] = [];
  const total = actual === undefined ? undefined : actual + finderPaid;
  if (total !== undefined && -reward !== total) flaws.push(`pays ${total}, and ${-reward} of it was divided`);
  if (coinbase !== finderPaid) flaws.push(`paid its finder ${finderPaid}, and the books say ${coinbase}`);
  return flaws;
}

async function blockSums(db: LedgerDb, books: readonly BlockBooks[]): Promise<Map<number, BlockSums>> {
  const divided = books.filter(({ last }) => last > 0).map(({ block }) => block);
  if (divided.length === 0) return new Map();
  const chains = [...new Set(divided.map(({ chain }) => chain))];
  const accounts = await db
    .selectFrom("accounts")
    .select(["id", "kind"])
    .where("chain", "in", chains)
    .where("kind", "in", ["reward", "coinbase"])
    .execute();
  if (accounts.length === 0) return new Map();
  const rows = await db
    .selectFrom("transactions")
    .innerJoin("postings", "postings.transaction_id", "transactions.id")
    .select(["transactions.block_id", "postings.account_id", ...exactSum("sum", "postings.amount")])
    .where(
      "transactions.block_id",
      "in",
      divided.map(({ id }) => id),
    )
    .where(
      "postings.account_id",
      "in",
      accounts.map(({ id }) => id),
    )
    .groupBy(["transactions.block_id", "postings.account_id"])
    .execute();
  const kinds = new Map(accounts.map(({ id, kind }) => [id, kind]));
  const sums = new Map<number, BlockSums>();
  for (const row of rows) {
    const { reward, coinbase } = sums.get(row.block_id ?? 0) ?? { reward: 0n, coinbase: 0n };
    const more = sumIn(row, "sum");
    const isReward = kinds.get(row.account_id) === "reward";
    sums.set(row.block_id ?? 0, isReward ? { reward: reward + more, coinbase } : { reward, coinbase: coinbase + more });
  }
  return sums;
}

async function chainsWithSummary(db: LedgerDb): Promise<Set<string>> {
  const rows = await db.selectFrom("transactions").select("chain").distinct().where("kind", "=", "summary").execute();
  return new Set(rows.map(({ chain }) => chain));
}

async function checkAccounts(
  run: Run,
  { page }: BooksCheckOptions,
  problem: (text: string) => void,
  owes: (balance: Balance) => void,
): Promise<void> {
  // One statement, so that it sees whole transactions only.
  for (const row of await run(chainSums)) {
    const sum = sumIn(row, "sum");
    if (sum !== 0n) problem(`the accounts of ${row.chain} sum up to ${sum}, not to 0`);
  }
  const kinds = [...OWED, ...PLUS, "reward"] as const;
  for (let after = 0; ; ) {
    const balances = await run((db) => balancesOf(db, { chain: undefined, kinds, after, limit: page }));
    for (const balance of balances) {
      const { chain, kind, name, amount } = balance;
      if (OWED.includes(kind) && amount < 0n) owes(balance);
      if (kind === "reward" ? amount > 0n : PLUS.includes(kind) && amount < 0n) {
        problem(`the account ${`${kind} ${name}`.trim()} of ${chain} has ${amount}, which has the wrong sign`);
      }
    }
    const last = balances.at(-1);
    if (balances.length < page || last === undefined) break;
    after = last.accountId;
  }
}

function chainSums(db: LedgerDb) {
  return db
    .selectFrom("postings")
    .innerJoin("accounts", "accounts.id", "postings.account_id")
    .select(["accounts.chain", ...exactSum("sum", "postings.amount")])
    .groupBy("accounts.chain")
    .orderBy("accounts.chain")
    .execute();
}
