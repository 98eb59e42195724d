/**
 * The proof of an RSK block: what its RPC takes (rskj `MnrModuleImpl`), and what its headers keep of it: a compressed
 * coinbase (rskj `MinerServerImpl.compressCoinbase`) and a merkle proof (RSKIP-92).
 */
import { sha256d } from "../../bitcoin/hash.ts";
import { absorbBlock, BLOCK_SIZE, newState, squeeze } from "../../bitcoin/sha256.ts";
import { concat, reversed, toHex, utf8 } from "../../kernel/bytes.ts";
import { Writer } from "../../kernel/writer.ts";
import type { Proof } from "../plugin.ts";

/** What stands in front of the 32 bytes that the coinbase commits to. */
export const RSK_TAG: Uint8Array = utf8("RSKBLOCK:");

/**
 * The parameter `merkleHashes` of `mnr_submitBitcoinBlockPartialMerkle`: txid of the coinbase, then its siblings from leaf to
 * root, as hex in internal byte order, with spaces between. The node skips the first, but demands that it is there.
 */
export function rskPartialMerkle(proof: Pick<Proof, "coinbase" | "merkleBranch">): string {
  return [sha256d(proof.coinbase), ...proof.merkleBranch].map(toHex).join(" ");
}

/**
 * `coinbase` (without witness) as RSK's header keeps it: the number of bytes hashed already (u64 big-endian), SHA-256's state
 * after them (`Uint8Array(32)`), then the rest from the block of 64 bytes on in which the last tag begins. Without a tag nothing is
 * hashed away.
 */
export function compressCoinbase(coinbase: Uint8Array): Uint8Array {
  const tag = Math.max(0, lastTag(coinbase));
  const hashed = tag - (tag % BLOCK_SIZE);
  const state = newState();
  for (let at = 0; at < hashed; at += BLOCK_SIZE) absorbBlock(state, coinbase, at);
  const midstate = new Uint8Array(32);
  squeeze(state, midstate);
  return concat(new Writer(8).u64(BigInt(hashed)).finish().reverse(), midstate, coinbase.subarray(hashed));
}

/** `branch` (siblings from leaf to root, internal byte order) as RSK's header keeps it: each in display order, one after the other. */
export function rskMerkleProof(branch: readonly Uint8Array[]): Uint8Array {
  return concat(...branch.map(reversed));
}

function lastTag(bytes: Uint8Array): number {
  for (let at = bytes.length - RSK_TAG.length; at >= 0; at--) {
    if (RSK_TAG.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
