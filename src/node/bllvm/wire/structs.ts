/** The consensus structs of the IPC. Integers are wider than on the Bitcoin wire, and no transaction has a witness. */
import { fromUtf8 } from "../../../kernel/bytes.ts";
import { bool, bytes, type Field, hash, i64, refuse, string, u32, u64, u128 } from "./bincode.ts";
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

/** An output that the caller of a template wants; `value` in sat. */
export const coinbaseOutput = struct("(i64, Vec<u8>)", { value: i64, scriptPubkey: bytes });

/** Block, without witnesses. */
export const block = struct("Block", { header: blockHeader, transactions: vec(transaction) });

/** UTXO; `value` in sat. */
export const utxo = struct("UTXO", { value: i64, scriptPubkey: bytes, height: u64, isCoinbase: bool });

/** The text of a U256: the hexadecimal digits of the whole number, most significant first. */
const TARGET_DIGITS = 64n;

/**
 * The low half of a target, as u128. blvm-consensus 0.1.66, which blvm-node 0.1.75 came with, and perhaps some before, has the
 * whole target as text instead, and whoever builds a node without its lock file links the newest. So both are read in
 * every schema. They cannot be mistaken: a target comes from a compact one, and the low half of none of those ends in 64.
 */
const halfTarget: Field<bigint> = {
  ...u128,
  read(reader) {
    const low = reader.u64();
    if (low !== TARGET_DIGITS) return low | (reader.u64() << 64n);
    const digits = fromUtf8(reader.bytes(Number(TARGET_DIGITS)));
    return /^[0-9a-f]*$/.test(digits) ? BigInt(`0x${digits}`) : reader.invalid({ kind: "U256", digits });
  },
};

/** The same as nodes of S5 write it. */
const wholeTarget: Field<bigint> = {
  kind: "U256",
  least: 16,
  read: halfTarget.read,
  write(writer, value) {
    if (typeof value !== "bigint" || BigInt.asUintN(256, value) !== value) refuse("U256", value);
    string.write(writer, value.toString(16).padStart(Number(TARGET_DIGITS), "0"));
  },
};

/** BlockTemplate: `target` may be only the low half of the target, use `header.bits`; `height` is the tip's up to 0.1.73. */
export const blockTemplate = struct("BlockTemplate", {
  header: blockHeader,
  coinbaseTx: transaction,
  transactions: vec(transaction),
  target: bySchema((schema) => (schema === "s5" ? wholeTarget : halfTarget), [halfTarget, wholeTarget]),
  height: u64,
  timestamp: u64,
});
