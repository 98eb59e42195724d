/**
 * The structs of the bllvm node that its module IPC carries, field by field (blvm-node `src/module/ipc/protocol.rs` and
 * `src/module/traits.rs`, blvm-primitives `src/types.rs`). Hashes are in internal byte order.
 */
import {
  bool,
  bytes,
  f64,
  hash32,
  i64,
  type Layout,
  list,
  named,
  type Of,
  option,
  record,
  text,
  u32,
  u64,
  u128,
  variants,
} from "./bincode.ts";

/** `BlockHeader`: 104 bytes, all numbers 64 bits wide. */
export const header = record({
  version: i64,
  prevBlockHash: hash32,
  merkleRoot: hash32,
  timestamp: u64,
  bits: u64,
  nonce: u64,
});

const wideIndex: Layout<number> = {
  read: (from) => Number(u64.read(from)),
  write: (to, value) => u64.write(to, BigInt(value)),
};

/** A transaction: it has no witness. The output's index was 64 bits wide before the S schemas. */
function transactionWith(index: Layout<number>) {
  const input = record({ prevout: record({ hash: hash32, index }), sequence: u64, scriptSig: bytes });
  const output = record({ value: i64, scriptPubkey: bytes });
  return record({ version: u64, inputs: list(input), outputs: list(output), lockTime: u64 });
}

/** A number of a tip that is told as an integer: cut, and no more than fits, as Rust casts. */
const cutDifficulty: Layout<number> = {
  read: u32.read,
  write: (to, value) => u32.write(to, Math.min(0xffffffff, Math.trunc(value))),
};

/** A target of which only the low half is told, and never 0. */
const halfTarget: Layout<bigint> = {
  read: u128.read,
  write: (to, value) => u128.write(to, BigInt.asUintN(128, value) || 1n),
};

/** A whole target: 64 hexadecimal digits as a string. */
const textTarget: Layout<bigint> = {
  read: (from) => BigInt(`0x${text.read(from)}`),
  write: (to, value) => text.write(to, value.toString(16).padStart(64, "0")),
};

/** What depends on the version: the width of an outpoint's index, how a difficulty and a target are told. */
function chainLayouts(index: Layout<number>, difficulty: Layout<number>, target: Layout<bigint>) {
  const transaction = transactionWith(index);
  const block = record({ header, transactions: list(transaction) });
  const template = record({
    header,
    coinbaseTx: transaction,
    transactions: list(transaction),
    target,
    height: u64,
    timestamp: u64,
  });
  /** `ChainInfo`. */
  const chainInfo = record({ tipHash: hash32, height: u64, difficulty, chainWork: u64, isSynced: bool });
  return { transaction, block, template, chainInfo };
}

/** S5 and later. */
export const latestChain = chainLayouts(u32, f64, textTarget);

/** S1 to S4. */
export const newChain = chainLayouts(u32, cutDifficulty, halfTarget);

/** N0 to N2. */
export const oldChain = chainLayouts(wideIndex, cutDifficulty, halfTarget);

/** A transaction on the IPC. */
export type WireTransaction = Of<typeof newChain.transaction>;
/** A header on the IPC. */
export type WireHeader = Of<typeof header>;
/** A block on the IPC. */
export type WireBlock = Of<typeof newChain.block>;
/** A template on the IPC. */
export type WireTemplate = Of<typeof newChain.template>;

/** `MempoolSize`. */
export const mempoolSize = record({ transactionCount: u64, sizeBytes: u64, totalFeeSats: u64 });
/** `NetworkStats`. */
export const networkStats = record({ peerCount: u64, hashRate: f64, bytesSent: u64, bytesReceived: u64 });
/** `SyncStatus`. */
export const syncStatus = record({ phase: text, progress: f64, isSynced: bool, errorMessage: option(text) });

const pair = record({ key: text, value: text });

/** `Metric`. */
export const metric = record({
  name: text,
  value: variants({ Counter: u64, Gauge: f64, Histogram: list(f64) }),
  labels: list(pair),
  timestamp: u64,
});

/** `ModuleInfo`. */
export const moduleInfo = record({
  moduleId: text,
  moduleName: text,
  version: text,
  capabilities: list(text),
  status: variants({
    Stopped: record({}),
    Initializing: record({}),
    Running: record({}),
    Stopping: record({}),
    Error: record({ message: text }),
  }),
  apiVersion: u32,
});

/** `ModuleHealth`. */
export const moduleHealth = variants({
  Healthy: record({}),
  Unresponsive: record({}),
  Crashed: record({ message: text }),
});

const cliArgument = record({
  name: text,
  longName: option(text),
  shortName: option(text),
  required: option(bool),
  takesValue: option(bool),
  default: option(text),
});

/** `CliSpec`. */
export const cliSpec = record({
  version: u32,
  name: text,
  about: option(text),
  subcommands: list(record({ name: text, about: option(text), args: list(cliArgument) })),
});

/** `LogLevel`. */
export const logLevel = named(["Trace", "Debug", "Info", "Warn", "Error"]);
