/** RPC methods about templates, blocks to be submitted, and the mempool. */
import { scriptOfAddress } from "../../bitcoin/address.ts";
import { scriptOfDescriptor } from "../../bitcoin/descriptor.ts";
import { NETWORKS } from "../../bitcoin/network.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { parseTransaction } from "../../bitcoin/transaction.ts";
import { toDisplayHex, toHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { amount, bitsHex, difficultyOfBits, hex256, type JsonObject } from "../rpc/json.ts";
import { RPC, RpcError } from "../rpc/protocol.ts";
import { hashArgument, hexArgument, param } from "../rpc/table.ts";
import { waitForTip } from "../rpc/wait.ts";
import { type BlockData, decodeBlock, txData, withCoinbaseWitness } from "./block-data.ts";
import { ancestorAt } from "./block-index.ts";
import type { MempoolEntry } from "./mempool.ts";
import { blockArgument, type Methods, type RpcContext } from "./rpc-context.ts";
import { transactionJson } from "./rpc-json.ts";
import { templateJson } from "./template.ts";

/** Blocks that one generate call may make. */
const MAX_GENERATE = 10_000;

/** Rows by method name. */
export const MINING_METHODS: Methods = {
  getblocktemplate: { params: [param("template_request", "object")], run: getBlockTemplate },
  submitblock: {
    params: [param("hexdata", "string"), param("dummy?", "string")],
    run: ({ chain }, [hex]) => {
      const data = decode(hex);
      const known = chain.find(toDisplayHex(data.block.header.prevHash)) !== undefined;
      return chain.submit(known ? withCoinbaseWitness(data) : data);
    },
  },
  getmininginfo: { params: [], run: getMiningInfo },
  getnetworkhashps: { params: [], run: (context) => networkHashrate(context) },
  generatetoaddress: {
    params: [param("nblocks", "number"), param("address", "string"), param("maxtries?", "number")],
    run: (context, [count, address], signal) =>
      generate(context, Number(count), () => scriptOfAddress(String(address), context.network), signal),
  },
  generatetodescriptor: {
    params: [param("num_blocks", "number"), param("descriptor", "string"), param("maxtries?", "number")],
    run: (context, [count, text], signal) =>
      generate(context, Number(count), () => scriptOfDescriptor(String(text), context.network), signal),
  },
  getmempoolinfo: { params: [], run: getMempoolInfo },
  getrawmempool: {
    params: [param("verbose?", "bool")],
    run: ({ mempool }, [verbose = false]) => {
      const entries = [...mempool.entries()];
      if (verbose !== true) return entries.map((each) => each.key);
      return Object.fromEntries(entries.map((each) => [each.key, entryJson(each)]));
    },
  },
  getrawtransaction: {
    params: [param("txid", "string"), param("verbosity?", "number", "bool"), param("blockhash?", "string")],
    run: getRawTransaction,
  },
  sendrawtransaction: {
    params: [param("hexstring", "string"), param("maxfeerate?", "number")],
    run: sendRawTransaction,
  },
};

async function getBlockTemplate(
  context: RpcContext,
  [request]: readonly unknown[],
  signal: AbortSignal,
): Promise<unknown> {
  const { mode = "template", longpollid, rules, data } = request as JsonObject;
  if (mode === "proposal") {
    if (typeof data !== "string") throw new RpcError(RPC.TYPE_ERROR, "Missing data String key for proposal");
    return context.chain.propose(decode(data));
  }
  if (mode !== "template") throw new RpcError(RPC.INVALID_PARAMETER, "Invalid mode");
  const { disturbances } = context;
  if (disturbances.notConnected) throw new RpcError(RPC.CLIENT_NOT_CONNECTED, "Bitcoin Core is not connected!");
  if (disturbances.initialBlockDownload) {
    const message = "Bitcoin Core is in initial sync and waiting for blocks...";
    throw new RpcError(RPC.CLIENT_IN_INITIAL_DOWNLOAD, message);
  }
  if (longpollid !== undefined && longpollid !== null) await longPoll(context, longpollid, signal);
  if (!Array.isArray(rules) || !rules.includes("segwit")) {
    const message = 'getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})';
    throw new RpcError(RPC.INVALID_PARAMETER, message);
  }
  return templateJson(context.template(), context.clock);
}

/** BIP22 long polling as Core does it: another tip ends it at once, another mempool only when it is time to look. */
async function longPoll(context: RpcContext, id: unknown, signal: AbortSignal): Promise<void> {
  const { chain, clock, mempool } = context;
  // An id that is no string waits from now on.
  const known = typeof id === "string" ? hashArgument(id.slice(0, 64), "longpollid") : chain.tip.key;
  const updates = typeof id === "string" ? Number.parseInt(id.slice(64), 10) || 0 : mempool.updates;
  let timeoutMs = context.longPoll.firstMs;
  while (!signal.aborted) {
    await waitForTip({ chain, clock }, (tip) => tip.key !== known, timeoutMs, signal);
    if (chain.tip.key !== known || mempool.updates !== updates) break;
    timeoutMs = context.longPoll.laterMs;
  }
  if (signal.aborted) throw new RpcError(RPC.CLIENT_NOT_CONNECTED, "Shutting down");
}

function decode(hex: unknown): BlockData {
  const bytes = hexArgument(hex);
  try {
    if (bytes !== undefined) return decodeBlock(bytes);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  throw new RpcError(RPC.DESERIALIZATION_ERROR, "Block decode failed");
}

function getMiningInfo(context: RpcContext): JsonObject {
  const { chain, mempool, network } = context;
  const facts = (nBits: number): JsonObject => ({
    bits: bitsHex(nBits),
    difficulty: difficultyOfBits(nBits),
    target: hex256(targetFromCompact(nBits)),
  });
  return {
    blocks: chain.tip.height,
    ...facts(chain.tip.header.nBits),
    networkhashps: networkHashrate(context),
    pooledtx: mempool.size,
    blockmintxfee: 0,
    chain: NETWORKS[network].coreName,
    next: { height: chain.tip.height + 1, ...facts(chain.nextBits) },
    warnings: [],
  };
}

/** Work over time of the last 120 blocks, hashes a second. */
function networkHashrate({ chain: { tip } }: RpcContext): number {
  const first = ancestorAt(tip, Math.max(0, tip.height - 120));
  if (first === undefined || tip.header.time <= first.header.time) return 0;
  return Number(tip.work - first.work) / (tip.header.time - first.header.time);
}

async function generate(
  context: RpcContext,
  count: number,
  script: () => Uint8Array,
  signal: AbortSignal,
): Promise<string[]> {
  let pays: Uint8Array;
  try {
    pays = script();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new RpcError(RPC.INVALID_ADDRESS_OR_KEY, "Error: Invalid address");
  }
  if (!Number.isInteger(count) || count < 0 || count > MAX_GENERATE) {
    throw new RpcError(RPC.INVALID_PARAMETER, `number of blocks must be from 0 to ${MAX_GENERATE}`);
  }
  return context.generate(count, pays, signal);
}

function getMempoolInfo({ mempool }: RpcContext): JsonObject {
  let bytes = 0;
  let fees = 0n;
  for (const each of mempool.entries()) {
    bytes += Math.ceil(each.weight / 4);
    fees += each.fee;
  }
  return {
    loaded: true,
    size: mempool.size,
    bytes,
    usage: bytes,
    total_fee: amount(fees),
    maxmempool: 10_000_000,
    mempoolminfee: 0,
    minrelaytxfee: 0,
    incrementalrelayfee: 0,
    unbroadcastcount: 0,
    fullrbf: false,
  };
}

function entryJson(entry: MempoolEntry): JsonObject {
  return {
    vsize: Math.ceil(entry.weight / 4),
    weight: entry.weight,
    time: entry.time,
    wtxid: toDisplayHex(entry.wtxid),
    fees: { base: amount(entry.fee) },
    depends: [...entry.parents],
  };
}

function getRawTransaction(context: RpcContext, [txid, verbosity = 0, blockHash]: readonly unknown[]): unknown {
  const key = hashArgument(txid, "txid");
  const block = blockHash === undefined ? undefined : blockArgument(context, blockHash);
  const found = block === undefined ? context.mempool.get(key) : block.data?.txs.find((each) => each.key === key);
  if (found === undefined) {
    const where =
      block === undefined
        ? "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries"
        : "No such transaction found in the provided block";
    throw new RpcError(RPC.INVALID_ADDRESS_OR_KEY, `${where}. Use gettransaction for wallet transactions.`);
  }
  if (Number(verbosity) === 0) return toHex(found.raw);
  const confirmed = block === undefined ? {} : { blockhash: block.key };
  return { ...transactionJson(found, context.network), ...confirmed, hex: toHex(found.raw) };
}

function sendRawTransaction({ chain, mempool }: RpcContext, [hex]: readonly unknown[]): string {
  const raw = hexArgument(hex);
  let data: ReturnType<typeof txData> | undefined;
  try {
    if (raw !== undefined) data = txData(parseTransaction(raw), raw);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  if (data === undefined) {
    const message = "TX decode failed. Make sure the tx has at least one input.";
    throw new RpcError(RPC.DESERIALIZATION_ERROR, message);
  }
  const { key } = data;
  if (data.tx.outputs.some((_, i) => chain.coins.get(`${key}:${i}`) !== undefined)) {
    throw new RpcError(RPC.VERIFY_ALREADY_IN_CHAIN, "Transaction outputs already in utxo set");
  }
  // Core answers the txid of a transaction that it has already.
  if (mempool.get(key) !== undefined) return key;
  const refusal = mempool.accept(data);
  if (refusal === undefined) return key;
  const missing = refusal.reason === "bad-txns-inputs-missingorspent";
  throw new RpcError(missing ? RPC.VERIFY_ERROR : RPC.VERIFY_REJECTED, refusal.reason);
}
