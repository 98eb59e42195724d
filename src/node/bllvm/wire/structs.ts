/** The consensus structs of the IPC. Integers are wider than on the Bitcoin wire, and no transaction has a witness. */
import { bool, bytes, type Field, hash, i64, u32, u64, u128 } from "./bincode.ts";
import { bySchema, struct, vec } from "./compound.ts";

/** The index of an output as a u64; no transaction has 2^32 outputs, and more is a fault. */
const wideIndex: Field<number> = {
  kind: "u64",
  least: 8,
  read(reader) {
    const index = reader.u64();
    return index > 0xffffffffn ? reader.invalid({ kind: "OutPoint", index }) : Number(index);
  },
  write(writer, value) {
    u32.write(writer, value);
    writer.u32(0);
  },
};

/** OutPoint: `index` was a u64 in the N schemas. */
export const outPoint = struct("OutPoint", {
  hash,
  index: bySchema((schema) => (schema.startsWith("n") ? wideIndex : u32), [u32, wideIndex]),
});

/** TransactionInput. */
export const transactionInput = struct("TransactionInput", { prevout: outPoint, sequence: u64, scriptSig: bytes });

/** TransactionOutput; `value` in sat. */
export const transactionOutput = struct("TransactionOutput", { value: i64, scriptPubkey: bytes });

/** Transaction, without witness. */
export const transaction = struct("Transaction", {
  version: u64,
  inputs: vec(transactionInput),
  outputs: vec(transactionOutput),
  lockTime: u64,
});

/** BlockHeader: hashes in internal byte order, `timestamp` in Unix seconds, `bits` the compact target. */
export const blockHeader = struct("BlockHeader", {
  version: i64,
  prevBlockHash: hash,
  merkleRoot: hash,
  timestamp: u64,
  bits: u64,
  nonce: u64,
});

/** Block, without witnesses. */
export const block = struct("Block", { header: blockHeader, transactions: vec(transaction) });

/** UTXO; `value` in sat. */
export const utxo = struct("UTXO", { value: i64, scriptPubkey: bytes, height: u64, isCoinbase: bool });

/** BlockTemplate: `target` is only the low half of the target, use `header.bits`; `height` is the tip's. */
export const blockTemplate = struct("BlockTemplate", {
  header: blockHeader,
  coinbaseTx: transaction,
  transactions: vec(transaction),
  target: u128,
  height: u64,
  timestamp: u64,
});
