/**
 * ResponsePayload: what the node answers. A variant without a name for its field in the node's sources has one here, so
 * that every payload is a record.
 */
import { bool, bytes, hash, string, u64 } from "./bincode.ts";
import { map, option, struct, tableEnum, type Variant, vec } from "./compound.ts";
import {
  blockServeDenylistSnapshot,
  chainInfo,
  fileMetadata,
  lightningInfo,
  mempoolFeeRateSummary,
  mempoolSize,
  metric,
  moduleHealth,
  moduleInfo,
  networkStats,
  paymentState,
  peerInfo,
  submitBlockResult,
  syncStatus,
  txBlockMetadata,
  txServeDenylistSnapshot,
} from "./node-structs.ts";
import { response } from "./rows.ts";
import { at, no } from "./schema.ts";
import { block, blockHeader, blockTemplate, transaction, utxo } from "./structs.ts";

/** Rows of ResponsePayload. */
export const RESPONSES = {
  HandshakeAck: response({
    index: at(0, 0, 0, 0, 0, 0, 0, 0),
    doc: "The module is known; the crate version of the node.",
    fields: { nodeVersion: string },
  }),
  Block: response({
    index: at(1, 1, 1, 1, 1, 1, 1, 1),
    doc: "A block, null when the node does not have it.",
    fields: { block: option(block) },
  }),
  BlockHeader: response({
    index: at(2, 2, 2, 2, 2, 2, 2, 2),
    doc: "A header, null when the node does not have it.",
    fields: { header: option(blockHeader) },
  }),
  Transaction: response({
    index: at(3, 3, 3, 3, 3, 3, 3, 3),
    doc: "A transaction, null when the node does not have it.",
    fields: { transaction: option(transaction) },
  }),
  Bool: response({ index: at(4, 4, 4, 4, 4, 4, 4, 4), doc: "Yes or no, or simply done.", fields: { value: bool } }),
  Hash: response({ index: at(5, 5, 5, 5, 5, 5, 5, 5), doc: "A hash.", fields: { hash: hash } }),
  U64: response({ index: at(6, 6, 6, 6, 6, 6, 6, 6), doc: "A number.", fields: { value: u64 } }),
  Utxo: response({
    index: at(7, 7, 7, 7, 7, 7, 7, 7),
    doc: "An unspent output, null when there is none.",
    fields: { utxo: option(utxo) },
  }),
  SubscribeAck: response({
    index: at(8, 8, 8, 8, 8, 8, 8, 8),
    doc: "Events of the named types are sent from now on.",
    fields: {},
  }),
  MempoolTransactions: response({
    index: at(no, 9, 9, 9, 9, 9, 9, 9),
    doc: "Transaction ids of the mempool.",
    fields: { hashes: vec(hash) },
  }),
  MempoolTransaction: response({
    index: at(no, 10, 10, 10, 10, 10, 10, 10),
    doc: "A transaction of the mempool, null when it is not there.",
    fields: { transaction: option(transaction) },
  }),
  MempoolSize: response({
    index: at(no, 11, 11, 11, 11, 11, 11, 11),
    doc: "How much the mempool holds.",
    fields: { mempoolSize: mempoolSize },
  }),
  NetworkStats: response({
    index: at(no, 12, 12, 12, 12, 12, 12, 12),
    doc: "Traffic and peers.",
    fields: { networkStats: networkStats },
  }),
  NetworkPeers: response({
    index: at(no, 13, 13, 13, 13, 13, 13, 13),
    doc: "The peers.",
    fields: { peers: vec(peerInfo) },
  }),
  ChainInfo: response({
    index: at(no, 14, 14, 14, 14, 14, 14, 14),
    doc: "Tip, height and difficulty.",
    fields: { chainInfo: chainInfo },
  }),
  BlockByHeight: response({
    index: at(no, 15, 15, 15, 15, 15, 15, 15),
    doc: "The block at a height, null when the chain is shorter.",
    fields: { block: option(block) },
  }),
  LightningNodeUrl: response({
    index: at(no, 16, 16, 16, 16, 16, 17, 17),
    doc: "Address of the lightning node, if there is one.",
    fields: { url: option(string) },
  }),
  LightningInfo: response({
    index: at(no, 17, 17, 17, 17, 17, 18, 18),
    doc: "The lightning node, if there is one.",
    fields: { lightningInfo: option(lightningInfo) },
  }),
  PaymentState: response({
    index: at(no, 18, 18, 18, 18, 18, 19, 19),
    doc: "A payment, null when it is not known.",
    fields: { paymentState: option(paymentState) },
  }),
  CheckTransactionInMempool: response({
    index: at(no, 19, 19, 19, 19, 19, 20, 20),
    doc: "Whether the mempool has the transaction.",
    fields: { value: bool },
  }),
  FeeEstimate: response({
    index: at(no, 20, 20, 20, 20, 20, 21, 21),
    doc: "Fee rate in sat/vB.",
    fields: { value: u64 },
  }),
  FileData: response({ index: at(no, 21, 21, 21, 21, 21, 22, 22), doc: "Content of a file.", fields: { data: bytes } }),
  DirectoryListing: response({
    index: at(no, 22, 22, 22, 22, 22, 23, 23),
    doc: "Names in a folder.",
    fields: { entries: vec(string) },
  }),
  FileMetadata: response({
    index: at(no, 23, 23, 23, 23, 23, 24, 24),
    doc: "Size and times of a file.",
    fields: { metadata: fileMetadata },
  }),
  RpcEndpointRegistered: response({
    index: at(no, 27, 27, 24, 24, 24, 25, 25),
    doc: "The JSON-RPC method is ours.",
    fields: {},
  }),
  RpcEndpointUnregistered: response({
    index: at(no, 28, 28, 25, 25, 25, 26, 26),
    doc: "The JSON-RPC method is gone.",
    fields: {},
  }),
  CoreRpcOverrideRegistered: response({
    index: at(no, no, no, no, 26, 26, 27, 27),
    doc: "The node's own JSON-RPC method is replaced.",
    fields: {},
  }),
  CoreRpcOverrideUnregistered: response({
    index: at(no, no, no, no, 27, 27, 28, 28),
    doc: "The node's own JSON-RPC method is back.",
    fields: {},
  }),
  TimerId: response({ index: at(no, 29, 29, 26, 28, 28, 29, 29), doc: "Id of a timer.", fields: { value: u64 } }),
  TaskId: response({ index: at(no, 30, 30, 27, 29, 29, 30, 30), doc: "Id of a task.", fields: { value: u64 } }),
  TimerCancelled: response({ index: at(no, 31, 31, 28, 30, 30, 31, 31), doc: "The timer is gone.", fields: {} }),
  TaskScheduled: response({ index: at(no, 32, 32, 29, 31, 31, 32, 32), doc: "The task will run.", fields: {} }),
  MetricReported: response({ index: at(no, 33, 33, 30, 32, 32, 33, 33), doc: "The metric is taken.", fields: {} }),
  ModuleMetrics: response({
    index: at(no, 34, 34, 31, 33, 33, 34, 34),
    doc: "Metrics of one module.",
    fields: { metrics: vec(metric) },
  }),
  AllMetrics: response({
    index: at(no, 35, 35, 32, 34, 34, 35, 35),
    doc: "Metrics of all modules, by module.",
    fields: { metrics: map(string, vec(metric)) },
  }),
  ModuleList: response({
    index: at(no, 36, 36, 33, 35, 35, 36, 36),
    doc: "The modules.",
    fields: { modules: vec(moduleInfo) },
  }),
  ModuleInfo: response({
    index: at(no, 37, 37, 34, 36, 36, 37, 37),
    doc: "A module, null when there is none of that id.",
    fields: { module: option(moduleInfo) },
  }),
  ModuleAvailable: response({
    index: at(no, 38, 38, 35, 37, 37, 38, 38),
    doc: "Whether the module runs.",
    fields: { value: bool },
  }),
  EventPublished: response({
    index: at(no, 39, 39, 36, 38, 38, 39, 39),
    doc: "The event is on its way to its subscribers.",
    fields: {},
  }),
  ModuleApiResponse: response({
    index: at(no, 40, 40, 37, 39, 39, 40, 40),
    doc: "What the other module answered.",
    fields: { result: bytes },
  }),
  ModuleApiRegistered: response({
    index: at(no, 41, 41, 38, 40, 40, 41, 41),
    doc: "Other modules can call our methods.",
    fields: {},
  }),
  ModuleApiUnregistered: response({
    index: at(no, 42, 42, 39, 41, 41, 42, 42),
    doc: "Other modules cannot call our methods any more.",
    fields: {},
  }),
  ModuleHealth: response({
    index: at(no, 43, 43, 40, 42, 42, 43, 43),
    doc: "Health of a module, null when it is not known.",
    fields: { health: option(moduleHealth) },
  }),
  AllModuleHealth: response({
    index: at(no, 44, 44, 41, 43, 43, 44, 44),
    doc: "Health of all modules.",
    fields: { modules: vec(struct("(String, ModuleHealth)", { moduleId: string, health: moduleHealth })) },
  }),
  HealthReported: response({ index: at(no, 45, 45, 42, 44, 44, 45, 45), doc: "The health is taken.", fields: {} }),
  BlockTemplate: response({
    index: at(no, no, no, 43, 45, 45, 46, 46),
    doc: "A block to be mined.",
    fields: { template: blockTemplate },
  }),
  SubmitBlockResult: response({
    index: at(no, no, no, 44, 46, 46, 47, 47),
    doc: "What became of a block.",
    fields: { result: submitBlockResult },
  }),
  ReceivedBlockQueued: response({
    index: at(no, no, no, no, no, 47, 48, 48),
    doc: "The block waits to be processed; it says nothing about its validity.",
    fields: {},
  }),
  BlockServeDenylistMerged: response({
    index: at(no, no, no, 45, 47, 48, 49, 49),
    doc: "The blocks are on the list.",
    fields: {},
  }),
  TxServeDenylistMerged: response({
    index: at(no, no, no, 46, 48, 49, 50, 50),
    doc: "The transactions are on the list.",
    fields: {},
  }),
  BlockServeDenylistSnapshot: response({
    index: at(no, no, no, 47, 49, 50, 51, 51),
    doc: "Blocks that are not served.",
    fields: { snapshot: blockServeDenylistSnapshot },
  }),
  TxServeDenylistSnapshot: response({
    index: at(no, no, no, 48, 50, 51, 52, 52),
    doc: "Transactions that are not served.",
    fields: { snapshot: txServeDenylistSnapshot },
  }),
  NodeSyncStatus: response({
    index: at(no, no, no, 49, 51, 52, 53, 53),
    doc: "How far the node has come.",
    fields: { syncStatus: syncStatus },
  }),
  StorageTreeId: response({
    index: at(no, 24, 24, no, no, no, no, no),
    doc: "Id of an opened tree.",
    fields: { treeId: string },
  }),
  StorageValue: response({
    index: at(no, 25, 25, no, no, no, no, no),
    doc: "A value, null when the key has none.",
    fields: { value: option(bytes) },
  }),
  StorageKeyValuePairs: response({
    index: at(no, 26, 26, no, no, no, no, no),
    doc: "All pairs of a tree.",
    fields: { pairs: vec(struct("(Vec<u8>, Vec<u8>)", { key: bytes, value: bytes })) },
  }),
  BlockAndWitnesses: response({
    index: at(no, no, no, no, no, no, 16, 16),
    doc: "A block, null when the node does not have it, and for each transaction and input the items of the witness.",
    fields: { block: option(block), witnesses: vec(vec(vec(bytes))) },
  }),
  MempoolTransactionSubmitted: response({
    index: at(no, no, no, no, no, no, 54, 54),
    doc: "The transaction is in the mempool; false when it was there before.",
    fields: { value: bool },
  }),
  TxMetadata: response({
    index: at(no, no, no, no, no, no, no, 55),
    doc: "The block of a transaction, null when the node has no index or no such transaction.",
    fields: { metadata: option(txBlockMetadata) },
  }),
  MempoolFeeRateSummary: response({
    index: at(no, no, no, no, no, no, no, 56),
    doc: "What the mempool's transactions pay.",
    fields: { summary: mempoolFeeRateSummary },
  }),
} as const;

/** Name of a response. */
export type ResponseName = keyof typeof RESPONSES;

/** A response: a union that `name` discriminates. */
export type ResponsePayload = Variant<typeof RESPONSES>;

/** A response. */
export const responsePayload = tableEnum("ResponsePayload", RESPONSES);
