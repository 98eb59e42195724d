/**
 * Writes one step of a block's books, in one transaction of the database: all of it is there, or nothing.
 *
 * A distribution takes the reward from the account `reward` and gives it to workers, operator and beneficiaries. What a coinbase paid its finder is in it as
 * earned by the finder, and paid in a transaction beside it (`coinbase:<block>:<n>`), so that statements show both and nothing is owed. A reversal is
 * the same postings with the other sign. A worker's balance may go below 0 by it, when the reward was paid out: later rewards make up for it.
 */
import { changeState } from "../blocks/state.ts";
import type { LedgerDb } from "../store/schema.ts";
import { accountIds } from "./accounts.ts";
import { type BlockBooks, blockKey, type RewardedBlock, readBlockBooks } from "./block-books.ts";
import { nextStep, type Step } from "./next-step.ts";
import type { RewardPart } from "./reward-parts.ts";
import type { RewardRules } from "./reward-rules.ts";
import { isPosted, type Posting, post, postCopy, type TransactionHead } from "./transactions.ts";

/** What the next distribution of a block is made of: the last one's postings once more, or new ones. */
export type Entries =
  | { readonly again: true }
  | { readonly distribution: readonly Posting[]; readonly coinbase: readonly Posting[] };

/** A step that is ready to be written. */
export interface PreparedStep {
  readonly step: Step;
  /** What it was prepared from. */
  readonly books: BlockBooks;
  /** `undefined` for steps that divide nothing. */
  readonly entries: Entries | undefined;
  readonly atMs: number;
}

/** The postings of `parts` and of what the coinbase paid; makes the accounts that are missing. */
export async function entriesOf(
  db: LedgerDb,
  { block: { chain, finder, finderPaid } }: BlockBooks,
  parts: readonly RewardPart[],
): Promise<Entries> {
  const reward = { kind: "reward", name: "" } as const;
  const coinbase = { kind: "coinbase", name: "" } as const;
  const worker = { kind: "worker", name: finder } as const;
  const id = await accountIds(db, chain, [reward, ...parts, ...(finderPaid > 0n ? [coinbase, worker] : [])]);
  const total = parts.reduce((sum, { amount }) => sum + amount, finderPaid);
  const postings = parts.map((part): Posting => ({ accountId: id(part), amount: part.amount }));
  if (finderPaid === 0n)
    return { distribution: [{ accountId: id(reward), amount: -total }, ...postings], coinbase: [] };
  const earned = { accountId: id(worker), amount: finderPaid };
  return {
    distribution: [{ accountId: id(reward), amount: -total }, ...postings, earned],
    coinbase: [
      { accountId: id(worker), amount: -finderPaid },
      { accountId: id(coinbase), amount: finderPaid },
    ],
  };
}

/** A step that was written. */
export interface WrittenStep {
  /** Whether the block came from `mature` to `distributed` with it: it may have matured since the step was prepared. */
  readonly isDone: boolean;
}

/**
 * Writes a step; to be called in a transaction of the database. `undefined` when it was not written: the block or its books are other ones by now
 * than those that it was prepared from, which another process or the chain may have seen to.
 */
export async function writeStep(
  db: LedgerDb,
  { step, books, entries, atMs }: PreparedStep,
  rules: RewardRules,
): Promise<WrittenStep | undefined> {
  const { block, last } = books;
  // Locks the row, so that two processes take turns: PostgreSQL would let both read the books before either writes.
  await db
    .updateTable("blocks")
    .set((set) => ({ state_ms: set.ref("state_ms") }))
    .where("id", "=", block.id)
    .execute();
  const [now] = await readBlockBooks(db, [block.id]);
  if (now === undefined || nextStep(now, rules) !== step || !isSame(now, books)) return undefined;
  const { state } = now.block;
  if (step === "reverse" || step === "correct") await reverse(db, books, atMs);
  if (entries !== undefined) await distribute(db, books, entries, atMs);
  if (step === "reverse" || state !== "mature") return { isDone: false };
  const note = blockKey("distribution", block.id, entries === undefined ? last : last + 1);
  return { isDone: await changeState(db, { blockId: block.id, from: state, to: "distributed", atMs, note }) };
}

function isSame(now: BlockBooks, then: BlockBooks): boolean {
  return (
    now.last === then.last &&
    now.standing === then.standing &&
    now.block.actual === then.block.actual &&
    now.block.finderPaid === then.block.finderPaid
  );
}

async function distribute(db: LedgerDb, { block, last }: BlockBooks, entries: Entries, atMs: number): Promise<void> {
  const distribution = headOf(block, "distribution", last + 1, atMs);
  const coinbase = headOf(block, "coinbase", last + 1, atMs);
  if ("again" in entries) {
    await copy(db, distribution, blockKey("distribution", block.id, last), false);
    await copy(db, coinbase, blockKey("coinbase", block.id, last), false);
    return;
  }
  written(distribution, await post(db, { ...distribution, postings: entries.distribution }));
  if (entries.coinbase.length > 0) written(coinbase, await post(db, { ...coinbase, postings: entries.coinbase }));
}

async function reverse(db: LedgerDb, { block, last }: BlockBooks, atMs: number): Promise<void> {
  await copy(db, headOf(block, "reversal", last, atMs), blockKey("distribution", block.id, last), true);
  await copy(db, headOf(block, "coinbase_reversal", last, atMs), blockKey("coinbase", block.id, last), true);
}

/** Most blocks have no transaction of what their coinbase paid: nothing is copied of nothing. */
async function copy(db: LedgerDb, head: TransactionHead, of: string, negated: boolean): Promise<void> {
  if (await isPosted(db, of)) written(head, await postCopy(db, head, { of, negated }));
}

/** The row's lock lets nobody else write meanwhile; if somebody did, all that this transaction of the database wrote is undone. */
function written({ key }: TransactionHead, isWritten: boolean): void {
  if (!isWritten) throw new Error(`${key} is in the books already`);
}

const KINDS = {
  distribution: "distribution",
  coinbase: "payout",
  reversal: "reversal",
  coinbase_reversal: "payout_reversal",
} as const;

function headOf({ id, chain }: RewardedBlock, what: keyof typeof KINDS, n: number, atMs: number): TransactionHead {
  return { key: blockKey(what, id, n), chain, kind: KINDS[what], blockId: id, payoutId: undefined, atMs };
}
