/** Requests about peers and what is served to them. */
import { bool, bytes, hash, string, u64 } from "../bincode.ts";
import { option, vec } from "../compound.ts";
import { request } from "../request-row.ts";
import { at, no } from "../schema.ts";

/** Requests about peers and what is served to them. */
export const NETWORK_REQUESTS = {
  GetNetworkStats: request({
    index: at(no, 12, 12, 12, 12, 12, 12, 12),
    doc: "Traffic and peers.",
    fields: {},
    response: "NetworkStats",
    permission: "ReadNetwork",
  }),
  GetNetworkPeers: request({
    index: at(no, 13, 13, 13, 13, 13, 13, 13),
    doc: "The peers.",
    fields: {},
    response: "NetworkPeers",
    permission: "ReadNetwork",
  }),
  SendMeshPacketToPeer: request({
    index: at(no, 52, 52, 45, 47, 47, 48, 48),
    doc: "Sends a mesh packet to a peer of the node.",
    fields: { peerAddr: string, packetData: bytes },
    response: "Bool",
    permission: "NetworkAccess",
  }),
  SendStratumV2MessageToPeer: request({
    index: at(no, 53, 53, 46, 48, 48, 49, 49),
    doc: "Sends a message to a miner that came in over the node's peer-to-peer port.",
    fields: { peerAddr: string, messageData: bytes },
    response: "Bool",
    permission: "NetworkAccess",
  }),
  MergeBlockServeDenylist: request({
    index: at(no, no, no, 49, 51, 52, 53, 53),
    doc: "Adds blocks that are not served.",
    fields: { blockHashes: vec(hash) },
    response: "BlockServeDenylistMerged",
    permission: "NetworkAccess",
  }),
  GetBlockServeDenylistSnapshot: request({
    index: at(no, no, no, 50, 52, 53, 54, 54),
    doc: "Blocks that are not served.",
    fields: {},
    response: "BlockServeDenylistSnapshot",
    permission: "ReadNetwork",
  }),
  ClearBlockServeDenylist: request({
    index: at(no, no, no, 51, 53, 54, 55, 55),
    doc: "Serves all blocks again.",
    fields: {},
    response: "Bool",
    permission: "NetworkAccess",
  }),
  ReplaceBlockServeDenylist: request({
    index: at(no, no, no, 52, 54, 55, 56, 56),
    doc: "States the blocks that are not served.",
    fields: { blockHashes: vec(hash) },
    response: "Bool",
    permission: "NetworkAccess",
  }),
  MergeTxServeDenylist: request({
    index: at(no, no, no, 53, 55, 56, 57, 57),
    doc: "Adds transactions that are not served.",
    fields: { txHashes: vec(hash) },
    response: "TxServeDenylistMerged",
    permission: "NetworkAccess",
  }),
  GetTxServeDenylistSnapshot: request({
    index: at(no, no, no, 54, 56, 57, 58, 58),
    doc: "Transactions that are not served.",
    fields: {},
    response: "TxServeDenylistSnapshot",
    permission: "ReadNetwork",
  }),
  ClearTxServeDenylist: request({
    index: at(no, no, no, 55, 57, 58, 59, 59),
    doc: "Serves all transactions again.",
    fields: {},
    response: "Bool",
    permission: "NetworkAccess",
  }),
  ReplaceTxServeDenylist: request({
    index: at(no, no, no, 56, 58, 59, 60, 60),
    doc: "States the transactions that are not served.",
    fields: { txHashes: vec(hash) },
    response: "Bool",
    permission: "NetworkAccess",
  }),
  BanPeer: request({
    index: at(no, no, no, 58, 60, 61, 62, 62),
    doc: "Bans a peer, for ever without a duration.",
    fields: { peerAddr: string, banDurationSeconds: option(u64) },
    response: "Bool",
    permission: "NetworkAccess",
  }),
  SetBlockServeMaintenanceMode: request({
    index: at(no, no, no, 59, 61, 62, 63, 63),
    doc: "Serves no blocks while it is on.",
    fields: { enabled: bool },
    response: "Bool",
    permission: "NetworkAccess",
  }),
} as const;
