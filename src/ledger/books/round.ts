/** Works out what everybody gets of a block: the round that its chain's scheme looks at, the work in it, the parts. Reads only. */
import type { LedgerAccess } from "../store/access.ts";
import { fromColumns } from "../store/amount.ts";
import type { BlockState, LedgerDb } from "../store/schema.ts";
import { type BlockBooks, blockKey, type RewardedBlock } from "./block-books.ts";
import type { Weight } from "./largest-remainder.ts";
import { turn } from "./pieces.ts";
import { feeParts, type RewardPart, rewardParts } from "./reward-parts.ts";
import type { RewardRules } from "./reward-rules.ts";
import { type Round, SCHEMES } from "./reward-scheme.ts";
import { readWindow, type WindowOptions } from "./window.ts";

/** Blocks that never were in the chain end no round. */
const NO_BLOCK: readonly BlockState[] = ["rejected", "stale", "failed", "orphaned"];

type Run = LedgerAccess["run"];

/**
 * The parts of what the block pays beside its coinbase's payment to the finder; none while that is unknown.
 *
 * Where coinbases pay their finders, what a block leaves the pool is what its finder meant for the pool: that is the operator's, as in SRI's pool, and no
 * other worker has a part in it. What held when the block was found counts: it may mature after the operator changed `coinbase_pays`. When the
 * work of a block that was divided before is not in the ledger any more, its last distribution says in which proportions the workers share.
 * Rejects with what `run` rejects with.
 */
export async function partsOf(
  run: Run,
  { block, last }: BlockBooks,
  rules: RewardRules,
  options: WindowOptions,
): Promise<RewardPart[]> {
  const { actual, finder, chain, foundMs } = block;
  if (actual === undefined) return [];
  if (block.finderPaid > 0n || block.isGift) return feeParts(actual, rules);
  const scheme = SCHEMES[rules.scheme];
  const reach = scheme.reach(await run((db) => roundOf(db, block)), rules);
  if (reach === undefined) {
    return rewardParts(actual, rules, scheme.weights({ finder, full: new Map(), oldest: undefined }));
  }
  const work = await readWindow(run, { chain, finder, toMs: foundMs, ...reach }, options);
  const isGone = last > 0 && work.full.size === 0 && work.oldest === undefined;
  const before = isGone ? await run((db) => lastWeights(db, block, last)) : [];
  // With ten thousand workers each of the three takes some ten ms, which is as long as shares should wait.
  await turn();
  const weights = before.length > 0 ? before : scheme.weights(work);
  await turn();
  const parts = rewardParts(actual, rules, weights);
  await turn();
  return parts;
}

async function roundOf(db: LedgerDb, { id, chain, foundMs, difficulty }: RewardedBlock): Promise<Round> {
  const previous = await db
    .selectFrom("blocks")
    .select("found_ms")
    .where("chain", "=", chain)
    .where("found_ms", "<=", foundMs)
    .where((where) => where.or([where("found_ms", "<", foundMs), where("id", "<", id)]))
    .where("state", "not in", NO_BLOCK)
    .orderBy("found_ms", "desc")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return { foundMs, difficulty, previousFoundMs: previous?.found_ms };
}

async function lastWeights(db: LedgerDb, { id }: RewardedBlock, last: number): Promise<Weight[]> {
  const rows = await db
    .selectFrom("postings")
    .innerJoin("transactions", "transactions.id", "postings.transaction_id")
    .innerJoin("accounts", "accounts.id", "postings.account_id")
    .select(["accounts.name", "postings.amount_hi", "postings.amount_lo"])
    .where("transactions.key", "=", blockKey("distribution", id, last))
    .where("accounts.kind", "=", "worker")
    .execute();
  return rows.map(({ name, amount_hi, amount_lo }) => ({ name, weight: fromColumns(amount_hi, amount_lo) }));
}
