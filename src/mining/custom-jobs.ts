/**
 * Custom jobs: a client of the mining protocol names a coinbase of its own (SetCustomMiningJob, spec 5.3.18) under a token that it was given by
 * the job declaration server. Tokens are kept elsewhere; what the mining core needs of them are these ports.
 */
import type { TxOutput } from "../bitcoin/transaction.ts";
import type { SetCustomMiningJobErrorCode } from "../sv2/codes.ts";
import type { Job } from "./job.ts";

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

/** The tip as custom jobs are judged by it. */
export interface CustomTip {
  /** `Uint8Array(32)`, internal byte order. */
  readonly prevHash: Uint8Array;
  /** Of the block that is mined. */
  readonly height: number;
  /** Compact target, u32. */
  readonly nBits: number;
  /** The target that `nBits` stands for. */
  readonly target: bigint;
  /** Least header time that the block may carry, Unix seconds. */
  readonly minTime: number;
  /** What our own coinbase pays, in sat. */
  readonly coinbaseValue: bigint;
  /** Subsidy of the block, in sat. */
  readonly subsidy: bigint;
}

/** Who keeps tokens, and judges what only the surroundings of the core know. */
export interface CustomJobs {
  /**
   * Takes a token out of circulation and gives what it stands for, or says why not: `invalid-mining-job-token` for one that was never given, was used or
   * expired, `job-not-yet-validated` for one whose declared job is still looked at (it stays valid then). Never throws.
   */
  redeem(token: Uint8Array): CustomWork | { readonly errorCode: SetCustomMiningJobErrorCode };
  /** The tip; `undefined` while there is no work of our own. */
  tip(): CustomTip | undefined;
  /** The job with the chains whose live commitment its coinbase holds (`Job.aux`); the same job for none. Never throws. */
  recognise(job: Job): Job;
  /** A custom job was taken. */
  taken?(job: Job, work: CustomWork): void;
}
