/**
 * The chain's own wallet as payouts need it. A transaction is made and signed in one call and sent in another, so that what was signed can be
 * written down in between: it is sent again after a crash, and never made anew.
 */
import type { AddressVerdict } from "./plan.ts";

/** One payment of a transaction. */
export interface WalletOutput {
  readonly address: string;
  /** Base units. */
  readonly amount: bigint;
}

/** Who bears what the network takes. */
export type FeeFrom = "operator" | "workers";

/** A transaction that was signed and not sent. */
export interface SignedTransaction {
  /** Display hex. */
  readonly txid: string;
  /** The whole transaction, hex. */
  readonly rawTransaction: string;
  /** Base units. */
  readonly fee: bigint;
  /** The part of the fee that its payees bear: how much less than owed they get together. */
  readonly withheld: bigint;
}

/** What a wallet knows of one of its transactions. `conflicted`: a block holds another one that spent its coins. */
export type Found =
  | { readonly kind: "confirmed"; readonly confirmations: number }
  | { readonly kind: "mempool" }
  | { readonly kind: "conflicted" }
  | { readonly kind: "unknown" };

/** What came of sending; being there already is being sent. `spent`: other transactions spent its coins. */
export type BroadcastAnswer =
  | { readonly kind: "sent" }
  | { readonly kind: "spent"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

/** A confirmed transaction that spent coins of a payout. */
export interface Conflict {
  readonly txid: string;
  readonly rawTransaction: string;
  /** Base units. */
  readonly fee: bigint;
  readonly confirmations: number;
  /** `all`: every payee of the payout as much, so it is the payout itself with another fee. `none`: nothing to any of them. */
  readonly pays: "all" | "some" | "none";
}

/** A wallet. Every call rejects with a `Fault` `payout-*` that says what to do, or one of the node's when it did not answer. */
export interface PayoutWallet {
  /** Rejects when it could not sign now (locked, no keys, not open). */
  ready(): Promise<void>;
  /** What it says of each address. */
  validate(addresses: readonly string[]): Promise<ReadonlyMap<string, AddressVerdict>>;
  /** Makes and signs; nothing leaves. With `workers` the fee is taken from the outputs in equal parts. */
  make(outputs: readonly WalletOutput[], feeFrom: FeeFrom): Promise<SignedTransaction>;
  /** Keeps the wallet from spending a transaction's coins otherwise, as well as it can: until it restarts, mostly. */
  hold(rawTransaction: string): Promise<void>;
  /** The counterpart of `hold`. */
  release(rawTransaction: string): Promise<void>;
  /** Sends these very bytes. */
  broadcast(rawTransaction: string): Promise<BroadcastAnswer>;
  find(txid: string): Promise<Found>;
  /** What spent coins of a payout and is in the chain; `undefined` when the wallet knows of none. */
  conflictOf(payout: {
    readonly txid: string;
    readonly rawTransaction: string;
    readonly outputs: number;
  }): Promise<Conflict | undefined>;
}
