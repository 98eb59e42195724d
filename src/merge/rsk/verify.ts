/**
 * The check of an RSK block's proof as rskj makes it (`ProofOfWorkRule`), in its order, with a name for each rule. It shares
 * no code with the builder of proofs but Bitcoin's primitives and the compression of the coinbase, which rskj does itself.
 */
import { sha256d, sha256dPairInto } from "../../bitcoin/hash.ts";
import { absorbAgain, absorbRest, squeeze } from "../../bitcoin/sha256.ts";
import { meetsTarget } from "../../bitcoin/target.ts";
import { concat, equal, reversed } from "../../kernel/bytes.ts";
import { compressCoinbase, RSK_TAG, rskMerkleProof } from "./proof.ts";

/**
 * The rule that a proof breaks:
 * `merkle_proof` not a whole number of hashes, or more than 30; `coinbase_missing` no compressed coinbase; `header_size` the header has not 80
 * bytes; `high_hash` its hash is above the target; `tag_missing` no tag with the block's hash behind it; `tag_position` it begins more
 * than 63 bytes into the rest; `tag_not_last` another tag follows; `bytes_after` more than 128 bytes follow; `coinbase_too_short` 64 bytes or
 * less in all; `merkle_root` coinbase and merkle proof do not lead to the header's merkle root.
 */
export type RskFlaw =
  | "merkle_proof"
  | "coinbase_missing"
  | "header_size"
  | "high_hash"
  | "tag_missing"
  | "tag_position"
  | "tag_not_last"
  | "bytes_after"
  | "coinbase_too_short"
  | "merkle_root";

/** What a proof is to prove, and the parent's header. */
interface RskWork {
  /** The parent header as hashed. */
  readonly header: Uint8Array;
  /** The hash for merged mining as the node prints it, `Uint8Array(32)`. */
  readonly hash: Uint8Array;
  /** 2^256 divided by the block's difficulty. */
  readonly target: bigint;
}

/** A proof as it is submitted. */
export interface RskClaim extends RskWork {
  /** The parent's coinbase without witness. */
  readonly coinbase: Uint8Array;
  /** Its siblings from leaf to root, internal byte order. */
  readonly merkleBranch: readonly Uint8Array[];
}

/** A proof as it stands in an RSK block's header. */
export interface RskHeaderClaim extends RskWork {
  /** As `compressCoinbase` makes it. */
  readonly compressedCoinbase: Uint8Array;
  /** As `rskMerkleProof` makes it. */
  readonly merkleProof: Uint8Array;
}

/** The first rule that the proof breaks, or `undefined` when rskj would take it. Never throws for any bytes. */
export function verifyRsk(claim: RskClaim): RskFlaw | undefined {
  const { header, hash, target, coinbase, merkleBranch } = claim;
  const compressedCoinbase = coinbase.length === 0 ? coinbase : compressCoinbase(coinbase);
  return verifyRskHeader({ header, hash, target, compressedCoinbase, merkleProof: rskMerkleProof(merkleBranch) });
}

/** As `verifyRsk`, for what a block's header holds. */
export function verifyRskHeader(claim: RskHeaderClaim): RskFlaw | undefined {
  const { header, compressedCoinbase, merkleProof } = claim;
  if (merkleProof.length % 32 !== 0 || merkleProof.length > 960) return "merkle_proof";
  if (compressedCoinbase.length <= 40) return "coinbase_missing";
  if (header.length !== 80) return "header_size";
  if (!meetsTarget(sha256d(header), claim.target)) return "high_hash";
  const tail = compressedCoinbase.subarray(40);
  const commitment = concat(RSK_TAG, claim.hash);
  const at = lastIndexOf(tail, commitment);
  if (at === -1) return "tag_missing";
  if (at >= 64) return "tag_position";
  if (lastIndexOf(tail, RSK_TAG) > at) return "tag_not_last";
  if (tail.length - at - commitment.length > 128) return "bytes_after";
  const view = new DataView(compressedCoinbase.buffer, compressedCoinbase.byteOffset, 40);
  const hashed = Number(view.getBigUint64(0));
  if (hashed + tail.length <= 64) return "coinbase_too_short";
  const state = Int32Array.from({ length: 8 }, (_, word) => view.getInt32(8 + 4 * word));
  absorbRest(state, tail, 0, hashed);
  absorbAgain(state);
  const node = new Uint8Array(32);
  squeeze(state, node);
  for (let i = 0; i < merkleProof.length; i += 32) {
    sha256dPairInto(node, node, reversed(merkleProof.subarray(i, i + 32)));
  }
  return equal(node, header.subarray(36, 68)) ? undefined : "merkle_root";
}

function lastIndexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = bytes.length - part.length; at >= 0; at--) {
    let same = 0;
    while (same < part.length && bytes[at + same] === part[same]) same++;
    if (same === part.length) return at;
  }
  return -1;
}
