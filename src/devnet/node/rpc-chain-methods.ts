/** RPC methods about blocks, the chain and the node. */
import { scriptOfAddress } from "../../bitcoin/address.ts";
import { serializeHeader } from "../../bitcoin/header.ts";
import { NETWORKS } from "../../bitcoin/network.ts";
import { scriptHash, witnessProgram } from "../../bitcoin/script.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { toHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { bitsHex, difficultyOfBits, hex256, type JsonObject } from "../rpc/json.ts";
import { RPC, RpcError } from "../rpc/protocol.ts";
import { hashArgument, param } from "../rpc/table.ts";
import { waitForTip } from "../rpc/wait.ts";
import { type BlockNode, medianTimePast } from "./block-index.ts";
import { blockArgument, type Methods, type RpcContext } from "./rpc-context.ts";
import { blockJson, headerJson } from "./rpc-json.ts";

/** Version that the node claims: the Bitcoin Core release whose answers it was modelled on. */
const CORE_VERSION = 310_100;

/** Rows by method name. */
export const CHAIN_METHODS: Methods = {
  getbestblockhash: { params: [], run: ({ chain }) => chain.tip.key },
  getblockcount: { params: [], run: ({ chain }) => chain.tip.height },
  getdifficulty: { params: [], run: ({ chain }) => difficultyOfBits(chain.tip.header.nBits) },
  getblockhash: {
    params: [param("height", "number")],
    run: ({ chain }, [height]) => {
      const node = chain.at(Number(height));
      if (node === undefined) throw new RpcError(RPC.INVALID_PARAMETER, "Block height out of range");
      return node.key;
    },
  },
  getblockheader: {
    params: [param("blockhash", "string"), param("verbose?", "bool")],
    run: (context, [hash, verbose = true]) => {
      const node = blockArgument(context, hash, "hash");
      return verbose === true ? headerJson(context.chain, node) : toHex(serializeHeader(node.header));
    },
  },
  getblock: { params: [param("blockhash", "string"), param("verbosity?", "number", "bool")], run: getBlock },
  getblockchaininfo: { params: [], run: getBlockchainInfo },
  getchaintips: { params: [], run: ({ chain }) => [tipJson(chain.tip, "active")] },
  waitfornewblock: {
    params: [param("timeout?", "number"), param("current_tip?", "string")],
    run: (context, [timeout = 0, current], signal) => {
      const known = current === undefined ? context.chain.tip.key : hashArgument(current, "current_tip");
      return waitAndTell(context, (tip) => tip.key !== known, Number(timeout), signal);
    },
  },
  waitforblockheight: {
    params: [param("height", "number"), param("timeout?", "number")],
    run: (context, [height, timeout = 0], signal) =>
      waitAndTell(context, (tip) => tip.height >= Number(height), Number(timeout), signal),
  },
  invalidateblock: {
    params: [param("blockhash", "string")],
    run: (context, [hash]) => {
      const node = blockArgument(context, hash);
      const forgotten = context.chain.isActive(node) && node.undo === undefined;
      if (node.height === 0 || forgotten) throw new RpcError(RPC.DATABASE_ERROR, "Block is too old to be disconnected");
      context.chain.invalidate(node);
      return null;
    },
  },
  reconsiderblock: {
    params: [param("blockhash", "string")],
    run: (context, [hash]) => {
      context.chain.reconsider(blockArgument(context, hash));
      return null;
    },
  },
  getnetworkinfo: { params: [], run: getNetworkInfo },
  getconnectioncount: { params: [], run: ({ peers }) => peers() },
  uptime: { params: [], run: ({ clock, startedMs }) => Math.floor((clock.monotonicMs() - startedMs) / 1000) },
  getzmqnotifications: {
    params: [],
    run: ({ zmqAddress }) => {
      const address = zmqAddress();
      return address === undefined ? [] : [{ type: "pubhashblock", address, hwm: 1000 }];
    },
  },
  validateaddress: { params: [param("address", "string")], run: validateAddress },
};

function getBlock(context: RpcContext, [hash, verbosity = 1]: readonly unknown[]): unknown {
  const node = blockArgument(context, hash);
  const level = typeof verbosity === "boolean" ? Number(verbosity) : Number(verbosity);
  const { data } = node;
  if (data === undefined) {
    const why = node.txCount === 0 ? "Block not available (not fully downloaded)" : "Block not available (pruned data)";
    throw new RpcError(RPC.MISC_ERROR, why);
  }
  if (level > 0) return blockJson(context.chain, node, data, level, context.network);
  const count = data.txs.length;
  const size = count < 0xfd ? [count] : [0xfd, count & 0xff, count >> 8];
  return (
    toHex(data.block.headerBytes) + toHex(Uint8Array.from(size)) + data.txs.map((each) => toHex(each.raw)).join("")
  );
}

function getBlockchainInfo({ chain, disturbances, network }: RpcContext): JsonObject {
  const { tip } = chain;
  return {
    chain: NETWORKS[network].coreName,
    blocks: tip.height,
    headers: tip.height + disturbances.headersAhead,
    bestblockhash: tip.key,
    bits: bitsHex(tip.header.nBits),
    target: hex256(targetFromCompact(tip.header.nBits)),
    difficulty: difficultyOfBits(tip.header.nBits),
    time: tip.header.time,
    mediantime: medianTimePast(tip),
    verificationprogress: tip.height / Math.max(1, tip.height + disturbances.headersAhead),
    initialblockdownload: disturbances.initialBlockDownload,
    chainwork: hex256(tip.work),
    size_on_disk: 0,
    ...(chain.lowestKept > 0 ? { pruned: true, pruneheight: chain.lowestKept } : { pruned: false }),
    warnings: [],
  };
}

function tipJson(node: BlockNode, status: string): JsonObject {
  return { height: node.height, hash: node.key, branchlen: 0, status };
}

async function waitAndTell(
  { chain, clock }: RpcContext,
  until: (tip: BlockNode) => boolean,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<JsonObject> {
  if (timeoutMs < 0) throw new RpcError(RPC.MISC_ERROR, "Negative timeout");
  await waitForTip({ chain, clock }, until, timeoutMs === 0 ? undefined : timeoutMs, signal);
  return { hash: chain.tip.key, height: chain.tip.height };
}

function getNetworkInfo({ peers, disturbances }: RpcContext): JsonObject {
  const count = disturbances.notConnected ? 0 : peers();
  return {
    version: CORE_VERSION,
    subversion: "/Satoshi:31.1.0(devnet)/",
    protocolversion: 70016,
    localservices: "0000000000000000",
    localservicesnames: [],
    localrelay: true,
    timeoffset: 0,
    networkactive: true,
    connections: count,
    connections_in: 0,
    connections_out: count,
    networks: [],
    relayfee: 0,
    incrementalfee: 0,
    localaddresses: [],
    warnings: [],
  };
}

function validateAddress({ network }: RpcContext, [address]: readonly unknown[]): JsonObject {
  try {
    const script = scriptOfAddress(String(address), network);
    const witness = witnessProgram(script);
    return {
      isvalid: true,
      address,
      scriptPubKey: toHex(script),
      isscript: scriptHash(script) !== undefined || witness?.program.length === 32,
      iswitness: witness !== undefined,
      ...(witness === undefined ? {} : { witness_version: witness.version, witness_program: toHex(witness.program) }),
    };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { isvalid: false, error_locations: [], error: `Invalid address: ${String(error.data.cause)}` };
  }
}
