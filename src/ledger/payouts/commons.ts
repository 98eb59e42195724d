/**
 * The account of the merge-mining fee in payouts. It alone has an address in the configuration, and the operator may keep it back: what goes to
 * the commons is a gift, and whoever gives it may want to give it with his own hands.
 */
import { COMMONS } from "../books/reward-rules.ts";
import type { Payee } from "./addresses.ts";
import { accountOf } from "./identity-address.ts";

/** What the operator decided about it. */
export interface CommonsTerms {
  /** Left out of plans that do not name it. */
  readonly isKept: boolean;
  /** Where it is paid on chains on which this is an address, when none is registered. */
  readonly address: string | undefined;
  /** Named beside its payment, so that the commons can tell who it came from. */
  readonly contributor: string | undefined;
}

/** Whether an account is that one. */
export function isCommons({ kind, name }: Payee): boolean {
  return kind === "beneficiary" && name === COMMONS;
}

/**
 * Whether `payee` names an account, as payees are written when their addresses are registered: `operator`, `beneficiary:<name>`, a whole identity, or
 * the account of identities. No worker is called by the first two, whatever its identity is.
 */
export function isNamed({ kind, name }: Payee, payee: string): boolean {
  if (payee === "operator") return kind === "operator";
  if (payee.startsWith("beneficiary:")) return kind === "beneficiary" && payee === `beneficiary:${name}`;
  return kind === "worker" && (name === payee || accountOf(name) === payee);
}
