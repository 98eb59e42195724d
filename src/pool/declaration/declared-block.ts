/**
 * A declared job as the block that it would become: what our own check of its structure says, and the bytes that a node is asked about. Work on thousands of
 * transactions is done in slices, so that shares and jobs have their turn between them.
 */
import { assembleBlock, MAX_BLOCK_WEIGHT } from "../../bitcoin/block.ts";
import { findWitnessCommitment, withWitness, witnessCommitmentScript, witnessRoot } from "../../bitcoin/coinbase.ts";
import { compactSizeLength } from "../../bitcoin/compact-size.ts";
import { sha256d } from "../../bitcoin/hash.ts";
import { serializeHeader } from "../../bitcoin/header.ts";
import { foldMerklePath, merklePathOfFirst } from "../../bitcoin/merkle.ts";
import { concat, equal, toHex } from "../../kernel/bytes.ts";
import type { DeclaredJob } from "../../mining/custom-work.ts";
import type { DeclaredCoinbase } from "./declared-coinbase.ts";
import type { KnownTransaction } from "./transaction-store.ts";

/** What a block is made of beside its coinbase. */
export interface DeclaredBody {
  /** `Uint8Array(32)`, internal byte order. */
  readonly prevHash: Uint8Array;
  readonly version: number;
  /** In the order of the block. */
  readonly transactions: readonly KnownTransaction[];
  /** Their wtxids, each `Uint8Array(32)`, internal byte order. */
  readonly wtxids: readonly Uint8Array[];
}

/** The job. */
export function declaredJob(coinbase: DeclaredCoinbase, body: DeclaredBody): DeclaredJob {
  return Object.freeze({
    prevHash: body.prevHash,
    version: body.version,
    coinbasePrefix: coinbase.prefix,
    coinbaseSuffix: coinbase.suffix,
    coinbaseWitness: coinbase.witness,
    merklePath: Object.freeze(merklePathOfFirst(body.transactions.map(({ txid }) => txid))),
    transactions: Object.freeze(body.transactions.map(({ raw }) => raw)),
  });
}

/** What is wrong with its structure, in words; `undefined` for nothing. No input is looked up and no script run. */
export function structureFlaw(coinbase: DeclaredCoinbase, body: DeclaredBody): string | undefined {
  const { transactions, wtxids } = body;
  const txids = new Set(transactions.map(({ txid }) => toHex(txid)));
  if (txids.size < transactions.length) return "a transaction stands in it twice";
  const stripped = concat(coinbase.prefix, new Uint8Array(coinbase.extranonceSize), coinbase.suffix);
  const coinbaseWeight = 3 * stripped.length + withWitness(stripped, coinbase.witness).length;
  const frame = 4 * (80 + compactSizeLength(transactions.length + 1));
  const weight = transactions.reduce((sum, tx) => sum + tx.weight, frame + coinbaseWeight);
  if (weight > MAX_BLOCK_WEIGHT) return `it weighs ${weight}, of ${MAX_BLOCK_WEIGHT} at most`;
  const found = findWitnessCommitment(coinbase.outputs);
  if (found === undefined) {
    const hasWitness = transactions.some(({ txid }, i) => !equal(txid, wtxids[i] as Uint8Array));
    return hasWitness ? "it has witnesses and no witness commitment" : undefined;
  }
  const [reserved] = coinbase.witness;
  if (reserved?.length !== 32 || coinbase.witness.length !== 1) return "its coinbase has no reserved value of 32 bytes";
  const script = witnessCommitmentScript(witnessRoot([reserved, ...wtxids]), reserved);
  return equal(script.subarray(6, 38), found.commitment)
    ? undefined
    : "its witness commitment is of other transactions";
}

/** The block with an extranonce of zeros and no proof of work, serialised, as getblocktemplate's proposal mode takes it (BIP23). */
export function proposal(
  job: DeclaredJob,
  extranonceSize: number,
  tip: { readonly time: number; readonly nBits: number },
): Uint8Array {
  const stripped = concat(job.coinbasePrefix, new Uint8Array(extranonceSize), job.coinbaseSuffix);
  const header = serializeHeader({
    version: job.version,
    prevHash: job.prevHash,
    merkleRoot: foldMerklePath(sha256d(stripped), job.merklePath),
    time: tip.time,
    nBits: tip.nBits,
    nonce: 0,
  });
  return assembleBlock(header, withWitness(stripped, job.coinbaseWitness), job.transactions);
}
