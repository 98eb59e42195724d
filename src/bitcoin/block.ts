/** Blocks as they are submitted and stored: header, count, transactions with witness (BIP144). */
import { Fault } from "../kernel/fault.ts";
import { Reader } from "../kernel/reader.ts";
import { Writer } from "../kernel/writer.ts";
import { compactSizeLength, readCompactSize, writeCompactSize } from "./compact-size.ts";
import { HEADER_SIZE, type Header, parseHeader } from "./header.ts";
import { parseTransaction, type Transaction, weight } from "./transaction.ts";

/** Weight that a block may have at most (BIP141). */
export const MAX_BLOCK_WEIGHT = 4_000_000;

/** A parsed block. Its arrays are views into the bytes it was parsed from. */
export interface Block {
  readonly header: Header;
  /** The 80 bytes of the header. */
  readonly headerBytes: Uint8Array;
  /** The coinbase first. */
  readonly transactions: readonly Transaction[];
  /** The same transactions as they stand in the block, with witness. */
  readonly rawTransactions: readonly Uint8Array[];
}

/**
 * The bytes of a block, ready for `submitblock`: `header80`, the number of transactions, `coinbase` with its witness, then
 * `transactions` as they came with the template.
 */
export function assembleBlock(
  header80: Uint8Array,
  coinbase: Uint8Array,
  transactions: readonly Uint8Array[],
): Uint8Array {
  if (header80.length !== HEADER_SIZE) throw new TypeError(`a header has 80 bytes, got ${header80.length}`);
  let size = HEADER_SIZE + 9 + coinbase.length;
  for (const transaction of transactions) size += transaction.length;
  const writer = new Writer(size).bytes(header80);
  writeCompactSize(writer, 1 + transactions.length).bytes(coinbase);
  for (const transaction of transactions) writer.bytes(transaction);
  return writer.finish();
}

/**
 * The block in exactly `bytes`. Checks the form only, no rule of consensus. Throws `Fault("bytes-truncated")`,
 * `Fault("bytes-trailing")`, `Fault("compact-size-invalid")` or `Fault("transaction-malformed")`.
 */
export function parseBlock(bytes: Uint8Array): Block {
  const block = parseBlockPrefix(bytes);
  let size = HEADER_SIZE + compactSizeLength(block.transactions.length);
  for (const raw of block.rawTransactions) size += raw.length;
  if (size < bytes.length) throw new Fault("bytes-trailing", { remaining: bytes.length - size });
  return block;
}

/** As `parseBlock`, but whatever follows the block is ignored, as Bitcoin Core's `submitblock` does. */
export function parseBlockPrefix(bytes: Uint8Array): Block {
  const reader = new Reader(bytes);
  const headerBytes = reader.bytes(HEADER_SIZE);
  const count = readCompactSize(reader);
  const transactions: Transaction[] = [];
  const rawTransactions: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    transactions.push(parseTransaction(reader));
    rawTransactions.push(bytes.subarray(start, reader.offset));
  }
  return { header: parseHeader(headerBytes), headerBytes, transactions, rawTransactions };
}

/** Weight units of a block with `transactions`, the coinbase included (BIP141): header and count weigh four a byte. */
export function blockWeight(transactions: readonly Transaction[]): number {
  let total = 4 * (HEADER_SIZE + compactSizeLength(transactions.length));
  for (const transaction of transactions) total += weight(transaction);
  return total;
}
