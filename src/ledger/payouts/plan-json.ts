/** A plan as JSON for programs: amounts exact, in coins and in base units. */
import type { Payee } from "./addresses.ts";
import { coinsText } from "./coins.ts";
import { isCommons } from "./commons.ts";
import type { PayoutPlan } from "./plan.ts";

/** Written into JSON plans; a later form has another number. */
export const PLAN_FORMAT = 1;

/** `1 payment`, `2 payments`. */
export function countText(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** `plan` as plain JSON values, big integers as decimal text. */
export function planJson(plan: PayoutPlan) {
  const amounts = (units: bigint) => ({ coins: coinsText(units, plan.coin), units: String(units) });
  return {
    format: PLAN_FORMAT,
    chain: plan.chain,
    coin: plan.coin,
    created: new Date(plan.createdMs).toISOString(),
    total: amounts(plan.total),
    payments: plan.payments.map(({ address, amount, accounts }) => ({
      address,
      ...amounts(amount),
      accounts: accounts.map((account) => ({
        account: account.accountId,
        kind: account.kind,
        name: account.name,
        ...amounts(account.amount),
        ...contributorOf(plan, account),
      })),
    })),
    leftOut: plan.leftOut.map(({ account, address, reason, detail }) => ({
      account: account.accountId,
      kind: account.kind,
      name: account.name,
      ...amounts(account.amount),
      address,
      reason,
      detail,
      ...contributorOf(plan, account),
    })),
  };
}

/** Who a payment to the commons comes from; nobody in particular for any other payee. */
export function contributorOf({ contributor }: PayoutPlan, payee: Payee): { readonly contributor?: string } {
  return contributor !== undefined && isCommons(payee) ? { contributor } : {};
}
