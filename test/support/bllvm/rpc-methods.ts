/**
 * The node's JSON-RPC methods that a mining module may use, with what is different from Bitcoin Core (blvm-node
 * `src/rpc/{mining,blockchain,network}.rs`):
 * - getblocktemplate: no witness commitment, hashes or dependencies; `data` without witness; `txid` in internal order;
 *   `height` is the number of stored blocks, which stale ones add to; `version` 1.
 * - getblockheader: `bits` is eight little-endian bytes, `merkleroot` and the `tx` of getblock in internal order, and a stale
 *   block keeps its confirmations, since nothing ever takes its height away.
 * - submitblock: `null` means queued, a block that is not on the tip is a JSON-RPC error, and BlockMined is told at once, with
 *   the height of the tip below and whether or not the block is valid.
 * - waitfornewblock: its timeout is in seconds, and without one it does not wait.
 */
import { subsidy } from "../../../src/bitcoin/coinbase.ts";
import { targetFromCompact } from "../../../src/bitcoin/target.ts";
import { legacySigops, serializeTransaction } from "../../../src/bitcoin/transaction.ts";
import { decodeBlock } from "../../../src/devnet/node/block-data.ts";
import { type BlockNode, medianTimePast } from "../../../src/devnet/node/block-index.ts";
import { hex256 } from "../../../src/devnet/rpc/json.ts";
import { equal, fromHex, toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import type { FakeChain } from "./chain.ts";
import type { AnyEvent } from "./messages.ts";
import { nodeDifficulty } from "./views.ts";

/** A method failed: code and words as the node says them. */
export class FakeRpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** What methods work on. */
export interface RpcWorld {
  readonly chain: FakeChain;
  readonly emit: (event: AnyEvent) => void;
  readonly queueBlock: (bytes: Uint8Array) => void;
  readonly peers: () => number;
  readonly hasTip: () => boolean;
  readonly nowMs: () => number;
  readonly nodeVersion: string;
  /** Whether the first block counts among the stored ones; without, the template's height is one less than BIP34's. */
  readonly countsGenesis: boolean;
}

type Params = readonly unknown[];

const MAX_BLOCK_HEX = 8_000_000;

/** Methods by name. */
export const RPC_METHODS: Readonly<Record<string, (world: RpcWorld, params: Params, signal: AbortSignal) => unknown>> =
  {
    getblockcount: ({ chain }) => chain.height,
    getbestblockhash: ({ chain }) => chain.chain.tip.key,
    getdifficulty: ({ chain }) => nodeDifficulty(chain.chain.tip.header.nBits),
    getconnectioncount: ({ peers }) => peers(),
    getblockhash: ({ chain }, [height]) => {
      const node = chain.chain.at(typeof height === "number" ? height : 0);
      if (node === undefined) throw new FakeRpcError(-5, `Block not found: at height ${String(height)}`);
      return node.key;
    },
    getblockheader: getBlockHeader,
    getblock: getBlock,
    getrawtransaction: getRawTransaction,
    getblockchaininfo: getBlockchainInfo,
    getmininginfo: ({ chain }) => ({
      blocks: chain.height,
      currentblocksize: 0,
      currentblockweight: 0,
      currentblocktx: 0,
      difficulty: nodeDifficulty(chain.chain.tip.header.nBits),
      networkhashps: 0,
      pooledtx: chain.node.mempool.size,
      chain: "regtest",
      warnings: "",
    }),
    getnetworkinfo: ({ peers, nodeVersion }) => ({
      version: 70015,
      subversion: `/BitcoinCommons:${nodeVersion}/`,
      protocolversion: 70015,
      localservices: "0000000000000001",
      localrelay: true,
      timeoffset: 0,
      networkactive: true,
      connections: peers(),
      networks: [],
      relayfee: 0.00001,
      incrementalfee: 0.00001,
      localaddresses: [],
      warnings: "",
    }),
    getrawmempool: ({ chain }) => [...chain.node.mempool.entries()].map(({ key }) => key),
    getblocktemplate: getBlockTemplate,
    submitblock: submitBlock,
    generatetoaddress: ({ chain }, [count]) => chain.generate(Number(count)).map(toHex),
    waitfornewblock: waitForNewBlock,
  };

/** Methods that need an admin's login. */
export const ADMIN_METHODS: ReadonlySet<string> = new Set(["getblocktemplate", "submitblock", "generatetoaddress"]);

function storedBlocks({ chain, countsGenesis }: RpcWorld): number {
  return chain.height + chain.chain.sideBlocks + (countsGenesis ? 1 : 0);
}

function blockOf({ chain }: RpcWorld, value: unknown): BlockNode {
  const hash = String(value ?? "");
  if (!/^[0-9a-f]{64}$/i.test(hash)) throw new FakeRpcError(-32603, `Invalid hash: ${hash}`);
  const node = chain.chain.find(hash.toLowerCase());
  if (node === undefined) throw new FakeRpcError(-5, "Block not found");
  return node;
}

function headJson({ chain }: RpcWorld, node: BlockNode) {
  const { header, height } = node;
  return {
    hash: node.key,
    confirmations: height > chain.height ? 0 : chain.height - height + 1,
    height,
    version: header.version | 0,
    versionHex: header.version.toString(16).padStart(8, "0"),
    merkleroot: toHex(header.merkleRoot),
    time: header.time,
    mediantime: medianTimePast(chain.chain.tip),
    nonce: header.nonce,
    difficulty: nodeDifficulty(header.nBits),
    chainwork: hex256(node.work),
    nTx: node.txCount,
    previousblockhash: toDisplayHex(header.prevHash),
  };
}

function getBlockHeader(world: RpcWorld, [hash, verbose = true]: Params): unknown {
  const node = blockOf(world, hash);
  if (verbose !== true) return toHex(node.headerBytes);
  const bits = new Uint8Array(8);
  new DataView(bits.buffer).setUint32(0, node.header.nBits, true);
  const next = world.chain.chain.at(node.height + 1)?.key ?? null;
  return { ...headJson(world, node), bits: toHex(bits), nextblockhash: next };
}

function getBlock(world: RpcWorld, [hash]: Params): unknown {
  const node = blockOf(world, hash);
  if (node.data === undefined) throw new FakeRpcError(-5, `Block not found: ${node.key}`);
  const { size, strippedSize, weight, txs } = node.data;
  return {
    ...headJson(world, node),
    size,
    strippedsize: strippedSize,
    weight,
    tx: txs.map(({ txid }) => toHex(txid)),
    bits: node.header.nBits.toString(16).padStart(8, "0"),
    nextblockhash: world.chain.chain.at(node.height + 1)?.key ?? "0".repeat(64),
  };
}

/** As seen on 0.1.54: by the id as getblock writes it, in internal order, coinbases too. */
function getRawTransaction({ chain }: RpcWorld, [id]: Params): unknown {
  for (let height = chain.height; height > 0; height--) {
    for (const { txid, tx } of chain.chain.at(height)?.data?.txs ?? []) {
      if (toHex(txid) === id) return toHex(serializeTransaction(tx, { witness: true }));
    }
  }
  throw new FakeRpcError(-5, "Transaction not found");
}

function getBlockchainInfo(world: RpcWorld): unknown {
  const { tip } = world.chain.chain;
  return {
    chain: "regtest",
    blocks: tip.height,
    headers: storedBlocks(world),
    bestblockhash: tip.key,
    difficulty: nodeDifficulty(tip.header.nBits),
    mediantime: medianTimePast(tip),
    verificationprogress: tip.height > 0 ? 1 : 0,
    initialblockdownload: tip.height === 0,
    chainwork: hex256(tip.work),
    size_on_disk: 0,
    pruned: false,
    pruneheight: 0,
    automatic_pruning: false,
    softforks: {},
    warnings: "",
  };
}

function getBlockTemplate(world: RpcWorld): unknown {
  const { chain } = world;
  if (!world.hasTip()) throw new FakeRpcError(-32603, "No chain tip");
  const { prev, nBits, transactions } = chain.template();
  const height = storedBlocks(world);
  const fees = transactions.reduce((sum, { fee }) => sum + fee, 0n);
  world.emit({
    name: "BlockTemplateUpdated",
    value: { prevHash: prev.hash, height: BigInt(height), txCount: BigInt(transactions.length) },
  });
  return {
    capabilities: ["proposal"],
    version: 1,
    rules: ["csv", "segwit", "taproot"],
    vbavailable: {},
    vbrequired: 0,
    previousblockhash: prev.key,
    transactions: transactions.map((each) => ({
      data: toHex(serializeTransaction(each.tx, { witness: false })),
      txid: toHex(each.txid),
      fee: Number(each.fee),
      sigops: legacySigops(each.tx),
      weight: each.weight,
    })),
    coinbaseaux: { flags: "" },
    coinbasevalue: Number(subsidy(height, chain.chain.options.halvingInterval) + fees),
    longpollid: prev.key,
    target: targetFromCompact(nBits).toString(16).padStart(64, "0"),
    mintime: medianTimePast(prev) + 1,
    mutable: ["time", "transactions", "prevblock"],
    noncerange: "00000000ffffffff",
    sigoplimit: 80_000,
    sizelimit: 4_000_000,
    weightlimit: 4_000_000,
    curtime: Math.floor(world.nowMs() / 1000),
    bits: nBits.toString(16).padStart(8, "0"),
    height,
  };
}

function submitBlock(world: RpcWorld, [value]: Params): null {
  const { chain } = world;
  if (typeof value !== "string") throw new FakeRpcError(-32602, "hexdata must be a string");
  if (value.length > MAX_BLOCK_HEX) throw new FakeRpcError(-32602, "hexdata exceeds maximum length");
  if (value.length % 2 !== 0) throw new FakeRpcError(-32602, "hexdata must be even-length hex string");
  if (!/^[0-9a-f]*$/i.test(value)) throw new FakeRpcError(-32602, "hexdata contains invalid hex characters");
  const bytes = fromHex(value);
  let block: ReturnType<typeof decodeBlock>;
  try {
    block = decodeBlock(bytes);
  } catch (error) {
    throw new FakeRpcError(-32602, `Failed to deserialize block: ${String(error)}`);
  }
  if (block.size !== bytes.length) {
    throw new FakeRpcError(-32602, "Block size mismatch: serialized block does not match wire size");
  }
  if (!equal(block.block.header.prevHash, chain.tipHash)) {
    throw new FakeRpcError(-32602, "submitblock: prev_block_hash does not match current chain tip");
  }
  world.queueBlock(bytes);
  world.emit({
    name: "BlockMined",
    value: { blockHash: block.hash, height: BigInt(chain.height), minerId: null },
  });
  return null;
}

async function waitForNewBlock({ chain }: RpcWorld, [timeoutS]: Params, signal: AbortSignal): Promise<unknown> {
  if (typeof timeoutS === "number") {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        unsubscribe();
        resolve();
      };
      // A timer cannot be longer than 2^31 - 1 ms.
      const timer = setTimeout(end, Math.min(timeoutS * 1000, 2 ** 31 - 1));
      const unsubscribe = chain.chain.events.on("tip", end);
      signal.addEventListener("abort", end, { once: true });
    });
  }
  return { hash: chain.chain.tip.key, height: chain.height };
}
