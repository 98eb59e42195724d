/** Shares as the mining server hands them to merge mining, made from a job without a miner. */
import { headerHash, serializeHeader } from "../../src/bitcoin/header.ts";
import type { HashedShare } from "../../src/mining/downstream-deps.ts";
import { type Job, jobMerkleRoot } from "../../src/mining/job.ts";

/** A share of `job`; `nonce` tells two apart. Its buffers are its own, and `spoil` overwrites them as the next share does. */
export function hashedShare(
  job: Job,
  wish: { readonly nonce?: number; readonly version?: number; readonly userIdentity?: string } = {},
): HashedShare & { spoil(): void } {
  const { nonce = 0, version = job.version, userIdentity = "alice.rig1" } = wish;
  const extranonce = new Uint8Array(job.extranonceSize).fill(nonce);
  const header = serializeHeader({
    version,
    prevHash: job.prevHash,
    merkleRoot: jobMerkleRoot(job, extranonce),
    time: job.minTime,
    nBits: job.nBits,
    nonce,
  });
  const hash = headerHash(header);
  return {
    job,
    hash,
    header,
    extranonce: () => extranonce,
    userIdentity,
    accepted: false,
    spoil: () => {
      header.fill(0xee);
      hash.fill(0xee);
      extranonce.fill(0xee);
    },
  };
}
