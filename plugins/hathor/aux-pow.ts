/**
 * The proof that stands in a Hathor block in place of a nonce, and hathor-core's check of it (`aux_pow.py`, `merge_mined_block_verifier.py`,
 * `vertex_verifier.verify_pow`). It holds Bitcoin's header without the merkle root, the coinbase without the 32 bytes in its middle
 * that are the block's base hash, and the merkle path: what was left out follows from the block itself.
 */
import {
  concat,
  type Proof,
  Reader,
  readCompactSize,
  reversed,
  sha256d,
  toHex,
  utf8,
  Writer,
  writeCompactSize,
} from "bllvm-stratum-v2/plugin";

/** What stands in the coinbase right before the base hash, and nowhere before. */
export const MAGIC: Uint8Array = utf8("Hath");

/** Hashes that hathor-core reads, before it looks at what is allowed. */
const MAX_PATH_READ = 100;

/** The proof. */
export interface AuxPow {
  /** First 36 bytes of Bitcoin's header: version and previous block. */
  readonly headerHead: Uint8Array;
  /** The coinbase up to and with the magic. */
  readonly coinbaseHead: Uint8Array;
  /** The coinbase behind the base hash. */
  readonly coinbaseTail: Uint8Array;
  /** Siblings of the coinbase from leaf to root, `Uint8Array(32)` each, in display order. */
  readonly merklePath: readonly Uint8Array[];
  /** Last 12 bytes of the header: time, bits and nonce. */
  readonly headerTail: Uint8Array;
}

/** Cuts a proof into the parts that are sent. `undefined` when the coinbase does not hold the magic and `hash` behind it. */
export function auxPowOf(
  proof: Pick<Proof, "header" | "coinbase" | "merkleBranch">,
  hash: Uint8Array,
): AuxPow | undefined {
  const { header, coinbase, merkleBranch } = proof;
  const at = indexOf(coinbase, concat(MAGIC, hash));
  if (at === -1) return undefined;
  return {
    headerHead: header.subarray(0, 36),
    coinbaseHead: coinbase.subarray(0, at + MAGIC.length),
    coinbaseTail: coinbase.subarray(at + MAGIC.length + hash.length),
    merklePath: merkleBranch.map(reversed),
    headerTail: header.subarray(68),
  };
}

/** The bytes of a proof. Lengths are as in Bitcoin, little-endian. */
export function serializeAuxPow(auxPow: AuxPow): Uint8Array {
  const { headerHead, coinbaseHead, coinbaseTail, merklePath, headerTail } = auxPow;
  const writer = new Writer(1024).bytes(headerHead);
  writeCompactSize(writer, coinbaseHead.length).bytes(coinbaseHead);
  writeCompactSize(writer, coinbaseTail.length).bytes(coinbaseTail);
  writeCompactSize(writer, merklePath.length);
  for (const hash of merklePath) writer.bytes(hash);
  return writer.bytes(headerTail).finish();
}

/** Reads the bytes of a proof. Throws a `Fault` of the bytes area, or a sentence. */
export function parseAuxPow(bytes: Uint8Array): AuxPow {
  const reader = new Reader(bytes);
  const headerHead = reader.bytes(36);
  const coinbaseHead = reader.bytes(readCompactSize(reader));
  const coinbaseTail = reader.bytes(readCompactSize(reader));
  const count = readCompactSize(reader);
  if (count > MAX_PATH_READ) throw new Error(`a merkle path of ${count} hashes`);
  const merklePath: Uint8Array[] = [];
  for (let i = 0; i < count; i += 1) merklePath.push(reader.bytes(32));
  const headerTail = reader.bytes(12);
  reader.end();
  return { headerHead, coinbaseHead, coinbaseTail, merklePath, headerTail };
}

/** The hash of the block, which is that of Bitcoin's header: `Uint8Array(32)` in internal order. */
export function blockHash(auxPow: AuxPow, hash: Uint8Array): Uint8Array {
  let root = sha256d(concat(auxPow.coinbaseHead, hash, auxPow.coinbaseTail));
  for (const sibling of auxPow.merklePath) root = sha256d(concat(root, reversed(sibling)));
  return sha256d(concat(auxPow.headerHead, root, auxPow.headerTail));
}

/**
 * The rule that a proof breaks: `magic_missing` no "Hath" in front of the base hash; `magic_early` another "Hath" before it; `merkle_path` longer than
 * the network allows; `high_hash` the header's hash is not below the block's limit.
 */
export type AuxPowFlaw = "magic_missing" | "magic_early" | "merkle_path" | "high_hash";

/** The first rule that `auxPow` breaks, in hathor-core's order. */
export function verifyAuxPow(
  auxPow: AuxPow,
  block: { readonly hash: Uint8Array; readonly target: bigint; readonly maxMerklePath: number },
): AuxPowFlaw | undefined {
  const at = indexOf(auxPow.coinbaseHead, MAGIC);
  if (at === -1) return "magic_missing";
  if (at < auxPow.coinbaseHead.length - MAGIC.length) return "magic_early";
  if (auxPow.merklePath.length > block.maxMerklePath) return "merkle_path";
  const hash = reversed(blockHash(auxPow, block.hash));
  return BigInt(`0x${toHex(hash)}`) > block.target ? "high_hash" : undefined;
}

/** Where `part` begins in `bytes` for the first time; -1 for nowhere. */
function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at <= bytes.length - part.length; at += 1) {
    let same = 0;
    while (same < part.length && bytes[at + same] === part[same]) same += 1;
    if (same === part.length) return at;
  }
  return -1;
}
