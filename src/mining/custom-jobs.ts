/**
 * Custom jobs: a client of the mining protocol names a coinbase of its own (SetCustomMiningJob, spec 5.3.18) under a token that it was given by
 * the job declaration server. Tokens are kept elsewhere; what the mining core needs of them are these ports.
 */
import type { SetCustomMiningJobErrorCode } from "../sv2/codes.ts";
import type { CustomWork } from "./custom-work.ts";
import type { Job } from "./job.ts";

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
   * expired, `job-not-yet-validated` for one whose job has to be declared first (it stays valid then). Never throws.
   */
  redeem(token: Uint8Array): CustomWork | { readonly errorCode: SetCustomMiningJobErrorCode };
  /** The tip; `undefined` while there is no work of our own. */
  tip(): CustomTip | undefined;
  /** The job with the chains whose live commitment its coinbase holds (`Job.aux`); the same job for none. Never throws. */
  recognise(job: Job): Job;
  /** A custom job was taken. */
  taken?(job: Job, work: CustomWork): void;
}
