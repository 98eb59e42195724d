/** RPC methods of the embedded Namecoin daemon about blocks, the chain and the node. */
import { targetFromCompact } from "../../bitcoin/target.ts";
import { toHex } from "../../kernel/bytes.ts";
import { bitsHex, difficultyOfBits, hex256, type JsonObject } from "../rpc/json.ts";
import { RPC, RpcError } from "../rpc/protocol.ts";
import { hashArgument, param } from "../rpc/table.ts";
import { waitForTip } from "../rpc/wait.ts";
import { blockJson, headerJson } from "./block-json.ts";
import { blockBytes } from "./chain.ts";
import { blockArgument, type NamecoinContext, type NamecoinMethods } from "./context.ts";

/** The release whose answers it was modelled on. */
const CORE_VERSION = 310_100;

/** Rows by method name. */
export const CHAIN_METHODS: NamecoinMethods = {
  getbestblockhash: { params: [], run: ({ chain }) => chain.tip.key },
  getblockcount: { params: [], run: ({ chain }) => chain.tip.height },
  getblockhash: {
    params: [param("height", "number")],
    run: ({ chain }, [height]) => {
      const block = chain.at(Number(height));
      if (block === undefined) throw new RpcError(RPC.INVALID_PARAMETER, "Block height out of range");
      return block.key;
    },
  },
  getblockheader: {
    params: [param("blockhash", "string"), param("verbose?", "bool")],
    run: (context, [hash, verbose = true]) => {
      const block = blockArgument(context, hash, "hash");
      return verbose === true ? headerJson(context.chain, block) : toHex(block.headerBytes);
    },
  },
  getblock: {
    params: [param("blockhash", "string"), param("verbosity?", "number", "bool")],
    run: (context, [hash, verbosity = 1]) => {
      const block = blockArgument(context, hash, "blockhash");
      const level = Number(verbosity);
      return level === 0 ? toHex(blockBytes(block)) : blockJson(context.chain, block, level);
    },
  },
  getblockchaininfo: { params: [], run: getBlockchainInfo },
  getmininginfo: {
    params: [],
    run: ({ chain }) => ({
      blocks: chain.tip.height,
      bits: bitsHex(chain.tip.header.nBits),
      difficulty: difficultyOfBits(chain.tip.header.nBits),
      pooledtx: chain.pending.size,
      chain: "regtest",
      warnings: [],
    }),
  },
  getchaintips: { params: [], run: getChainTips },
  waitfornewblock: {
    params: [param("timeout?", "number"), param("current_tip?", "string")],
    run: async ({ chain, clock }, [timeout = 0, current], signal) => {
      const timeoutMs = Number(timeout);
      if (timeoutMs < 0) throw new RpcError(RPC.MISC_ERROR, "Negative timeout");
      const known = current === undefined ? chain.tip.key : hashArgument(current, "current_tip");
      const limit = timeoutMs === 0 ? undefined : timeoutMs;
      await waitForTip({ chain, clock }, (tip) => tip.key !== known, limit, signal);
      return { hash: chain.tip.key, height: chain.tip.height };
    },
  },
  getnetworkinfo: { params: [], run: getNetworkInfo },
  getconnectioncount: { params: [], run: ({ disturbances }) => peersOf(disturbances) },
  uptime: { params: [], run: ({ clock, startedMs }) => Math.floor((clock.monotonicMs() - startedMs) / 1000) },
  getzmqnotifications: {
    params: [],
    run: ({ zmqAddress }) => {
      const address = zmqAddress();
      return address === undefined ? [] : [{ type: "pubhashblock", address, hwm: 1000 }];
    },
  },
  stop: {
    params: [],
    run: ({ stop }) => {
      stop();
      return "Namecoin Core stopping";
    },
  },
};

function getBlockchainInfo({ chain, disturbances }: NamecoinContext): JsonObject {
  const { tip } = chain;
  return {
    chain: "regtest",
    blocks: tip.height,
    headers: tip.height,
    bestblockhash: tip.key,
    bits: bitsHex(tip.header.nBits),
    difficulty: difficultyOfBits(tip.header.nBits),
    target: hex256(targetFromCompact(tip.header.nBits)),
    time: tip.header.time,
    mediantime: chain.medianTime(tip),
    verificationprogress: 1,
    initialblockdownload: disturbances.initialBlockDownload,
    chainwork: hex256(tip.work),
    size_on_disk: 0,
    pruned: false,
    warnings: [],
  };
}

/** A valid block beside the chain was never connected, so Core calls it `valid-headers`; one that was is a `valid-fork`. */
function getChainTips({ chain }: NamecoinContext): readonly JsonObject[] {
  return chain.tips().map((tip) => {
    let branch = 0;
    for (let at = chain.find(tip.key); at !== undefined && !chain.isActive(at); at = chain.parentOf(at)) branch++;
    const status = branch === 0 ? "active" : chain.wasActive(tip) ? "valid-fork" : "valid-headers";
    return { height: tip.height, hash: tip.key, branchlen: branch, status };
  });
}

function getNetworkInfo({ disturbances }: NamecoinContext): JsonObject {
  const connections = peersOf(disturbances);
  return {
    version: CORE_VERSION,
    subversion: "/Namecoin:31.1.0(devnet)/",
    protocolversion: 70016,
    localservices: "0000000000000000",
    localservicesnames: [],
    localrelay: true,
    timeoffset: 0,
    networkactive: true,
    connections,
    connections_in: 0,
    connections_out: connections,
    networks: [],
    relayfee: 0,
    incrementalfee: 0,
    localaddresses: [],
    warnings: [],
  };
}

/** The other miners that it pretends to have. */
function peersOf({ notConnected }: NamecoinContext["disturbances"]): number {
  return notConnected ? 0 : 8;
}
