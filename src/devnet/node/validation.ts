/**
 * The rules a block is checked by before it is connected, with Bitcoin Core's reasons and in Core's order (facts from
 * validation.cpp and consensus/tx_check.cpp of v31.1). What needs the coins is in coins.ts. Scripts are not executed and
 * signatures not verified: a devnet has no money to guard, and what a pool can get wrong is all outside of scripts.
 */
import { MAX_BLOCK_WEIGHT } from "../../bitcoin/block.ts";
import { findWitnessCommitment, heightPush, MAX_COINBASE_SCRIPT, witnessRoot } from "../../bitcoin/coinbase.ts";
import { sha256d } from "../../bitcoin/hash.ts";
import type { Header } from "../../bitcoin/header.ts";
import { checkedMerkleRoot } from "../../bitcoin/merkle.ts";
import { meetsTarget, targetFromCompact } from "../../bitcoin/target.ts";
import { hasWitness, isCoinbase, legacySigops, type Transaction, type TxInput } from "../../bitcoin/transaction.ts";
import { concat, equal, toDisplayHex } from "../../kernel/bytes.ts";
import type { BlockData, TxData } from "./block-data.ts";

/** Signature operations a block may cost (BIP141); a legacy one costs 4. */
export const MAX_SIGOPS_COST = 80_000;

/** All coins there will ever be, in sat: no amount may exceed it. */
export const MAX_MONEY = 2_100_000_000_000_000n;

/** Seconds that a block's time may lie ahead of the node's clock. */
const MAX_FUTURE_SECONDS = 7200;

/** Lock times below are heights, others Unix seconds. */
const LOCK_TIME_THRESHOLD = 500_000_000;

/** Why something is refused. */
export interface Refusal {
  /** Core's reject reason, which BIP22's `submitblock` answers. */
  readonly reason: string;
  /** The bytes may have been changed on the way without changing the hash, so the hash is not condemned. */
  readonly mutated: boolean;
}

/** A refusal that condemns the block or transaction itself. */
export function refuse(reason: string): Refusal {
  return { reason, mutated: false };
}

function mutated(reason: string): Refusal {
  return { reason, mutated: true };
}

/** Core's `CheckBlock`: everything that needs no other block. `proofOfWork` is off for proposals (BIP23). */
export function checkBlock(
  data: BlockData,
  options: { readonly powLimit: bigint; readonly proofOfWork: boolean },
): Refusal | undefined {
  const { block, txs } = data;
  if (options.proofOfWork && !checkProofOfWork(data.hash, block.header.nBits, options.powLimit)) {
    return refuse("high-hash");
  }
  const merkle = checkedMerkleRoot(txs.map((each) => each.txid));
  if (!equal(merkle.root, block.header.merkleRoot)) return mutated("bad-txnmrklroot");
  if (merkle.mutated) return mutated("bad-txns-duplicate");
  const tooLong = txs.length * 4 > MAX_BLOCK_WEIGHT || data.strippedSize * 4 > MAX_BLOCK_WEIGHT;
  const [coinbase, ...rest] = txs;
  if (coinbase === undefined || tooLong) return refuse("bad-blk-length");
  if (!isCoinbase(coinbase.tx)) return refuse("bad-cb-missing");
  if (rest.some((each) => isCoinbase(each.tx))) return refuse("bad-cb-multiple");
  for (const each of txs) {
    const refusal = checkTransaction(each);
    if (refusal !== undefined) return refusal;
  }
  let sigops = 0;
  for (const each of txs) sigops += legacySigops(each.tx);
  return sigops * 4 > MAX_SIGOPS_COST ? refuse("bad-blk-sigops") : undefined;
}

function checkProofOfWork(hash: Uint8Array, nBits: number, powLimit: bigint): boolean {
  let target: bigint;
  try {
    target = targetFromCompact(nBits);
  } catch {
    return false;
  }
  return target > 0n && target <= powLimit && meetsTarget(hash, target);
}

/** Core's `CheckTransaction`: everything about a transaction that needs no other one. */
export function checkTransaction({ tx, strippedSize }: TxData): Refusal | undefined {
  if (tx.inputs.length === 0) return refuse("bad-txns-vin-empty");
  if (tx.outputs.length === 0) return refuse("bad-txns-vout-empty");
  if (strippedSize * 4 > MAX_BLOCK_WEIGHT) return refuse("bad-txns-oversize");
  let total = 0n;
  for (const { value } of tx.outputs) {
    // Amounts are signed on the wire.
    if (value >= 2n ** 63n) return refuse("bad-txns-vout-negative");
    if (value > MAX_MONEY) return refuse("bad-txns-vout-toolarge");
    total += value;
    if (total > MAX_MONEY) return refuse("bad-txns-txouttotal-toolarge");
  }
  if (new Set(tx.inputs.map(outpoint)).size < tx.inputs.length) return refuse("bad-txns-inputs-duplicate");
  if (isCoinbase(tx)) {
    const size = tx.inputs[0]?.script.length ?? 0;
    return size < 2 || size > MAX_COINBASE_SCRIPT ? refuse("bad-cb-length") : undefined;
  }
  return tx.inputs.some(spendsNothing) ? refuse("bad-txns-prevout-null") : undefined;
}

/** `txid:index` of the output that `input` spends, txid in display order: the key of a coin. */
export function outpoint(input: TxInput): string {
  return `${toDisplayHex(input.prevHash)}:${input.prevIndex}`;
}

function spendsNothing(input: TxInput): boolean {
  return input.prevIndex === 0xffffffff && input.prevHash.every((byte) => byte === 0);
}

/** What a block's parent and the time tell about it. */
export interface HeaderContext {
  /** `nBits` that the block has to carry. */
  readonly requiredBits: number;
  /** Median time of the parent and the ten blocks before it, Unix seconds. */
  readonly medianTimePast: number;
  /** The node's clock, Unix seconds. */
  readonly nowSeconds: number;
}

/** Core's `ContextualCheckBlockHeader` for a height of 1 or more with BIP34, BIP65 and BIP66 in force (regtest). */
export function checkHeader(header: Header, context: HeaderContext): Refusal | undefined {
  if (header.nBits !== context.requiredBits) return refuse("bad-diffbits");
  if (header.time <= context.medianTimePast) return refuse("time-too-old");
  if (header.time > context.nowSeconds + MAX_FUTURE_SECONDS) return refuse("time-too-new");
  if ((header.version | 0) < 4) return refuse(`bad-version(0x${header.version.toString(16).padStart(8, "0")})`);
  return undefined;
}

/** Core's `ContextualCheckBlock` with BIP113, BIP34 and BIP141 in force. */
export function checkBlockAtHeight(data: BlockData, height: number, medianTimePast: number): Refusal | undefined {
  if (data.txs.some((each) => !isFinal(each.tx, height, medianTimePast))) return refuse("bad-txns-nonfinal");
  const script = data.txs[0]?.tx.inputs[0]?.script ?? new Uint8Array(0);
  const expected = heightPush(height);
  if (!equal(script.subarray(0, expected.length), expected)) return refuse("bad-cb-height");
  return checkWitness(data) ?? (data.weight > MAX_BLOCK_WEIGHT ? refuse("bad-blk-weight") : undefined);
}

/** Whether a block of `height` after blocks with `medianTimePast` may contain `tx` (lock time, BIP113). */
export function isFinal(tx: Transaction, height: number, medianTimePast: number): boolean {
  if (tx.lockTime === 0) return true;
  if (tx.lockTime < (tx.lockTime < LOCK_TIME_THRESHOLD ? height : medianTimePast)) return true;
  return tx.inputs.every((input) => input.sequence === 0xffffffff);
}

/** BIP141: the commitment fits the witnesses, and without one there are none. */
function checkWitness(data: BlockData): Refusal | undefined {
  const coinbase = data.txs[0]?.tx;
  const found = findWitnessCommitment(coinbase?.outputs ?? []);
  if (found === undefined) {
    return data.txs.some((each) => hasWitness(each.tx)) ? mutated("unexpected-witness") : undefined;
  }
  const [nonce, ...more] = coinbase?.inputs[0]?.witness ?? [];
  if (nonce?.length !== 32 || more.length > 0) return mutated("bad-witness-nonce-size");
  const commitment = sha256d(concat(witnessRoot(data.txs.map((each) => each.wtxid)), nonce));
  return equal(commitment, found.commitment) ? undefined : mutated("bad-witness-merkle-match");
}
