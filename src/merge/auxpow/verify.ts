/**
 * The check of an AuxPoW proof as namecoind makes it (`CheckProofOfWork` of src/validation.cpp, then `CAuxPow::check` of
 * src/auxpow.cpp), in its order, with a name for each rule. It shares no code with the builder of proofs but Bitcoin's
 * primitives, so that a mistake in the builder is found here.
 */
import { sha256d, sha256dPairInto } from "../../bitcoin/hash.ts";
import { meetsTarget } from "../../bitcoin/target.ts";
import { parseTransaction, stripWitness, type Transaction } from "../../bitcoin/transaction.ts";
import { equal, reversed } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { type AuxPow, parseAuxPow } from "./proof.ts";

/**
 * The rule that a proof breaks:
 * `malformed` it cannot be read; `parent_version` the parent's version has the AuxPoW flag (bit 8); `high_hash` the parent's hash is above the
 * target; `parent_chain_id` the parent's version has the chain's own ID; `chain_branch_too_long` more than 30 levels; `merkle_root` coinbase and branch do not
 * lead to the parent's merkle root; `no_inputs` the coinbase has none; `root_missing` the tree's root is not in the scriptSig; `magic_twice` more than one
 * magic; `magic_not_before_root` something between the two, or the root first; `root_too_late` no magic, and the root begins after 20 bytes;
 * `size_missing` fewer than 8 bytes after the root; `size` another number of leaves than the branch is for; `index` another leaf than the chain's.
 *
 * Rules of other daemons, checked with `everywhere`: `magic_missing` (Elastos), `coinbase_index` not 0 (Myriad, Unobtanium, Terracoin),
 * `witness` the coinbase is serialised with its witness.
 */
export type AuxPowFlaw =
  | "malformed"
  | "parent_version"
  | "high_hash"
  | "parent_chain_id"
  | "chain_branch_too_long"
  | "merkle_root"
  | "no_inputs"
  | "root_missing"
  | "magic_twice"
  | "magic_not_before_root"
  | "root_too_late"
  | "size_missing"
  | "size"
  | "index"
  | "magic_missing"
  | "coinbase_index"
  | "witness";

/** A proof and what it is to prove. */
export interface AuxPowClaim {
  /** The serialised CAuxPow. */
  readonly auxpow: Uint8Array;
  /** The aux block hash as the daemon prints it, `Uint8Array(32)`. */
  readonly hash: Uint8Array;
  readonly chainId: number;
  /** Whether the chain refuses a parent that has its ID in its version. */
  readonly strictChainId: boolean;
  /** The aux block's target. */
  readonly target: bigint;
  /** Also hold the proof to what daemons other than namecoind demand. */
  readonly everywhere?: boolean;
}

/** The first rule that the proof breaks, or `undefined` when namecoind would take it. Never throws for any bytes. */
export function verifyAuxPow(claim: AuxPowClaim): AuxPowFlaw | undefined {
  let proof: AuxPow;
  let coinbase: Transaction;
  try {
    proof = parseAuxPow(claim.auxpow);
    coinbase = parseTransaction(proof.coinbase);
  } catch (error) {
    if (error instanceof Fault) return "malformed";
    throw error;
  }
  return checkParent(claim, proof) ?? checkCommitment(claim, proof, coinbase) ?? checkElsewhere(claim, proof, coinbase);
}

function checkParent(claim: AuxPowClaim, proof: AuxPow): AuxPowFlaw | undefined {
  const version = u32(proof.parentHeader, 0);
  if (version & 0x100) return "parent_version";
  if (!meetsTarget(sha256d(proof.parentHeader), claim.target)) return "high_hash";
  if (claim.strictChainId && version >>> 16 === claim.chainId) return "parent_chain_id";
  return undefined;
}

function checkCommitment(claim: AuxPowClaim, proof: AuxPow, coinbase: Transaction): AuxPowFlaw | undefined {
  const { chainBranch, chainIndex, parentHeader } = proof;
  if (chainBranch.length > 30) return "chain_branch_too_long";
  const chainRoot = reversed(climb(reversed(claim.hash), chainBranch, chainIndex));
  const merkleRoot = climb(sha256d(stripWitness(proof.coinbase)), proof.coinbaseBranch, 0);
  if (!equal(merkleRoot, parentHeader.subarray(36, 68))) return "merkle_root";
  const [input] = coinbase.inputs;
  if (input === undefined) return "no_inputs";
  const { script } = input;
  const at = find(script, chainRoot, 0);
  if (at === -1) return "root_missing";
  const magic = find(script, MAGIC, 0);
  if (magic !== -1) {
    if (find(script, MAGIC, magic + 1) !== -1) return "magic_twice";
    if (magic + MAGIC.length !== at) return "magic_not_before_root";
  } else if (at > 20) return "root_too_late";
  if (script.length - at - 32 < 8) return "size_missing";
  if (u32(script, at + 32) !== 2 ** chainBranch.length) return "size";
  const nonce = u32(script, at + 36);
  return chainIndex === expectedIndex(nonce, claim.chainId, chainBranch.length) ? undefined : "index";
}

function checkElsewhere(claim: AuxPowClaim, proof: AuxPow, coinbase: Transaction): AuxPowFlaw | undefined {
  if (!claim.everywhere) return undefined;
  if (find(coinbase.inputs[0]?.script ?? proof.coinbase, MAGIC, 0) === -1) return "magic_missing";
  if (proof.coinbaseIndex !== 0) return "coinbase_index";
  return stripWitness(proof.coinbase).length === proof.coinbase.length ? undefined : "witness";
}

const MAGIC = Uint8Array.of(0xfa, 0xbe, 0x6d, 0x6d);

/** The root over `leaf` at `index`; the bits of `index` say on which side its siblings stand. */
function climb(leaf: Uint8Array, branch: readonly Uint8Array[], index: number): Uint8Array {
  const node = Uint8Array.from(leaf);
  branch.forEach((sibling, level) => {
    if ((index >> level) & 1) sha256dPairInto(node, sibling, node);
    else sha256dPairInto(node, node, sibling);
  });
  return node;
}

/** `CAuxPow::getExpectedIndex` as its C++ is written: 32-bit numbers that wrap. */
function expectedIndex(nonce: number, chainId: number, height: number): number {
  let rand = BigInt(nonce);
  rand = BigInt.asUintN(32, rand * 1103515245n + 12345n);
  rand = BigInt.asUintN(32, rand + BigInt(chainId));
  rand = BigInt.asUintN(32, rand * 1103515245n + 12345n);
  return Number(rand % (1n << BigInt(height)));
}

/** Offset of the first `part` in `bytes` from `from` on, -1 for none. */
function find(bytes: Uint8Array, part: Uint8Array, from: number): number {
  for (let at = from; at + part.length <= bytes.length; at++) {
    let same = 0;
    while (same < part.length && bytes[at + same] === part[same]) same++;
    if (same === part.length) return at;
  }
  return -1;
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
}
