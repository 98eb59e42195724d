/** The steps of a payout that change the database, each one transaction: prepared, signed with the books posted, adopted, cancelled. */
import { Fault } from "../../kernel/fault.ts";
import { type Account, accountIds } from "../books/accounts.ts";
import { type NewTransaction, type Posting, post } from "../books/transactions.ts";
import type { LedgerAccess } from "../store/access.ts";
import type { PayoutPlan } from "./plan.ts";
import type { PayoutPlanner } from "./planner.ts";
import { postingsOf } from "./posting.ts";
import { insertItems, insertPayout, isAloneUnderWay, itemsOf, movePayout, type PayoutRecord } from "./records.ts";
import type { Conflict, SignedTransaction } from "./wallet.ts";

const PAYOUT: Account = { kind: "payout", name: "" };
const NETWORK_FEE: Account = { kind: "network_fee", name: "" };
const OPERATOR: Account = { kind: "operator", name: "" };
const OURS = [PAYOUT, NETWORK_FEE, OPERATOR];

/**
 * Writes a plan down as the chain's payout under way; returns its number. Throws `Fault("payout-under-way")`, or `Fault("payout-plan-changed")`
 * when the books owe less than the plan says or somebody's address is another one by now.
 */
export async function preparePayout(
  ledger: LedgerAccess,
  planner: Pick<PayoutPlanner, "owed">,
  plan: PayoutPlan,
  atMs: number,
): Promise<number> {
  return await ledger.transaction(async (db) => {
    const id = await insertPayout(db, plan.chain, plan.total, atMs);
    const { balances, destinationOf } = await planner.owed(db);
    const now = new Map(balances.map((account) => [account.accountId, account]));
    const items = plan.payments.flatMap(({ address, accounts }) =>
      accounts.map(({ accountId, amount }) => ({ accountId, address, amount })),
    );
    for (const { accountId, address, amount } of items) {
      const account = now.get(accountId);
      const holds = account !== undefined && account.amount >= amount && destinationOf(account)?.address === address;
      if (!holds) throw new Fault("payout-plan-changed", { chain: plan.chain, payee: account?.name });
    }
    await insertItems(db, id, items);
    return id;
  });
}

/**
 * Writes down what the wallet signed and posts the books: from here on this transaction is the payout. Throws `Fault("payout-state")` when the
 * payout is not `prepared` any more; then the transaction must be thrown away.
 */
export async function recordSigned(
  ledger: LedgerAccess,
  payout: Pick<PayoutRecord, "id" | "chain" | "total">,
  signed: SignedTransaction,
  atMs: number,
): Promise<void> {
  const { id, chain, total } = payout;
  const { fee, withheld } = signed;
  await ledger.transaction(async (db) => {
    const moved = await movePayout(db, id, ["prepared"], "signed", atMs, signed);
    if (!moved || !(await isAloneUnderWay(db, chain, id))) throw new Fault("payout-state", { payout: id });
    const items = await itemsOf(db, id);
    const idOf = await accountIds(db, chain, OURS);
    const postings: Posting[] = [
      ...items.map(({ accountId, amount }) => ({ accountId, amount: -amount })),
      { accountId: idOf(PAYOUT), amount: total - withheld },
      { accountId: idOf(NETWORK_FEE), amount: fee },
      { accountId: idOf(OPERATOR), amount: withheld - fee },
    ];
    await post(db, { ...headOf(payout, `payout:${id}`, "payout", atMs), postings });
  });
}

/** The wallet paid the same payees in a transaction with another fee (bumpfee): that one is the payout now, and the operator bears the difference. */
export async function adoptReplacement(
  ledger: LedgerAccess,
  payout: PayoutRecord,
  replacement: Conflict,
  atMs: number,
): Promise<void> {
  const { id, chain } = payout;
  const { txid, rawTransaction, fee } = replacement;
  const difference = fee - (payout.fee ?? 0n);
  await ledger.transaction(async (db) => {
    const note = `the wallet replaced ${payout.txid ?? ""}`;
    const moved = await movePayout(db, id, ["signed", "sent"], "sent", atMs, { txid, rawTransaction, fee, note });
    if (!moved) throw new Fault("payout-state", { payout: id });
    const idOf = await accountIds(db, chain, OURS);
    const postings = [
      { accountId: idOf(NETWORK_FEE), amount: difference },
      { accountId: idOf(OPERATOR), amount: -difference },
    ];
    await post(db, { ...headOf(payout, `payout_fee:${id}:${txid}`, "payout", atMs), postings });
  });
}

/** Gives the payees their balance back. Throws `Fault("payout-state")` when the payout is in none of the states `signed` and `sent`. */
export async function reversePayout(
  ledger: LedgerAccess,
  payout: PayoutRecord,
  note: string,
  atMs: number,
): Promise<void> {
  const { id } = payout;
  await ledger.transaction(async (db) => {
    if (!(await movePayout(db, id, ["signed", "sent"], "cancelled", atMs, { note }))) {
      throw new Fault("payout-state", { payout: id });
    }
    const postings = (await postingsOf(db, id)).map(({ accountId, amount }) => ({ accountId, amount: -amount }));
    await post(db, { ...headOf(payout, `payout_reversal:${id}`, "payout_reversal", atMs), postings });
  });
}

function headOf(
  { id, chain }: Pick<PayoutRecord, "id" | "chain">,
  key: string,
  kind: "payout" | "payout_reversal",
  atMs: number,
): Omit<NewTransaction, "postings"> {
  return { key, chain, kind, blockId: undefined, payoutId: id, atMs };
}
