/** Transactions, with and without witness (BIP144). Byte strings of a parsed transaction are views into its bytes. */
import { concat } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { Reader } from "../kernel/reader.ts";
import { Writer } from "../kernel/writer.ts";
import { compactSizeLength, readCompactSize, writeCompactSize } from "./compact-size.ts";
import { sha256d } from "./hash.ts";
import { sigops } from "./script.ts";

/** An output of a transaction. */
export interface TxOutput {
  /** Amount in sat. */
  readonly value: bigint;
  /** scriptPubKey. */
  readonly script: Uint8Array;
}

/** An input of a transaction. */
export interface TxInput {
  /** Txid of the output spent, `Uint8Array(32)` in internal byte order; zeros in a coinbase. */
  readonly prevHash: Uint8Array;
  /** Index of the output spent, u32; 0xffffffff in a coinbase. */
  readonly prevIndex: number;
  /** scriptSig. */
  readonly script: Uint8Array;
  /** u32. */
  readonly sequence: number;
  /** Witness stack items; none for an input without witness. */
  readonly witness: readonly Uint8Array[];
}

/** A transaction. */
export interface Transaction {
  /** u32. */
  readonly version: number;
  readonly inputs: readonly TxInput[];
  readonly outputs: readonly TxOutput[];
  /** u32: a height below 500,000,000, else Unix seconds. */
  readonly lockTime: number;
}

/** Whether any input has a witness, so that the long form differs from the short one. */
export function hasWitness(tx: Transaction): boolean {
  return tx.inputs.some((input) => input.witness.length > 0);
}

/**
 * The bytes of `tx`. With `witness` they carry marker, flag and witnesses if there are any (what nodes exchange), without
 * it they never do (what the txid is the hash of).
 */
export function serializeTransaction(tx: Transaction, options: { readonly witness: boolean }): Uint8Array {
  const writer = new Writer();
  const witness = options.witness && hasWitness(tx);
  writer.u32(tx.version);
  if (witness) writer.u8(0).u8(1);
  writeCompactSize(writer, tx.inputs.length);
  for (const input of tx.inputs) {
    writer.bytes(input.prevHash).u32(input.prevIndex);
    writeBytes(writer, input.script);
    writer.u32(input.sequence);
  }
  writeCompactSize(writer, tx.outputs.length);
  for (const output of tx.outputs) writeOutput(writer, output);
  if (witness) for (const input of tx.inputs) writeWitness(writer, input.witness);
  return writer.u32(tx.lockTime).finish();
}

/**
 * Reads one transaction: all of the given bytes, or the next one of a `Reader`. Throws `Fault("bytes-truncated")`,
 * `Fault("bytes-trailing")`, `Fault("compact-size-invalid")` and `Fault("transaction-malformed")` (an unknown flag, or a
 * witness part in which every stack is empty).
 */
export function parseTransaction(from: Uint8Array | Reader): Transaction {
  if (from instanceof Reader) return readTransaction(from).transaction;
  const reader = new Reader(from);
  const { transaction } = readTransaction(reader);
  reader.end();
  return transaction;
}

/** Where the parts lie, as offsets from the reader's position at the start: what stripping the witness needs. */
interface Layout {
  readonly transaction: Transaction;
  /** Offset of the input count. */
  readonly body: number;
  /** Offset behind the outputs, where the witnesses begin. */
  readonly bodyEnd: number;
  readonly end: number;
}

function readTransaction(reader: Reader): Layout {
  const start = reader.offset;
  const version = reader.u32();
  let body = reader.offset - start;
  let inputs = readInputs(reader);
  let outputs: TxOutput[] = [];
  let flags = 0;
  if (inputs.length === 0) {
    flags = reader.u8();
    if (flags !== 0) {
      body = reader.offset - start;
      inputs = readInputs(reader);
      outputs = parseOutputs(reader);
    }
  } else {
    outputs = parseOutputs(reader);
  }
  const bodyEnd = reader.offset - start;
  if (flags & 1) {
    inputs = inputs.map((input) => ({ ...input, witness: readWitness(reader) }));
    if (inputs.every((input) => input.witness.length === 0)) {
      throw new Fault("transaction-malformed", { cause: "superfluous witness record" });
    }
  }
  if (flags > 1) throw new Fault("transaction-malformed", { cause: "unknown flag", flags });
  const lockTime = reader.u32();
  return { transaction: { version, inputs, outputs, lockTime }, body, bodyEnd, end: reader.offset - start };
}

function readInputs(reader: Reader): TxInput[] {
  const count = readCount(reader, 41);
  const inputs: TxInput[] = [];
  for (let i = 0; i < count; i++) {
    inputs.push({
      prevHash: reader.bytes(32),
      prevIndex: reader.u32(),
      script: readBytes(reader),
      sequence: reader.u32(),
      witness: [],
    });
  }
  return inputs;
}

/** Reads a count and that many outputs. Throws as `parseTransaction`. */
export function parseOutputs(from: Uint8Array | Reader): TxOutput[] {
  const reader = from instanceof Reader ? from : new Reader(from);
  const count = readCount(reader, 9);
  const outputs: TxOutput[] = [];
  for (let i = 0; i < count; i++) outputs.push({ value: reader.u64(), script: readBytes(reader) });
  if (reader !== from) reader.end();
  return outputs;
}

/** `outputs` one after the other without a count, as SV2's NewTemplate carries them. */
export function serializeOutputs(outputs: readonly TxOutput[]): Uint8Array {
  const writer = new Writer();
  for (const output of outputs) writeOutput(writer, output);
  return writer.finish();
}

/** The counterpart of `serializeOutputs`: outputs to the end of `bytes`. Throws as `parseTransaction`. */
export function parseOutputSequence(bytes: Uint8Array): TxOutput[] {
  const reader = new Reader(bytes);
  const outputs: TxOutput[] = [];
  while (reader.remaining > 0) outputs.push({ value: reader.u64(), script: readBytes(reader) });
  return outputs;
}

/** Bytes that `output` takes in a transaction. */
export function outputSize(output: TxOutput): number {
  return 8 + compactSizeLength(output.script.length) + output.script.length;
}

/** The id of `tx`: hash without witness, `Uint8Array(32)`, internal byte order. */
export function txid(tx: Transaction): Uint8Array {
  return sha256d(serializeTransaction(tx, { witness: false }));
}

/** The hash of `tx` with witness, `Uint8Array(32)`, internal byte order; equals the txid when there is none. */
export function wtxid(tx: Transaction): Uint8Array {
  return sha256d(serializeTransaction(tx, { witness: true }));
}

/** The txid of a serialised transaction with or without witness. Throws as `parseTransaction`. */
export function txidOfBytes(raw: Uint8Array): Uint8Array {
  return sha256d(stripWitness(raw));
}

/**
 * `raw` without marker, flag and witnesses: a new array, or `raw` itself when it has none. Throws as
 * `parseTransaction`.
 */
export function stripWitness(raw: Uint8Array): Uint8Array {
  const reader = new Reader(raw);
  const { body, bodyEnd, end } = readTransaction(reader);
  reader.end();
  if (body === 4) return raw;
  return concat(raw.subarray(0, 4), raw.subarray(body, bodyEnd), raw.subarray(end - 4));
}

/** Weight units of `tx` (BIP141): three times its size without witness plus its size with it. */
export function weight(tx: Transaction): number {
  const stripped = serializeTransaction(tx, { witness: false }).length;
  return 3 * stripped + (hasWitness(tx) ? serializeTransaction(tx, { witness: true }).length : stripped);
}

/** Signature operations in all scripts of `tx`, neither P2SH nor witness scripts counted; each costs 4 of the block's 80,000. */
export function legacySigops(tx: Transaction): number {
  let count = 0;
  for (const input of tx.inputs) count += sigops(input.script);
  for (const output of tx.outputs) count += sigops(output.script);
  return count;
}

/** Whether `tx` has the shape of a coinbase: one input that spends nothing. */
export function isCoinbase(tx: Transaction): boolean {
  const [input] = tx.inputs;
  if (input === undefined || tx.inputs.length !== 1 || input.prevIndex !== 0xffffffff) return false;
  return input.prevHash.every((byte) => byte === 0);
}

/** Appends `output` to `writer`: amount, script length, script. */
function writeOutput(writer: Writer, output: TxOutput): void {
  writer.u64(output.value);
  writeBytes(writer, output.script);
}

/** Appends a witness stack: count, then each item with its length. */
export function writeWitness(writer: Writer, witness: readonly Uint8Array[]): void {
  writeCompactSize(writer, witness.length);
  for (const item of witness) writeBytes(writer, item);
}

function readWitness(reader: Reader): Uint8Array[] {
  const count = readCount(reader, 1);
  const items: Uint8Array[] = [];
  for (let i = 0; i < count; i++) items.push(readBytes(reader));
  return items;
}

/** A count of things of at least `least` bytes each: more than can be left is an error before anything is reserved. */
function readCount(reader: Reader, least: number): number {
  const count = readCompactSize(reader);
  if (count * least > reader.remaining) {
    throw new Fault("bytes-truncated", { wanted: count * least, remaining: reader.remaining });
  }
  return count;
}

function readBytes(reader: Reader): Uint8Array {
  return reader.bytes(readCompactSize(reader));
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writeCompactSize(writer, bytes.length);
  writer.bytes(bytes);
}
