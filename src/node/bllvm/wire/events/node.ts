/** Events of the node itself, its mempool and its storage. */
import { bool, f64, hash, string, u64, usize } from "../bincode.ts";
import { option, vec } from "../compound.ts";
import { event } from "../rows.ts";
import { at, no } from "../schema.ts";

/** Events of the node itself, its mempool and its storage. */
export const NODE_EVENTS = {
  ConfigLoaded: event({
    type: at(no, no, 85, 80, 80, 80, 80, 80),
    index: at(no, no, 84, 80, 80, 80, 80, 80),
    doc: "The node read its configuration.",
    fields: { changedSections: vec(string), configJson: option(string) },
  }),
  NodeShutdown: event({
    type: at(no, no, 86, 81, 81, 81, 81, 81),
    index: at(no, no, 85, 81, 81, 81, 81, 81),
    doc: "The node stops within moments and kills its modules.",
    fields: { reason: string, timeoutSeconds: u64 },
  }),
  NodeShutdownCompleted: event({
    type: at(no, no, 87, 82, 82, 82, 82, 82),
    index: at(no, no, 86, 82, 82, 82, 82, 82),
    doc: "The node has stopped.",
    fields: { durationMs: u64 },
  }),
  NodeStartupCompleted: event({
    type: at(no, no, 88, 83, 83, 83, 83, 83),
    index: at(no, no, 87, 83, 83, 83, 83, 83),
    doc: "The node is up.",
    fields: { durationMs: u64, components: vec(string) },
  }),
  MaintenanceStarted: event({
    type: at(no, no, 89, 84, 84, 84, 84, 84),
    index: at(no, no, 88, 84, 84, 84, 84, 84),
    doc: "Maintenance begins.",
    fields: { maintenanceType: string, estimatedDurationSeconds: option(u64) },
  }),
  MaintenanceCompleted: event({
    type: at(no, no, 90, 85, 85, 85, 85, 85),
    index: at(no, no, 89, 85, 85, 85, 85, 85),
    doc: "Maintenance is over.",
    fields: { maintenanceType: string, success: bool, durationMs: u64, results: option(string) },
  }),
  DataMaintenance: event({
    type: at(no, no, 91, 86, 86, 86, 86, 86),
    index: at(no, no, 90, 86, 86, 86, 86, 86),
    doc: "Modules are to write down or clean up what they hold.",
    fields: {
      operation: string,
      urgency: string,
      reason: string,
      targetAgeDays: option(u64),
      timeoutSeconds: option(u64),
    },
  }),
  HealthCheck: event({
    type: at(no, no, 92, 87, 87, 87, 87, 87),
    index: at(no, no, 91, 87, 87, 87, 87, 87),
    doc: "The node looked at itself.",
    fields: { checkType: string, nodeHealthy: bool, healthReport: option(string) },
  }),
  DiskSpaceLow: event({
    type: at(no, no, 93, 88, 88, 88, 88, 88),
    index: at(no, no, 92, 88, 88, 88, 88, 88),
    doc: "The disk is filling up.",
    fields: { availableBytes: u64, totalBytes: u64, percentFree: f64, diskPath: string },
  }),
  ResourceLimitWarning: event({
    type: at(no, no, 94, 89, 89, 89, 89, 89),
    index: at(no, no, 93, 89, 89, 89, 89, 89),
    doc: "A resource is near its limit.",
    fields: { resourceType: string, usagePercent: f64, currentUsage: u64, limit: u64, thresholdPercent: f64 },
  }),
  MempoolTransactionAdded: event({
    type: at(no, 65, 67, 62, 62, 62, 62, 62),
    index: at(no, 63, 65, 60, 60, 60, 60, 60),
    doc: "The mempool took a transaction.",
    fields: { txHash: hash, feeRate: f64, mempoolSize: usize },
  }),
  MempoolTransactionRemoved: event({
    type: at(no, 66, 68, 63, 63, 63, 63, 63),
    index: at(no, 64, 66, 61, 61, 61, 61, 61),
    doc: "The mempool lost a transaction.",
    fields: { txHash: hash, reason: string, mempoolSize: usize },
  }),
  MempoolThresholdExceeded: event({
    type: at(no, 67, 69, 64, 64, 64, 64, 64),
    index: at(no, 65, 67, 62, 62, 62, 62, 62),
    doc: "The mempool is too full.",
    fields: { currentSize: usize, threshold: usize },
  }),
  FeeRateChanged: event({
    type: at(no, 68, 70, 65, 65, 65, 65, 65),
    index: at(no, 66, 68, 63, 63, 63, 63, 63),
    doc: "The least fee rate changed.",
    fields: { oldFeeRate: f64, newFeeRate: f64, mempoolSize: usize },
  }),
  MempoolCleared: event({
    type: at(no, 69, 71, 66, 66, 66, 66, 66),
    index: at(no, 67, 69, 64, 64, 64, 64, 64),
    doc: "The mempool was emptied.",
    fields: { clearedCount: usize },
  }),
  StorageRead: event({
    type: at(no, 70, 72, 67, 67, 67, 67, 67),
    index: at(no, 68, 70, 65, 65, 65, 65, 65),
    doc: "Something was read from the disk.",
    fields: { operation: string, durationMs: u64 },
  }),
  StorageWrite: event({
    type: at(no, 71, 73, 68, 68, 68, 68, 68),
    index: at(no, 69, 71, 66, 66, 66, 66, 66),
    doc: "Something was written to the disk.",
    fields: { operation: string, durationMs: u64, bytesWritten: usize },
  }),
  StorageQuery: event({
    type: at(no, 72, 74, 69, 69, 69, 69, 69),
    index: at(no, 70, 72, 67, 67, 67, 67, 67),
    doc: "The storage was asked.",
    fields: { queryType: string, durationMs: u64 },
  }),
  DatabaseBackupStarted: event({
    type: at(no, 73, 75, 70, 70, 70, 70, 70),
    index: at(no, 71, 73, 68, 68, 68, 68, 68),
    doc: "A backup is being made.",
    fields: { backupPath: string },
  }),
  DatabaseBackupCompleted: event({
    type: at(no, 74, 76, 71, 71, 71, 71, 71),
    index: at(no, 72, 74, 69, 69, 69, 69, 69),
    doc: "A backup was made.",
    fields: { backupPath: string, success: bool, sizeBytes: u64, durationSeconds: u64 },
  }),
} as const;
