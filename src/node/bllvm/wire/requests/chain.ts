/** Requests about the chain, and blocks to and from mining. */
import { bytes, hash, string, u64 } from "../bincode.ts";
import { option, vec } from "../compound.ts";
import { request } from "../request-row.ts";
import { at, no } from "../schema.ts";
import { block, coinbaseOutput, outPoint } from "../structs.ts";

/** Requests about the chain, and blocks to and from mining. */
export const CHAIN_REQUESTS = {
  GetBlock: request({
    index: at(1, 1, 1, 1, 1, 1, 1, 1),
    doc: "A block by its hash.",
    fields: { hash: hash },
    response: "Block",
    permission: "ReadBlockchain",
  }),
  GetBlockHeader: request({
    index: at(2, 2, 2, 2, 2, 2, 2, 2),
    doc: "A header by its block's hash.",
    fields: { hash: hash },
    response: "BlockHeader",
    permission: "ReadBlockchain",
  }),
  GetTransaction: request({
    index: at(3, 3, 3, 3, 3, 3, 3, 3),
    doc: "A transaction by its id.",
    fields: { hash: hash },
    response: "Transaction",
    permission: "ReadBlockchain",
  }),
  HasTransaction: request({
    index: at(4, 4, 4, 4, 4, 4, 4, 4),
    doc: "Whether the node has a transaction.",
    fields: { hash: hash },
    response: "Bool",
    permission: "ReadBlockchain",
  }),
  GetChainTip: request({
    index: at(5, 5, 5, 5, 5, 5, 5, 5),
    doc: "Hash of the tip; an error, and the connection with it, when there is none.",
    fields: {},
    response: "Hash",
    permission: "ReadChainState",
  }),
  GetBlockHeight: request({
    index: at(6, 6, 6, 6, 6, 6, 6, 6),
    doc: "Height of the tip.",
    fields: {},
    response: "U64",
    permission: "ReadChainState",
  }),
  GetUtxo: request({
    index: at(7, 7, 7, 7, 7, 7, 7, 7),
    doc: "An unspent output.",
    fields: { outpoint: outPoint },
    response: "Utxo",
    permission: "ReadUTXO",
  }),
  GetChainInfo: request({
    index: at(no, 14, 14, 14, 14, 14, 14, 14),
    doc: "Tip, height and difficulty at once.",
    fields: {},
    response: "ChainInfo",
    permission: "ReadChainState",
  }),
  GetBlockByHeight: request({
    index: at(no, 15, 15, 15, 15, 15, 15, 15),
    doc: "The block of the best chain at a height.",
    fields: { height: u64 },
    response: "BlockByHeight",
    permission: "ReadBlockchain",
  }),
  GetSyncStatus: request({
    index: at(no, no, no, 57, 59, 60, 61, 61),
    doc: "How far the node has come.",
    fields: {},
    response: "NodeSyncStatus",
    permission: "ReadChainState",
  }),
  GetBlockTemplate: request({
    index: at(no, no, no, 47, 49, 49, 50, 50),
    doc: "A block to be mined, with a coinbase of its own, since S4 with the witnesses' commitment, and no witnesses.",
    fields: { rules: vec(string), coinbaseScript: option(bytes), coinbaseAddress: option(string) },
    response: "BlockTemplate",
    permission: "ReadBlockchain",
  }),
  SubmitBlock: request({
    index: at(no, no, no, 48, 50, 50, 51, 51),
    doc: "A block without witnesses; the node cannot read what it makes of it, so this always fails.",
    fields: { block: block },
    response: "SubmitBlockResult",
    permission: "SubmitBlock",
  }),
  QueueReceivedBlock: request({
    index: at(no, no, no, no, no, 51, 52, 52),
    doc: "A whole block in Bitcoin's wire format, as if a peer had sent it.",
    fields: { blockBytes: bytes },
    response: "ReceivedBlockQueued",
    permission: "QueueInboundBlock",
  }),
  GetBlockAndWitnesses: request({
    index: at(no, no, no, no, no, no, 16, 16),
    doc: "A block by its hash, with the witnesses of its transactions.",
    fields: { hash: hash },
    response: "BlockAndWitnesses",
    permission: "ReadBlockchain",
  }),
  GetBlockTemplateWithOutputs: request({
    index: at(no, no, no, no, no, no, 65, 65),
    doc: "A block to be mined whose coinbase has these outputs; it has the witnesses' commitment, and no witnesses.",
    fields: { rules: vec(string), coinbaseScript: option(bytes), coinbaseOutputs: vec(coinbaseOutput) },
    response: "BlockTemplate",
    permission: "ReadBlockchain",
  }),
  GetBlockTemplateDeclared: request({
    index: at(no, no, no, no, no, no, 66, 66),
    doc: "The same of these mempool transactions in this order; an error when one is not there or cannot be chosen.",
    fields: {
      rules: vec(string),
      coinbaseScript: option(bytes),
      coinbaseOutputs: vec(coinbaseOutput),
      declaredTxids: vec(hash),
    },
    response: "BlockTemplate",
    permission: "ReadBlockchain",
  }),
  GetTxMetadata: request({
    index: at(no, no, no, no, no, no, no, 68),
    doc: "The block that a transaction is in; since 0.1.81.",
    fields: { txid: hash },
    response: "TxMetadata",
    permission: "ReadBlockchain",
  }),
} as const;
