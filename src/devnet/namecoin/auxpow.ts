/**
 * What namecoind reads and checks of a proof (src/auxpow.h `CAuxPow`, src/auxpow.cpp `CAuxPow::check`, src/validation.cpp
 * `CheckProofOfWork`), in its order and with the sentences of its debug.log. It is a judge over what `merge` builds, so
 * it shares nothing with `merge`: merkle branches, slots and searches are written out here once more.
 */
import { readCompactSize } from "../../bitcoin/compact-size.ts";
import { sha256d } from "../../bitcoin/hash.ts";
import { HEADER_SIZE, headerHash, parseHeader } from "../../bitcoin/header.ts";
import { meetsTarget } from "../../bitcoin/target.ts";
import { parseTransaction, type Transaction, txid } from "../../bitcoin/transaction.ts";
import { concat, equal, reversed } from "../../kernel/bytes.ts";
import { Reader } from "../../kernel/reader.ts";

/** A proof as it was sent; byte strings are views into its bytes. */
export interface AuxPow {
  /** The parent block's coinbase, in the short or the long form. */
  readonly coinbase: Transaction;
  /** Siblings on the coinbase's way to the parent's merkle root, `Uint8Array(32)` in internal byte order. */
  readonly coinbaseBranch: readonly Uint8Array[];
  /** Siblings on the block hash's way to the root in the coinbase, as above. */
  readonly chainBranch: readonly Uint8Array[];
  /** Slot in that tree, i32. */
  readonly chainIndex: number;
  /** `Uint8Array(80)`. */
  readonly parentHeader: Uint8Array;
  /** Bytes that it took. */
  readonly size: number;
}

/** What a proof is checked against. */
export interface Judged {
  /** The block's hash, `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  readonly target: bigint;
  readonly chainId: number;
  /** Whether a parent with the same chain ID is refused. */
  readonly strictChainId: boolean;
}

const MAGIC = Uint8Array.of(0xfa, 0xbe, 0x6d, 0x6d);
const AUXPOW_VERSION = 0x100;
const MAX_CHAIN_BRANCH = 30;
/** Without the magic the root has to begin at this offset at most. */
const MAX_BARE_OFFSET = 20;

/**
 * Reads a proof; bytes behind it are not looked at, as in namecoind. The parent's hash and the coinbase's index are read
 * and thrown away: nothing checks them. Throws `Fault` as `parseTransaction`.
 */
export function readAuxPow(bytes: Uint8Array): AuxPow {
  const reader = new Reader(bytes);
  const coinbase = parseTransaction(reader);
  reader.bytes(32);
  const coinbaseBranch = readBranch(reader);
  reader.i32();
  const chainBranch = readBranch(reader);
  const chainIndex = reader.i32();
  const parentHeader = reader.bytes(HEADER_SIZE);
  return { coinbase, coinbaseBranch, chainBranch, chainIndex, parentHeader, size: reader.offset };
}

function readBranch(reader: Reader): Uint8Array[] {
  const branch: Uint8Array[] = [];
  for (let left = readCompactSize(reader); left > 0; left--) branch.push(reader.bytes(32));
  return branch;
}

/** The first rule that `proof` breaks, in namecoind's words; `undefined` for a good proof. */
export function auxPowFlaw(proof: AuxPow, judged: Judged): string | undefined {
  const parent = parseHeader(proof.parentHeader);
  if ((parent.version & AUXPOW_VERSION) !== 0) return "auxpow parent block has auxpow version";
  if (!meetsTarget(headerHash(proof.parentHeader), judged.target)) return "AUX proof of work failed";
  // nVersion is signed there, and `/ 65536` became an arithmetic shift.
  if (judged.strictChainId && (parent.version | 0) >> 16 === judged.chainId) {
    return "Aux POW parent has our chain ID";
  }
  if (proof.chainBranch.length > MAX_CHAIN_BRANCH) return "Aux POW chain merkle branch too long";
  const root = reversed(foldBranch(judged.hash, proof.chainBranch, proof.chainIndex));
  const inParent = foldBranch(txid(proof.coinbase), proof.coinbaseBranch, 0);
  if (!equal(inParent, parent.merkleRoot)) return "Aux POW merkle root incorrect";
  const script = proof.coinbase.inputs[0]?.script;
  if (script === undefined) return "Aux POW coinbase has no inputs";
  return commitmentFlaw(script, root, proof, judged.chainId);
}

function commitmentFlaw(script: Uint8Array, root: Uint8Array, proof: AuxPow, chainId: number): string | undefined {
  const magicAt = find(script, MAGIC, 0);
  const rootAt = find(script, root, 0);
  if (rootAt < 0) return "Aux POW missing chain merkle root in parent coinbase";
  if (magicAt >= 0) {
    if (find(script, MAGIC, magicAt + 1) >= 0) return "Multiple merged mining headers in coinbase";
    if (magicAt + MAGIC.length !== rootAt) return "Merged mining header is not just before chain merkle root";
  } else if (rootAt > MAX_BARE_OFFSET) {
    return "Aux POW chain merkle root must start in the first 20 bytes of the parent coinbase";
  }
  const behind = script.subarray(rootAt + root.length);
  if (behind.length < 8) return "Aux POW missing chain merkle tree size and nonce in parent coinbase";
  const reader = new Reader(behind);
  const size = reader.u32();
  const nonce = reader.u32();
  const height = proof.chainBranch.length;
  if (size !== 2 ** height) return "Aux POW merkle branch size does not match parent coinbase";
  if (proof.chainIndex !== expectedIndex(nonce, chainId, height)) return "Aux POW wrong index";
  return undefined;
}

/** `getExpectedIndex`: the slot that nonce, chain ID and tree height give, arithmetic modulo 2^32. */
function expectedIndex(nonce: number, chainId: number, height: number): number {
  const u32 = (value: bigint): bigint => value % 2n ** 32n;
  let rand = u32(BigInt(nonce) * 1103515245n + 12345n);
  rand = u32(rand + BigInt(chainId));
  rand = u32(rand * 1103515245n + 12345n);
  return Number(rand % 2n ** BigInt(height));
}

/** `CheckMerkleBranch`; `index` -1 stands for "no such leaf" and gives zeros. */
function foldBranch(leaf: Uint8Array, branch: readonly Uint8Array[], index: number): Uint8Array {
  if (index === -1) return new Uint8Array(32);
  let hash = leaf;
  let bits = index;
  for (const sibling of branch) {
    hash = sha256d((bits & 1) === 1 ? concat(sibling, hash) : concat(hash, sibling));
    bits >>= 1;
  }
  return hash;
}

/** Where `needle` is first found in `haystack` at `from` or later; -1 if nowhere. */
function find(haystack: Uint8Array, needle: Uint8Array, from: number): number {
  for (let at = from; at + needle.length <= haystack.length; at++) {
    if (needle.every((byte, i) => haystack[at + i] === byte)) return at;
  }
  return -1;
}
