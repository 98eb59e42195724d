/** The wallet of a chain that has none: payouts of it can be looked at and marked, and not made. */
import { Fault } from "../../kernel/fault.ts";
import type { PayoutWallet } from "./wallet.ts";

/** A wallet whose every call rejects with `Fault("payout-no-wallet")`. */
export function noWallet(chain: string): PayoutWallet {
  const refuse = async (): Promise<never> => {
    throw new Fault("payout-no-wallet", { chain });
  };
  return {
    ready: refuse,
    validate: refuse,
    make: refuse,
    hold: refuse,
    release: refuse,
    broadcast: refuse,
    find: refuse,
    conflictOf: refuse,
  };
}
