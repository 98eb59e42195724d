/** Events of synchronising and of the relay of blocks and transactions. */
import { bool, bytes, f64, hash, string, u8, u64, usize } from "../bincode.ts";
import { event } from "../rows.ts";
import { at, no } from "../schema.ts";

/** Events of synchronising and of the relay of blocks and transactions. */
export const SYNC_EVENTS = {
  HeadersSyncStarted: event({
    type: at(no, 58, 60, 55, 55, 55, 55, 55),
    index: at(no, 56, 58, 53, 53, 53, 53, 53),
    doc: "Headers are being fetched.",
    fields: { startHeight: u64 },
  }),
  HeadersSyncProgress: event({
    type: at(no, 59, 61, 56, 56, 56, 56, 56),
    index: at(no, 57, 59, 54, 54, 54, 54, 54),
    doc: "So many headers are there.",
    fields: { currentHeight: u64, targetHeight: u64, progressPercent: f64 },
  }),
  HeadersSyncCompleted: event({
    type: at(no, 60, 62, 57, 57, 57, 57, 57),
    index: at(no, 58, 60, 55, 55, 55, 55, 55),
    doc: "All headers are there.",
    fields: { finalHeight: u64, durationSeconds: u64 },
  }),
  BlockSyncStarted: event({
    type: at(no, 61, 63, 58, 58, 58, 58, 58),
    index: at(no, 59, 61, 56, 56, 56, 56, 56),
    doc: "Blocks are being fetched.",
    fields: { startHeight: u64, targetHeight: u64 },
  }),
  BlockSyncProgress: event({
    type: at(no, 62, 64, 59, 59, 59, 59, 59),
    index: at(no, 60, 62, 57, 57, 57, 57, 57),
    doc: "So many blocks are there.",
    fields: { currentHeight: u64, targetHeight: u64, progressPercent: f64, blocksPerSecond: f64 },
  }),
  BlockSyncCompleted: event({
    type: at(no, 63, 65, 60, 60, 60, 60, 60),
    index: at(no, 61, 63, 58, 58, 58, 58, 58),
    doc: "All blocks are there.",
    fields: { finalHeight: u64, durationSeconds: u64 },
  }),
  SyncStateChanged: event({
    type: at(no, 64, 66, 61, 61, 61, 61, 61),
    index: at(no, 62, 64, 59, 59, 59, 59, 59),
    doc: "Synchronising went on to another state.",
    fields: { oldState: string, newState: string },
  }),
  IBDBlockFiltered: event({
    type: at(no, no, no, 111, 111, 112, 112, 112),
    index: at(no, no, no, 111, 111, 112, 112, 112),
    doc: "A block was filtered while synchronising.",
    fields: { blockHash: hash, height: u64, reason: string },
  }),
  SelectiveSyncPolicyApplied: event({
    type: at(no, no, no, 106, 106, 107, 107, 107),
    index: at(no, no, no, 106, 106, 107, 107, 107),
    doc: "A policy says which data is fetched.",
    fields: { policySource: string, registryCount: usize },
  }),
  DandelionStemStarted: event({
    type: at(no, 83, 95, 90, 90, 90, 90, 90),
    index: at(no, 81, 94, 90, 90, 90, 90, 90),
    doc: "A transaction starts on its stem.",
    fields: { txHash: hash, currentPeer: string, nextPeer: string },
  }),
  DandelionStemAdvanced: event({
    type: at(no, 84, 96, 91, 91, 91, 91, 91),
    index: at(no, 82, 95, 91, 91, 91, 91, 91),
    doc: "A transaction went on along its stem.",
    fields: { txHash: hash, hopCount: u8, nextPeer: string },
  }),
  DandelionFluffed: event({
    type: at(no, 85, 97, 92, 92, 92, 92, 92),
    index: at(no, 83, 96, 92, 92, 92, 92, 92),
    doc: "A transaction goes to all.",
    fields: { txHash: hash, stemHops: u8 },
  }),
  DandelionStemPathExpired: event({
    type: at(no, 86, 98, 93, 93, 93, 93, 93),
    index: at(no, 84, 97, 93, 93, 93, 93, 93),
    doc: "A stem has ended.",
    fields: { peerAddr: string },
  }),
  CompactBlockReceived: event({
    type: at(no, 87, 99, 94, 94, 94, 94, 94),
    index: at(no, 85, 98, 94, 94, 94, 94, 94),
    doc: "A compact block came.",
    fields: { blockHash: hash, height: u64, shortIdsCount: usize },
  }),
  BlockReconstructionStarted: event({
    type: at(no, 88, 100, 95, 95, 95, 95, 95),
    index: at(no, 86, 99, 95, 95, 95, 95, 95),
    doc: "A compact block is being filled in.",
    fields: { blockHash: hash, height: u64 },
  }),
  BlockReconstructionCompleted: event({
    type: at(no, 89, 101, 96, 96, 96, 96, 96),
    index: at(no, 87, 100, 96, 96, 96, 96, 96),
    doc: "A compact block was filled in.",
    fields: { blockHash: hash, height: u64, success: bool, missingTxs: usize },
  }),
  FibreBlockEncoded: event({
    type: at(no, 90, 102, 97, 97, 97, 97, 97),
    index: at(no, 88, 101, 97, 97, 97, 97, 97),
    doc: "A block was encoded for FIBRE.",
    fields: { blockHash: hash, height: u64, chunks: usize, encodingTimeMs: u64 },
  }),
  FibreBlockSent: event({
    type: at(no, 91, 103, 98, 98, 98, 98, 98),
    index: at(no, 89, 102, 98, 98, 98, 98, 98),
    doc: "A block went out over FIBRE.",
    fields: { blockHash: hash, height: u64, peerAddr: string },
  }),
  FibrePeerRegistered: event({
    type: at(no, 92, 104, 99, 99, no, no, no),
    index: at(no, 90, 103, 99, 99, no, no, no),
    doc: "A FIBRE peer is known.",
    fields: { peerAddr: string },
  }),
  CompanionUdpPeerRegistered: event({
    type: at(no, no, no, no, no, 99, 99, 99),
    index: at(no, no, no, no, no, 99, 99, 99),
    doc: "A peer's UDP address is known.",
    fields: { p2pPeerAddr: string, udpAddr: string },
  }),
  CompanionUdpPeerUnregistered: event({
    type: at(no, no, no, no, no, 100, 100, 100),
    index: at(no, no, no, no, no, 100, 100, 100),
    doc: "A peer's UDP address is forgotten.",
    fields: { p2pPeerAddr: string },
  }),
  PackageReceived: event({
    type: at(no, 93, 105, 100, 100, 101, 101, 101),
    index: at(no, 91, 104, 100, 100, 101, 101, 101),
    doc: "A package of transactions came.",
    fields: { packageId: bytes, transactionCount: usize, peerAddr: string },
  }),
  PackageRejected: event({
    type: at(no, 94, 106, 101, 101, 102, 102, 102),
    index: at(no, 92, 105, 101, 101, 102, 102, 102),
    doc: "A package of transactions was refused.",
    fields: { packageId: bytes, reason: string, peerAddr: string },
  }),
} as const;
