/**
 * What a chain plugin imports: `bllvm-stratum-v2/plugin`. The contract, and what plugins are commonly built with, so that a
 * folder anywhere on disk works without installing anything.
 */
export { z } from "zod";
export { readCompactSize, writeCompactSize } from "./bitcoin/compact-size.ts";
export { sha256, sha256d } from "./bitcoin/hash.ts";
export { foldMerklePath } from "./bitcoin/merkle.ts";
export { opReturn } from "./bitcoin/script.ts";
export { hashToBigint, targetFromBytes, targetFromCompact } from "./bitcoin/target.ts";
export { type HttpAnswer, type HttpClient, type HttpLimits, type HttpRequest, nodeHttpClient } from "./daemon/http.ts";
export { HttpApi, type HttpApiDeps, type HttpApiOptions, type HttpApiRequest } from "./daemon/http-api.ts";
export { Polling, type PollingOptions } from "./daemon/polling.ts";
export type { CallOptions, Rpc, RpcParams } from "./daemon/rpc.ts";
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
export { describe, Fault, type FaultCode, type FaultData } from "./kernel/fault.ts";
export type { Log, LogFields } from "./kernel/log.ts";
export { Reader } from "./kernel/reader.ts";
export { Writer } from "./kernel/writer.ts";
export { type AuxPow, parseAuxPow, serializeAuxPow } from "./merge/auxpow/proof.ts";
export { type AuxPowClaim, type AuxPowFlaw, verifyAuxPow } from "./merge/auxpow/verify.ts";
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
export { compressCoinbase, RSK_TAG, rskMerkleProof, rskPartialMerkle } from "./merge/rsk/proof.ts";
export { type RskClaim, type RskFlaw, type RskHeaderClaim, verifyRsk, verifyRskHeader } from "./merge/rsk/verify.ts";
export type { AuxSlot, AuxWork } from "./mining/aux.ts";
export { type AuxPowSettings, auxPowConfig, auxPowKeys, payoutFlaw } from "./sdk/auxpow/config.ts";
export { openAuxPowChain } from "./sdk/auxpow/driver.ts";
export { AUXPOW_POLICY, auxPowPlugin } from "./sdk/auxpow/plugin.ts";
export { type AuxPowProfile, NAMECOIN_LIKE } from "./sdk/auxpow/profile.ts";
export { fromBase58check } from "./sdk/base58.ts";
export {
  type Daemon,
  type DaemonPorts,
  type DaemonSettings,
  daemonKeys,
  daemonList,
  daemonsConfig,
  daemonsOf,
  type NoticeChoice,
  systemPorts,
} from "./sdk/daemon-config.ts";
export {
  type Answered,
  type AskOptions,
  type DaemonStatus,
  Daemons,
  type DaemonsDeps,
  type DaemonsOptions,
} from "./sdk/daemons.ts";
export { listenForBlocks, type NoticesDeps } from "./sdk/notices.ts";
export { statusOfAny } from "./sdk/status-of-any.ts";
