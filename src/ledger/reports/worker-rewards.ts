/** `rewards` by worker: what each earned, lost again to reversals, was paid and is owed, chain by chain. */
import { sql } from "kysely";
import { Fault } from "../../kernel/fault.ts";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { LedgerDb, TransactionKind } from "../store/schema.ts";
import type { RewardsQuery } from "./chain-rewards.ts";
import { pageLimit } from "./page.ts";

/** What is asked for. */
export interface WorkerRewardsQuery extends RewardsQuery {
  /** One worker's whole identity; all, page by page, when left out. */
  readonly worker?: string | undefined;
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: number | undefined;
}

/** One worker on one chain; amounts in the chain's base unit. `earned - reversed + carried - paid - paidByCoinbase` is `owed` when all time was asked for. */
export interface WorkerRewards {
  readonly chain: string;
  readonly worker: string;
  readonly earned: bigint;
  /** Taken back, since the block was orphaned. */
  readonly reversed: bigint;
  /** What old transactions came to that were put together to one; 0 mostly. */
  readonly carried: bigint;
  /** Paid through the chain's wallet. */
  readonly paid: bigint;
  /** Paid by coinbases, straight to the finder. */
  readonly paidByCoinbase: bigint;
  /** As it is now. */
  readonly owed: bigint;
}

/** A page of workers. */
export interface WorkerRewardsPage {
  readonly workers: readonly WorkerRewards[];
  /** `after` for the next page; `undefined` on the last. */
  readonly next: number | undefined;
}

/** Workers that have an account, in the order in which their accounts were opened. Throws `Fault("report-query")` for a limit out of bounds. */
export async function workerRewards(db: LedgerDb, query: WorkerRewardsQuery): Promise<WorkerRewardsPage> {
  const { chain, worker, after, sinceMs } = query;
  const limit = pageLimit(query.limit);
  if (after !== undefined && !Number.isSafeInteger(after)) throw new Fault("report-query", { after });
  let wanted = db
    .selectFrom("accounts")
    .select(["id", "chain", "name"])
    .where("kind", "=", "worker")
    .orderBy("id")
    .limit(limit + 1);
  if (chain !== undefined) wanted = wanted.where("chain", "=", chain);
  if (worker !== undefined) wanted = wanted.where("name", "=", worker);
  if (after !== undefined) wanted = wanted.where("id", ">", after);
  const accounts = await wanted.execute();
  const page = accounts.slice(0, limit);
  const flows = await accountFlows(
    db,
    page.map(({ id }) => id),
    sinceMs,
  );
  return {
    workers: page.map(({ id, chain: on, name }) => {
      const flow = flows.get(id) ?? [];
      const since = (...kinds: TransactionKind[]): bigint =>
        flow.reduce((sum, each) => (kinds.includes(each.kind) ? sum + each.since : sum), 0n);
      const left = since("payout", "payout_reversal");
      const byCoinbase = flow.reduce((sum, { coinbase }) => sum + coinbase, 0n);
      return {
        chain: on,
        worker: name,
        earned: since("distribution"),
        reversed: 0n - since("reversal"),
        carried: since("summary"),
        paid: byCoinbase - left,
        paidByCoinbase: 0n - byCoinbase,
        owed: flow.reduce((sum, { ever }) => sum + ever, 0n),
      };
    }),
    next: accounts.length > limit ? page.at(-1)?.id : undefined,
  };
}

interface Flow {
  readonly kind: TransactionKind;
  readonly since: bigint;
  /** Of `since`, payments that belong to a block and to no payout. */
  readonly coinbase: bigint;
  readonly ever: bigint;
}

/** What happened to accounts, by their IDs. */
async function accountFlows(
  db: LedgerDb,
  accounts: readonly number[],
  sinceMs: number | undefined,
): Promise<Map<number, Flow[]>> {
  const flows = new Map<number, Flow[]>();
  if (accounts.length === 0) return flows;
  const since = sql`transactions.at_ms >= ${sinceMs ?? 0}`;
  const pays = sql`transactions.kind in ('payout', 'payout_reversal') and transactions.block_id is not null`;
  const rows = await db
    .selectFrom("postings")
    .innerJoin("transactions", "transactions.id", "postings.transaction_id")
    .select(["postings.account_id", "transactions.kind"])
    .select(exactSum("since", "postings.amount", since))
    .select(exactSum("coinbase", "postings.amount", sql`${since} and ${pays}`))
    .select(exactSum("ever", "postings.amount"))
    .where("postings.account_id", "in", [...accounts])
    .groupBy(["postings.account_id", "transactions.kind"])
    .execute();
  for (const row of rows) {
    const flow = {
      kind: row.kind,
      since: sumIn(row, "since"),
      coinbase: sumIn(row, "coinbase"),
      ever: sumIn(row, "ever"),
    };
    flows.set(row.account_id, [...(flows.get(row.account_id) ?? []), flow]);
  }
  return flows;
}
