/** Transactions (BIP144 serialisation). */

/** An output of a transaction. */
export interface TxOutput {
  /** Amount in sat. */
  readonly value: bigint;
  /** scriptPubKey. */
  readonly script: Uint8Array;
}
