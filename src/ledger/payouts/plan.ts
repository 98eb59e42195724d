/**
 * Who is paid what: a pure function of balances and addresses, so that the same books give the same plan. Whoever is left out is in the plan
 * too, with the reason.
 */
import type { Destination } from "./addresses.ts";
import type { Balance } from "./balances.ts";
import type { Coin } from "./coins.ts";
import { type CommonsTerms, isCommons, isNamed } from "./commons.ts";

/** One output: all accounts that are paid at the same address. */
export interface Payment {
  readonly address: string;
  /** Base units. */
  readonly amount: bigint;
  /** Its accounts; each is paid all that it is owed. */
  readonly accounts: readonly Balance[];
}

/** Why an account is not paid now. */
export type LeftOutReason =
  | "no address"
  | "below the minimum"
  | "negative balance"
  | "address refused"
  | "next payout"
  | "kept";

/** An account that is not paid now. */
export interface LeftOut {
  readonly account: Balance;
  /** Where it would be paid; empty for nowhere. */
  readonly address: string;
  readonly reason: LeftOutReason;
  /** More about it; empty for nothing. */
  readonly detail: string;
}

/** What is to be paid on a chain. */
export interface PayoutPlan {
  readonly chain: string;
  readonly coin: Coin;
  /** When it was made, ms since the Unix epoch. */
  readonly createdMs: number;
  /** Largest first, equal ones by address. */
  readonly payments: readonly Payment[];
  /** In the order of accounts. */
  readonly leftOut: readonly LeftOut[];
  /** Sum of the payments. */
  readonly total: bigint;
  /** Who the commons' payment comes from, when the operator said so. */
  readonly contributor: string | undefined;
}

/** What a plan is made of. */
export interface PlanParts {
  readonly balances: readonly Balance[];
  readonly destinationOf: (account: Balance) => Destination | undefined;
  /** What the wallet said of an address; `undefined` when it was not asked. */
  readonly verdictOf: (address: string) => AddressVerdict | undefined;
}

/** What a wallet says of an address: the one way in which it writes it, or why it does not pay to it. */
export type AddressVerdict = { readonly address: string } | { readonly refused: string };

/** Options of `makePlan`. */
export interface PlanOptions {
  readonly chain: string;
  readonly coin: Coin;
  readonly createdMs: number;
  /** Least payment, base units; a payee may have another one. */
  readonly least: bigint;
  /** No payment is smaller than this, whatever a payee says: the network would not carry it. */
  readonly dust: bigint;
  /** Outputs of one transaction. */
  readonly maxPayments: number;
  readonly commons: CommonsTerms;
  /** Nobody else is in the plan, and what is kept for this payee is paid; left out, it is for everybody. */
  readonly only?: string;
}

interface Group {
  readonly address: string;
  least: bigint;
  amount: bigint;
  readonly accounts: Balance[];
}

/** Plans the payment of all balances. What an account owes is not taken from what another is owed. */
export function makePlan(parts: PlanParts, options: PlanOptions): PayoutPlan {
  const { chain, coin, createdMs, least, dust, maxPayments, commons, only } = options;
  const leftOut: LeftOut[] = [];
  const groups = new Map<string, Group>();
  for (const account of parts.balances) {
    if (only !== undefined && !isNamed(account, only)) continue;
    const destination = parts.destinationOf(account);
    const leave = (reason: LeftOutReason, detail = ""): void => {
      leftOut.push({ account, address: destination?.address ?? "", reason, detail });
    };
    if (account.amount <= 0n) {
      if (account.amount < 0n) leave("negative balance");
      continue;
    }
    if (commons.isKept && only === undefined && isCommons(account)) {
      leave("kept", "until the operator pays it himself");
      continue;
    }
    if (destination === undefined) {
      leave("no address");
      continue;
    }
    const verdict = parts.verdictOf(destination.address) ?? { address: destination.address };
    if ("refused" in verdict) {
      leave("address refused", verdict.refused);
      continue;
    }
    const group = groups.get(verdict.address) ?? { address: verdict.address, least: dust, amount: 0n, accounts: [] };
    const own = destination.least ?? least;
    if (own > group.least) group.least = own;
    group.amount += account.amount;
    group.accounts.push(account);
    groups.set(group.address, group);
  }
  const large = [...groups.values()].filter((group) => group.amount >= group.least).sort(byAmount);
  const payments = large.slice(0, maxPayments);
  const tell = (group: Group, reason: LeftOutReason, detail: string): void => {
    for (const account of group.accounts) leftOut.push({ account, address: group.address, reason, detail });
  };
  for (const group of large.slice(maxPayments)) tell(group, "next payout", `${maxPayments} payments go out at a time`);
  for (const group of groups.values()) {
    if (group.amount < group.least) tell(group, "below the minimum", `${group.amount} of ${group.least} base units`);
  }
  return {
    chain,
    coin,
    createdMs,
    payments: payments.map(({ address, amount, accounts }) => ({ address, amount, accounts })),
    leftOut: leftOut.sort((a, b) => a.account.accountId - b.account.accountId),
    total: payments.reduce((sum, { amount }) => sum + amount, 0n),
    contributor: commons.contributor,
  };
}

/** By code units: the same everywhere, whatever the machine's language. */
function byAmount(a: Group, b: Group): number {
  if (a.amount !== b.amount) return a.amount > b.amount ? -1 : 1;
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
