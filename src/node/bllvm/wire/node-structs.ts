/** The structs in which the node tells about itself: chain, mempool, network, modules, metrics, command line. */
import { bool, bytes, type Field, f64, hash, string, u32, u64, usize } from "./bincode.ts";
import { bySchema, dataEnum, inOrder, lateOption, map, option, struct, unitEnum, vec } from "./compound.ts";

/** What follows the difficulty in a good answer: chain work, `isSynced`, and that there is no error. */
const BEHIND_DIFFICULTY = 8 + 1 + 1;
const difficultyOf = bySchema((schema) => (schema === "s5" ? f64 : u32), [u32, f64]);

/**
 * The difficulty is an f64 since S5. A good answer tells by its length which of the two it holds, whatever the schema: the tip is
 * what mining hangs on, and a node that says another version than it is should not cost it.
 */
const difficulty: Field<number> = {
  ...difficultyOf,
  read(reader) {
    const fits = [u32, f64].find(({ least }) => reader.remaining === least + BEHIND_DIFFICULTY);
    return (fits ?? difficultyOf).read(reader);
  },
};

/**
 * ChainInfo: `difficulty` is the tip's, at least 1, and no compact target: cut to an integer, since S5 whole. `chainWork` is
 * the low half of 128 bits.
 */
export const chainInfo = struct("ChainInfo", {
  tipHash: hash,
  height: u64,
  difficulty,
  chainWork: u64,
  isSynced: bool,
});

/** SyncStatus: `progress` from 0 to 1. */
export const syncStatus = struct("SyncStatus", {
  phase: string,
  progress: f64,
  isSynced: bool,
  errorMessage: option(string),
});

/** MempoolSize. */
export const mempoolSize = struct("MempoolSize", { transactionCount: usize, sizeBytes: usize, totalFeeSats: u64 });

/** NetworkStats: `hashRate` in hashes a second. */
export const networkStats = struct("NetworkStats", {
  peerCount: usize,
  hashRate: f64,
  bytesSent: u64,
  bytesReceived: u64,
});

/** PeerInfo: `connectedSince` in Unix seconds. */
export const peerInfo = struct("PeerInfo", {
  addr: string,
  transportType: string,
  services: u64,
  version: u32,
  connectedSince: u64,
});

/** BlockServeDenylistSnapshot: `hashes` are the first 4096. */
export const blockServeDenylistSnapshot = struct("BlockServeDenylistSnapshot", {
  totalCount: u64,
  truncated: bool,
  hashes: vec(hash),
});

/** TxServeDenylistSnapshot: `hashes` are the first 4096. */
export const txServeDenylistSnapshot = struct("TxServeDenylistSnapshot", {
  totalCount: u64,
  truncated: bool,
  hashes: vec(hash),
});

/** LightningInfo. */
export const lightningInfo = struct("LightningInfo", {
  nodeUrl: string,
  nodePubkey: bytes,
  channelCount: usize,
  totalCapacitySats: u64,
});

/** PaymentState: `reason` of a failed one, since S5. */
export const paymentState = struct("PaymentState", {
  paymentId: string,
  status: string,
  amountSats: u64,
  txHash: option(hash),
  confirmations: option(u32),
  reason: lateOption(["s5"], string),
});

/** TxBlockMetadata: the block that a transaction is in. */
export const txBlockMetadata = struct("TxBlockMetadata", { blockHash: hash, blockHeight: u64 });

/** MempoolFeeRateSummary: of the rates above 0, in sat/vB. */
export const mempoolFeeRateSummary = struct("MempoolFeeRateSummary", {
  sampleCount: usize,
  avgSatVb: u64,
  medianSatVb: u64,
});

/** FileMetadata; times in Unix seconds. */
export const fileMetadata = struct("FileMetadata", {
  path: string,
  size: u64,
  isFile: bool,
  isDirectory: bool,
  modified: option(u64),
  created: option(u64),
});

/** SubmitBlockResult. */
export const submitBlockResult = dataEnum("SubmitBlockResult", {
  Accepted: {},
  Rejected: { reason: string },
  Duplicate: {},
});

/** Metric: what a module counts; `timestamp` in Unix seconds. */
export const metric = struct("Metric", {
  name: string,
  value: dataEnum("MetricValue", {
    Counter: { value: u64 },
    Gauge: { value: f64 },
    Histogram: { values: vec(f64) },
  }),
  labels: map(string, string),
  timestamp: u64,
});

/** ModuleInfo. */
export const moduleInfo = struct("ModuleInfo", {
  moduleId: string,
  moduleName: string,
  version: string,
  capabilities: vec(string),
  status: dataEnum("ModuleState", {
    Stopped: {},
    Initializing: {},
    Running: {},
    Stopping: {},
    Error: { error: string },
  }),
  apiVersion: u32,
});

/** ModuleHealth. */
export const moduleHealth = dataEnum("ModuleHealth", { Healthy: {}, Unresponsive: {}, Crashed: { error: string } });

/** CliSpec: the subcommands that the node's command line offers for a module. */
export const cliSpec = struct("CliSpec", {
  version: u32,
  name: string,
  about: option(string),
  subcommands: vec(
    struct("CliSubcommandSpec", {
      name: string,
      about: option(string),
      args: vec(
        struct("CliArgSpec", {
          name: string,
          longName: option(string),
          shortName: option(string),
          required: option(bool),
          takesValue: option(bool),
          default: option(string),
        }),
      ),
    }),
  ),
});

/** StorageOperation, of the N schemas. */
export const storageOperation = dataEnum("StorageOperation", {
  Insert: { key: bytes, value: bytes },
  Remove: { key: bytes },
});

/** LogLevel. */
export const logLevel = unitEnum("LogLevel", inOrder("Trace", "Debug", "Info", "Warn", "Error"));
