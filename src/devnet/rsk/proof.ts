/**
 * What rskj checks of a merge-mined block's proof (`ProofOfWorkRule`), in its order and with the sentences of its log, and the
 * compression of the coinbase before it (`MinerServerImpl.compressCoinbase`). It is a judge over what `merge` builds, so it shares
 * nothing with `merge`.
 */
import { sha256, sha256d } from "../../bitcoin/hash.ts";
import { headerHash, parseHeader } from "../../bitcoin/header.ts";
import { absorbBlock, absorbRest, newState, squeeze } from "../../bitcoin/sha256.ts";
import { meetsTarget } from "../../bitcoin/target.ts";
import { concat, equal, reversed, utf8 } from "../../kernel/bytes.ts";

/** `RSKBLOCK:`. */
export const TAG = utf8("RSKBLOCK:");
/** Bytes of a block's hash for merged mining. */
export const HASH_SIZE = 32;
/** Bytes behind that hash at most, lock time included. */
export const MAX_BYTES_AFTER = 128;
const SHA256_BLOCK = 64;
/** Count of hashed bytes (8) and state of SHA-256 (32). */
const MIDSTATE = 40;
/** 30 hashes (RSKIP-180). */
const MAX_MERKLE_PROOF = 960;
const EASIEST_DIFFICULTY = 3n;

/** A proof as it stands in an RSK block's header. */
export interface HeaderProof {
  readonly header: Uint8Array;
  readonly compressedCoinbase: Uint8Array;
  /** Siblings from leaf to root, each in display order. */
  readonly merkleProof: Uint8Array;
}

/** The target of `difficulty`, which counts as 3 at least. */
export function targetOf(difficulty: bigint): bigint {
  return 2n ** 256n / (difficulty < EASIEST_DIFFICULTY ? EASIEST_DIFFICULTY : difficulty);
}

/** Where `needle` is last found in `haystack`; -1 if nowhere. */
export function lastIndexOf(haystack: Uint8Array, needle: Uint8Array): number {
  for (let at = haystack.length - needle.length; at >= 0; at--) {
    if (needle.every((byte, i) => haystack[at + i] === byte)) return at;
  }
  return -1;
}

/** The coinbase with whole blocks of 64 bytes before its last tag replaced by their count and the state of SHA-256 behind them. */
export function compress(coinbase: Uint8Array): Uint8Array {
  const tagAt = lastIndexOf(coinbase, TAG);
  const hashed = Math.floor(Math.max(0, tagAt) / SHA256_BLOCK) * SHA256_BLOCK;
  const state = newState();
  for (let at = 0; at < hashed; at += SHA256_BLOCK) absorbBlock(state, coinbase, at);
  const head = new Uint8Array(MIDSTATE);
  const view = new DataView(head.buffer);
  view.setBigUint64(0, BigInt(hashed));
  for (const [i, word] of state.entries()) view.setInt32(8 + 4 * i, word);
  return concat(head, coinbase.subarray(hashed));
}

/** The first rule that `proof` breaks for the work `hash` of `difficulty`, in words; `undefined` for a good one. */
export function proofFlaw(proof: HeaderProof, hash: Uint8Array, difficulty: bigint): string | undefined {
  const { header, compressedCoinbase, merkleProof } = proof;
  if (merkleProof.length % 32 !== 0 || merkleProof.length > MAX_MERKLE_PROOF) {
    return "Merkle proof can't be validated";
  }
  if (compressedCoinbase.length === 0) return "Compressed coinbase transaction does not exist";
  if (header.length !== 80) return `Bitcoin merged mining header must be 80 bytes but was ${header.length}`;
  if (!meetsTarget(headerHash(header), targetOf(difficulty))) return "Hash is higher than target";
  const tail = compressedCoinbase.subarray(MIDSTATE);
  const at = lastIndexOf(tail, concat(TAG, hash));
  if (at < 0) return "bitcoin coinbase transaction tail message does not contain expected RSKBLOCK:RskBlockHeaderHash";
  if (at >= SHA256_BLOCK) return "bitcoin coinbase transaction tag position is bigger than expected 64";
  if (at !== lastIndexOf(tail, TAG)) return "The valid RSK tag is not the last RSK tag";
  if (tail.length - at - TAG.length - HASH_SIZE > MAX_BYTES_AFTER) return "More than 128 bytes after RSK tag";
  const hashed = Number(new DataView(compressedCoinbase.buffer, compressedCoinbase.byteOffset).getBigUint64(0));
  if (hashed + tail.length <= SHA256_BLOCK) return "Coinbase transaction must always be greater than 64-bytes long";
  const root = foldProof(coinbaseTxid(compressedCoinbase, hashed, tail), merkleProof);
  if (!equal(root, parseHeader(header).merkleRoot))
    return "bitcoin merkle branch doesn't match coinbase and state root";
  return undefined;
}

/** SHA-256 taken up where the compression left it, and once more over its digest. */
function coinbaseTxid(compressed: Uint8Array, hashed: number, tail: Uint8Array): Uint8Array {
  const view = new DataView(compressed.buffer, compressed.byteOffset);
  const state = Int32Array.from({ length: 8 }, (_, i) => view.getInt32(8 + 4 * i));
  absorbRest(state, tail, 0, hashed);
  const digest = new Uint8Array(32);
  squeeze(state, digest);
  return sha256(digest);
}

function foldProof(leaf: Uint8Array, merkleProof: Uint8Array): Uint8Array {
  let hash = leaf;
  for (let at = 0; at < merkleProof.length; at += 32) {
    hash = sha256d(concat(hash, reversed(merkleProof.subarray(at, at + 32))));
  }
  return hash;
}
