/** A CPU miner in one function: tests find real shares, a few dozen hashes each. */

import { sha256d } from "../../src/bitcoin/hash.ts";
import { headerHash, serializeHeader } from "../../src/bitcoin/header.ts";
import { foldMerklePath } from "../../src/bitcoin/merkle.ts";
import { hashToBigint, targetFromBytes } from "../../src/bitcoin/target.ts";
import { concat } from "../../src/kernel/bytes.ts";
import type { Fields } from "./messages.ts";

/** Everything that a header is made of but its nonce. */
export interface Work {
  readonly version: number;
  readonly prevHash: Uint8Array;
  readonly merkleRoot: Uint8Array;
  readonly time: number;
  readonly nBits: number;
}

/** A nonce whose hash is at most `atMost` and above `above`, tried from `from` on. */
export function grind(work: Work, atMost: bigint, above = 0n, from = 0): { nonce: number; hash: Uint8Array } {
  const header = serializeHeader({ ...work, nonce: 0 });
  const view = new DataView(header.buffer);
  for (let nonce = from; nonce < from + 10_000_000; nonce++) {
    view.setUint32(76, nonce, true);
    const hash = headerHash(header);
    const value = hashToBigint(hash);
    if (value <= atMost && (above === 0n || value > above)) return { nonce, hash };
  }
  throw new Error("ten million hashes and no share: the target is too hard for a test");
}

/** The merkle root of an extended job for a whole extranonce, prefix included (spec 5.3.16). */
export function extendedMerkleRoot(job: Fields<"NewExtendedMiningJob">, extranonce: Uint8Array): Uint8Array {
  return foldMerklePath(sha256d(concat(job.coinbaseTxPrefix, extranonce, job.coinbaseTxSuffix)), job.merklePath);
}

/** `target` of a channel as a number. */
export function targetOf(u256: Uint8Array): bigint {
  return targetFromBytes(u256);
}
