/** A block with what its checks and its prints need again and again: ids, sizes, weight. */
import { type Block, parseBlockPrefix } from "../../bitcoin/block.ts";
import { findWitnessCommitment, withWitness } from "../../bitcoin/coinbase.ts";
import { compactSizeLength } from "../../bitcoin/compact-size.ts";
import { sha256d } from "../../bitcoin/hash.ts";
import { HEADER_SIZE, headerHash } from "../../bitcoin/header.ts";
import { hasWitness, serializeTransaction, type Transaction } from "../../bitcoin/transaction.ts";
import { toDisplayHex } from "../../kernel/bytes.ts";

/** One transaction of a block or of the mempool. */
export interface TxData {
  readonly tx: Transaction;
  /** As it stands in blocks, with witness. */
  readonly raw: Uint8Array;
  /** `Uint8Array(32)`, internal byte order. */
  readonly txid: Uint8Array;
  /** The txid in display order. */
  readonly key: string;
  /** `Uint8Array(32)`, internal byte order. */
  readonly wtxid: Uint8Array;
  /** Bytes without witness. */
  readonly strippedSize: number;
  /** Weight units (BIP141). */
  readonly weight: number;
}

/** One block. */
export interface BlockData {
  readonly block: Block;
  /** Header hash, `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  /** The hash in display order. */
  readonly key: string;
  readonly txs: readonly TxData[];
  /** Bytes with witness. */
  readonly size: number;
  /** Bytes without witness. */
  readonly strippedSize: number;
  /** Weight units (BIP141). */
  readonly weight: number;
}

/** Ids and sizes of `tx`, whose bytes with witness are `raw`. */
export function txData(tx: Transaction, raw: Uint8Array): TxData {
  const witness = hasWitness(tx);
  const stripped = witness ? serializeTransaction(tx, { witness: false }) : raw;
  const txid = sha256d(stripped);
  return {
    tx,
    raw,
    txid,
    key: toDisplayHex(txid),
    wtxid: witness ? sha256d(raw) : txid,
    strippedSize: stripped.length,
    weight: 3 * stripped.length + raw.length,
  };
}

/** Ids and sizes of a parsed block. */
export function blockData(block: Block): BlockData {
  const hash = headerHash(block.headerBytes);
  const txs = block.transactions.map((tx, i) => txData(tx, block.rawTransactions[i] as Uint8Array));
  let size = HEADER_SIZE + compactSizeLength(txs.length);
  let strippedSize = size;
  for (const tx of txs) {
    size += tx.raw.length;
    strippedSize += tx.strippedSize;
  }
  return { block, hash, key: toDisplayHex(hash), txs, size, strippedSize, weight: 3 * strippedSize + size };
}

/** Parses a block as Core's `submitblock` does. Throws the faults of `parseBlock`, except for trailing bytes. */
export function decodeBlock(bytes: Uint8Array): BlockData {
  return blockData(parseBlockPrefix(bytes));
}

/**
 * `data`, or the same block with 32 zero bytes as the coinbase's witness when it commits to witnesses and its coinbase
 * came without (Core's `UpdateUncommittedBlockStructures`; neither txid nor block hash change).
 */
export function withCoinbaseWitness(data: BlockData): BlockData {
  const [coinbase, ...rest] = data.txs;
  const [input, ...more] = coinbase?.tx.inputs ?? [];
  if (coinbase === undefined || input === undefined || hasWitness(coinbase.tx)) return data;
  if (more.length > 0 || findWitnessCommitment(coinbase.tx.outputs) === undefined) return data;
  const witness = [new Uint8Array(32)];
  const tx = { ...coinbase.tx, inputs: [{ ...input, witness }] };
  return blockData({
    ...data.block,
    transactions: [tx, ...rest.map((each) => each.tx)],
    rawTransactions: [withWitness(coinbase.raw, witness), ...rest.map((each) => each.raw)],
  });
}
