/** The proof of an AuxPoW block, byte by byte (Namecoin `src/auxpow.h`, `CAuxPow`). */
import { readCompactSize, writeCompactSize } from "../../bitcoin/compact-size.ts";
import { HEADER_SIZE } from "../../bitcoin/header.ts";
import { parseTransaction } from "../../bitcoin/transaction.ts";
import { Fault } from "../../kernel/fault.ts";
import { Reader } from "../../kernel/reader.ts";
import { Writer } from "../../kernel/writer.ts";

/** The fields of a CAuxPow in the order in which they are serialised. */
export interface AuxPow {
  /** The parent's coinbase. Ours is always without witness: most daemons do not take the other form. */
  readonly coinbase: Uint8Array;
  /** Hash of the parent header, `Uint8Array(32)` in internal byte order; no daemon looks at it. */
  readonly parentHash: Uint8Array;
  /** Siblings of the coinbase from leaf to root, each `Uint8Array(32)` in internal byte order. */
  readonly coinbaseBranch: readonly Uint8Array[];
  /** Index of the coinbase, i32; 0. Some daemons refuse another, some ignore it. */
  readonly coinbaseIndex: number;
  /** Siblings of the chain's leaf from leaf to root, each `Uint8Array(32)` in internal byte order. */
  readonly chainBranch: readonly Uint8Array[];
  /** Index of the chain's leaf, i32. */
  readonly chainIndex: number;
  /** The parent header as hashed, `Uint8Array(80)`. */
  readonly parentHeader: Uint8Array;
}

/** The bytes of `parts`. Throws `TypeError` when a hash or the header has a wrong length. */
export function serializeAuxPow(parts: AuxPow): Uint8Array {
  const { coinbase, coinbaseBranch, chainBranch, parentHeader } = parts;
  if (parentHeader.length !== HEADER_SIZE) throw new TypeError(`a header has 80 bytes, got ${parentHeader.length}`);
  const writer = new Writer(coinbase.length + 32 * (coinbaseBranch.length + chainBranch.length) + 140);
  writer.bytes(coinbase);
  writeHash(writer, parts.parentHash);
  writeBranch(writer, coinbaseBranch);
  writer.i32(parts.coinbaseIndex);
  writeBranch(writer, chainBranch);
  return writer.i32(parts.chainIndex).bytes(parentHeader).finish();
}

/**
 * The fields of exactly `bytes`; byte strings are views into them. Checks the form only: `verifyAuxPow` judges. Throws
 * `Fault("bytes-truncated")`, `Fault("bytes-trailing")`, `Fault("compact-size-invalid")` and `Fault("transaction-malformed")`.
 */
export function parseAuxPow(bytes: Uint8Array): AuxPow {
  const reader = new Reader(bytes);
  parseTransaction(reader);
  const parts = {
    coinbase: bytes.subarray(0, reader.offset),
    parentHash: reader.bytes(32),
    coinbaseBranch: readBranch(reader),
    coinbaseIndex: reader.i32(),
    chainBranch: readBranch(reader),
    chainIndex: reader.i32(),
    parentHeader: reader.bytes(HEADER_SIZE),
  };
  reader.end();
  return parts;
}

function writeBranch(writer: Writer, branch: readonly Uint8Array[]): void {
  writeCompactSize(writer, branch.length);
  for (const hash of branch) writeHash(writer, hash);
}

function writeHash(writer: Writer, hash: Uint8Array): void {
  if (hash.length !== 32) throw new TypeError(`a hash has 32 bytes, got ${hash.length}`);
  writer.bytes(hash);
}

function readBranch(reader: Reader): Uint8Array[] {
  const count = readCompactSize(reader);
  if (count * 32 > reader.remaining) {
    throw new Fault("bytes-truncated", { wanted: count * 32, remaining: reader.remaining });
  }
  return Array.from({ length: count }, () => reader.bytes(32));
}
