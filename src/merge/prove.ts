/**
 * Proofs from a share and its own job, and their check by code that did not build them: a wrong proof is our bug, found here
 * and not by a daemon that only says `false`.
 */
import { sha256d } from "../bitcoin/hash.ts";
import { headerHash } from "../bitcoin/header.ts";
import { foldMerklePath } from "../bitcoin/merkle.ts";
import { meetsTarget } from "../bitcoin/target.ts";
import { equal } from "../kernel/bytes.ts";
import type { AuxEntry } from "../mining/aux.ts";
import { type Job, jobCoinbase } from "../mining/job.ts";
import type { Proof } from "./plugin.ts";

/** What of a share goes into a proof. */
export interface ProvingShare {
  /** The header as hashed, `Uint8Array(80)`; copied. */
  readonly header: Uint8Array;
  /** The whole extranonce; copied. */
  readonly extranonce: Uint8Array;
}

/** The proof that `share` of `job` solves the work of `entry`, one of `job.aux.entries`. */
export function buildProof(job: Job, entry: AuxEntry, share: ProvingShare): Proof {
  const header = Uint8Array.from(share.header);
  return {
    work: entry.work,
    header,
    headerHash: headerHash(header),
    coinbase: jobCoinbase(job, share.extranonce).stripped,
    merkleBranch: job.merklePath,
    transactionCount: job.template.transactionCount,
    auxpow: undefined,
  };
}

/** Why `proof` does not prove the work of `entry`, as a clause for the log; `undefined` when it does. Never throws. */
export function checkProof(proof: Proof, entry: AuxEntry): string | undefined {
  if (!meetsTarget(headerHash(proof.header), entry.work.target)) return "the header's hash does not meet the target";
  const root = foldMerklePath(sha256d(proof.coinbase), proof.merkleBranch);
  return equal(root, proof.header.subarray(36, 68)) ? undefined : "the merkle branch does not lead to the header";
}
