/** Events of mining. */
import { bytes, hash, string, u32, u64, usize } from "../bincode.ts";
import { option } from "../compound.ts";
import { event } from "../rows.ts";
import { at, no } from "../schema.ts";

/** Events of mining. */
export const MINING_EVENTS = {
  BlockMined: event({
    type: at(no, 12, 12, 12, 12, 12, 12, 12),
    index: at(no, 12, 12, 12, 12, 12, 12, 12),
    doc: "A block was made through the node's JSON-RPC.",
    fields: { blockHash: hash, height: u64, minerId: option(string) },
  }),
  BlockTemplateUpdated: event({
    type: at(no, 13, 13, 13, 13, 13, 13, 13),
    index: at(no, 13, 13, 13, 13, 13, 13, 13),
    doc: "Somebody asked the node's JSON-RPC for a template.",
    fields: { prevHash: hash, height: u64, txCount: usize },
  }),
  MiningDifficultyChanged: event({
    type: at(no, 14, 14, 14, 14, 14, 14, 14),
    index: at(no, 14, 14, 14, 14, 14, 14, 14),
    doc: "The target changed; the values are compact targets.",
    fields: { oldDifficulty: u32, newDifficulty: u32, height: u64 },
  }),
  MiningJobCreated: event({
    type: at(no, 15, 15, 15, 15, 15, 15, 15),
    index: at(no, 15, 15, 15, 15, 15, 15, 15),
    doc: "A mining job was made; published by modules.",
    fields: { jobId: string, prevHash: hash, height: u64 },
  }),
  ShareSubmitted: event({
    type: at(no, 18, 18, 18, 18, 18, 18, 18),
    index: at(no, 16, 16, 16, 16, 16, 16, 16),
    doc: "A share was accepted; published by modules.",
    fields: { jobId: string, shareHash: hash, minerId: option(string) },
  }),
  MergeMiningReward: event({
    type: at(no, 19, 19, 19, 19, 19, 19, 19),
    index: at(no, 17, 17, 17, 17, 17, 17, 17),
    doc: "An auxiliary chain pays a block; published by modules.",
    fields: { secondaryChain: string, rewardAmount: u64, blockHash: hash },
  }),
  MiningPoolConnected: event({
    type: at(no, 20, 20, 20, 20, 20, 20, 20),
    index: at(no, 18, 18, 18, 18, 18, 18, 18),
    doc: "A connection to a pool stands; published by modules.",
    fields: { poolUrl: string, poolId: option(string) },
  }),
  MiningPoolDisconnected: event({
    type: at(no, 21, 21, 21, 21, 21, 21, 21),
    index: at(no, 19, 19, 19, 19, 19, 19, 19),
    doc: "A connection to a pool ended; published by modules.",
    fields: { poolUrl: string, reason: string },
  }),
  StratumV2MessageReceived: event({
    type: at(no, 17, 17, 17, 17, 17, 17, 17),
    index: at(no, no, no, 76, 76, 76, 76, 76),
    doc: "A miner sent a message to the node's peer-to-peer port.",
    fields: { messageData: bytes, peerAddr: string },
  }),
  StratumClientConnected: event({
    type: at(no, no, no, 109, 109, 110, 110, 110),
    index: at(no, no, no, 109, 109, 110, 110, 110),
    doc: "A miner connected to a stratum module; published by modules.",
    fields: { endpoint: string, protocolVersion: u32 },
  }),
  StratumClientDisconnected: event({
    type: at(no, no, no, 110, 110, 111, 111, 111),
    index: at(no, no, no, 110, 110, 111, 111, 111),
    doc: "A miner left a stratum module; published by modules.",
    fields: { endpoint: string, reason: string },
  }),
} as const;
