/**
 * Plans that were paid by hand, on chains whose wallets this program does not speak to: the operator exports a plan, pays it, and hands it back
 * with the transactions' ids. The books take each file once.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { Fault } from "../../kernel/fault.ts";
import { accountIds } from "../books/accounts.ts";
import { isPosted, post } from "../books/transactions.ts";
import type { LedgerAccess } from "../store/access.ts";
import { payableBalances } from "./balances.ts";
import { PLAN_FORMAT } from "./plan-json.ts";
import { insertItems, insertPayout, movePayout, type PayoutItem } from "./records.ts";

/** A plan of a file. */
export interface PlanFile {
  readonly chain: string;
  readonly items: readonly (PayoutItem & {
    readonly kind: "worker" | "operator" | "beneficiary";
    readonly name: string;
  })[];
  readonly total: bigint;
  /** SHA-256 of what it says, hex: names the plan. Two plans of the same payments at other times differ. */
  readonly digest: string;
}

const units = z.string().regex(/^[1-9]\d{0,36}$/);
const schema = z.looseObject({
  format: z.literal(PLAN_FORMAT),
  chain: z.string(),
  created: z.string(),
  total: z.looseObject({ units }),
  payments: z
    .array(
      z.looseObject({
        address: z.string().min(1),
        units,
        accounts: z.array(
          z.looseObject({
            account: z.int().positive(),
            kind: z.enum(["worker", "operator", "beneficiary"]),
            name: z.string(),
            units,
          }),
        ),
      }),
    )
    .min(1),
});

/** Reads a JSON plan of `chain`. Throws `Fault("payout-plan-file")`, also when its sums do not fit. */
export function readPlanFile(text: string, chain: string): PlanFile {
  const wrong = (why: string, cause?: unknown): Fault => new Fault("payout-plan-file", { chain, why }, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong("it is no JSON", cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw wrong(`it has no plan's form, or pays nobody: ${parsed.error.issues[0]?.path.join(".")}`);
  const { payments, created } = parsed.data;
  if (parsed.data.chain !== chain) throw wrong(`it is a plan of ${parsed.data.chain}`);
  const items = payments.flatMap(({ address, accounts }) =>
    accounts.map((each) => ({
      accountId: each.account,
      kind: each.kind,
      name: each.name,
      address,
      amount: BigInt(each.units),
    })),
  );
  const sum = (all: readonly { readonly amount: bigint }[]): bigint =>
    all.reduce((whole, { amount }) => whole + amount, 0n);
  const fits = payments.every(
    (payment) => sum(payment.accounts.map((each) => ({ amount: BigInt(each.units) }))) === BigInt(payment.units),
  );
  const total = sum(items);
  if (!fits || total !== BigInt(parsed.data.total.units)) throw wrong("its amounts do not add up");
  if (new Set(items.map(({ accountId }) => accountId)).size !== items.length) throw wrong("it pays an account twice");
  const said = [chain, created, ...items.map(({ accountId, address, amount }) => `${accountId} ${address} ${amount}`)];
  return { chain, items, total, digest: createHash("sha256").update(said.join("\n")).digest("hex") };
}

/**
 * Posts a plan that was paid by hand; returns the number of the payout. Throws `Fault("payout-plan-paid")` when it was posted before,
 * `Fault("payout-plan-stale")` when the books owe less and `force` is not given, `Fault("payout-plan-file")` when its accounts are others,
 * `Fault("payout-under-way")`; and then nothing was posted.
 */
export async function markPaid(
  ledger: LedgerAccess,
  plan: PlanFile,
  { txid, atMs, force }: { readonly txid: string; readonly atMs: number; readonly force: boolean },
): Promise<number> {
  const { chain, items, total, digest } = plan;
  return await ledger.transaction(async (db) => {
    // It takes the place of a payout under way for a moment, so that no other one reads the same balances.
    const id = await insertPayout(db, chain, total, atMs);
    const idOf = await accountIds(db, chain, [{ kind: "payout", name: "" }]);
    const postings = [
      ...items.map(({ accountId, amount }) => ({ accountId, amount: -amount })),
      { accountId: idOf({ kind: "payout", name: "" }), amount: total },
    ];
    const key = `payout:plan:${digest}`;
    const balances = await payableBalances(db, chain);
    if (await isPosted(db, key)) throw new Fault("payout-plan-paid", { chain, plan: digest.slice(0, 16) });
    const owed = new Map(balances.map(({ accountId, amount }) => [accountId, amount]));
    const names = await db.selectFrom("accounts").select(["id", "kind", "name"]).where("chain", "=", chain).execute();
    const accounts = new Map(names.map((account) => [account.id, account]));
    for (const { accountId, kind, name, amount } of items) {
      const account = accounts.get(accountId);
      if (account?.kind !== kind || account.name !== name) {
        throw new Fault("payout-plan-file", { chain, why: `account ${accountId} of the books is not ${kind} ${name}` });
      }
      const owes = owed.get(accountId) ?? 0n;
      if (!force && owes < amount)
        throw new Fault("payout-plan-stale", { chain, payee: name, plan: amount, owed: owes });
    }
    await post(db, { key, chain, kind: "payout", blockId: undefined, payoutId: id, atMs, postings });
    await insertItems(db, id, items);
    await movePayout(db, id, ["prepared"], "confirmed", atMs, { txid, note: `paid by hand, plan ${digest}` });
    return id;
  });
}
