/**
 * What a chain plugin imports: `bllvm-stratum-v2/plugin`. The contract, and what plugins are commonly built with, so that a
 * folder anywhere on disk works without installing anything.
 */
export { z } from "zod";
export { Polling, type PollingOptions } from "./daemon/polling.ts";
export {
  type ClientWebSocket,
  type ConnectWebSocket,
  connectWebSocket,
  type WebSocketEvents,
  type WebSocketLimits,
} from "./daemon/websocket.ts";
export { WebSocketFeed, type WebSocketFeedDeps, type WebSocketFeedOptions } from "./daemon/websocket-feed.ts";
export { concat, equal, fromHex, fromUtf8, reversed, toHex, utf8 } from "./kernel/bytes.ts";
export type { Clock, Timer } from "./kernel/clock.ts";
export type { Log, LogFields } from "./kernel/log.ts";
export {
  type AuxPowCommitment,
  type BlockStatus,
  type Chain,
  type ChainMeter,
  type ChainPlugin,
  type ChainPolicy,
  type Commitment,
  type Host,
  type Outcome,
  type OutputCommitment,
  PLUGIN_API,
  type Proof,
  type SubmittedBlock,
} from "./merge/plugin.ts";
export type { AuxSlot, AuxWork } from "./mining/aux.ts";
