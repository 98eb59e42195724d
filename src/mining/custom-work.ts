/** What a token of job declaration stands for: the outputs that came with it, and the job that was declared under it. Plain data. */
import type { TxOutput } from "../bitcoin/transaction.ts";

/** A whole template that a client declared and that was found good (spec 6.4.4). Frozen. */
export interface DeclaredJob {
  /** `Uint8Array(32)`, internal byte order: the tip that it was validated on. */
  readonly prevHash: Uint8Array;
  /** Header version before rolling, u32. */
  readonly version: number;
  /** Coinbase up to the extranonce, BIP141's fields taken out. */
  readonly coinbasePrefix: Uint8Array;
  /** Coinbase behind the extranonce, BIP141's fields taken out. */
  readonly coinbaseSuffix: Uint8Array;
  /** Witness stack of the coinbase input; empty for a block without segwit. */
  readonly coinbaseWitness: readonly Uint8Array[];
  /** Siblings of the coinbase txid from leaf to root, each `Uint8Array(32)` in internal byte order. */
  readonly merklePath: readonly Uint8Array[];
  /** Raw transactions with witness, without the coinbase, in the order of the block. */
  readonly transactions: readonly Uint8Array[];
}

/** What a token stands for. */
export interface CustomWork {
  /** Whom it was given to: `user_identifier` of AllocateMiningJobToken. */
  readonly userIdentifier: string;
  /** The outputs that came with the token, in order: the payout first, whose value is the client's to fill, then outputs of 0 sat. */
  readonly outputs: readonly TxOutput[];
  /** The declared job; `undefined` in coinbase-only mode. */
  readonly declared: DeclaredJob | undefined;
}
