/**
 * A bllvm node without a socket: its chain is the embedded regtest node's, which judges blocks by the real rules, and its JSON-RPC has
 * the defects of blvm-node (`src/rpc/mining.rs` at v0.1.54): data without witness, txids in internal order, version 1, heights that count
 * stored blocks, a quarter of the tip's target, and `null` for every block that fits the tip.
 */
import type { z } from "zod";
import { serializeTransaction, type Transaction } from "../../../../../src/bitcoin/transaction.ts";
import type { CallOptions, Rpc } from "../../../../../src/daemon/rpc.ts";
import { type BlockData, decodeBlock, txData } from "../../../../../src/devnet/node/block-data.ts";
import type { BlockNode } from "../../../../../src/devnet/node/block-index.ts";
import { DevnetNode } from "../../../../../src/devnet/node/node.ts";
import type { DevnetNodeOptions } from "../../../../../src/devnet/node/options.ts";
import { buildTemplate, templateJson } from "../../../../../src/devnet/node/template.ts";
import { toDisplayHex, toHex } from "../../../../../src/kernel/bytes.ts";
import type { Unsubscribe } from "../../../../../src/kernel/events.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import { silentLog } from "../../../../../src/kernel/log.ts";
import type {
  BllvmBlock,
  BllvmChainInfo,
  BllvmEvents,
  BllvmHeader,
  BllvmNode,
  BllvmPhase,
  BllvmState,
  BllvmSyncStatus,
} from "../../../../../src/node/bllvm/bllvm-node.ts";
import type { FakeClock } from "../../../../support/fake-clock.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

/** An embedded regtest node that has been prepared. */
export function regtest(clock: FakeClock, options: DevnetNodeOptions = {}, seed = 1): DevnetNode {
  const node = new DevnetNode(
    { clock, random: seededRandom(seed), log: silentLog },
    { initialBlocks: 110, transactions: { atLeast: 0 }, ...options },
  );
  node.prepare();
  return node;
}

/** The IPC side. */
export class FakeBllvm implements BllvmNode {
  readonly name = "bllvm";
  readonly address = "/run/node.sock";
  readonly devnet: DevnetNode;
  /** Requests by name. */
  readonly requests = new Map<string, number>();
  /** What every request, or one of them, fails with. */
  readonly failing = new Map<string, Fault>();
  /** Changes what a request answers. */
  readonly twists: {
    chainInfo?: (info: BllvmChainInfo) => BllvmChainInfo;
    block?: (block: BllvmBlock, node: BlockNode) => BllvmBlock | undefined;
    header?: (header: BllvmHeader, node: BlockNode) => BllvmHeader | undefined;
  } = {};
  /** The node's number minus the height. */
  offset: 0 | -1 = 0;
  isSynced = true;
  peers = 8;
  phase: BllvmPhase = "up";
  /** Whether it knows the capabilities of the module. */
  isKnown = true;
  /** Blocks handed over, and whether they are connected at once. */
  readonly queued: Uint8Array[] = [];
  connects = true;
  readonly #listeners = new Map<string, Set<(event: never) => void>>();
  readonly #stateListeners = new Set<(state: BllvmState) => void>();

  constructor(devnet: DevnetNode) {
    this.devnet = devnet;
    devnet.chain.events.on("tip", ({ node }) => {
      this.emit("NewBlock", { blockHash: node.hash, height: node.height + this.offset });
      this.emit("ChainTipUpdated", { blockHash: node.hash, height: node.height + this.offset });
    });
  }

  get chain() {
    return this.devnet.chain;
  }

  /** Listeners that are held now. */
  get listening(): number {
    let count = this.#stateListeners.size;
    for (const set of this.#listeners.values()) count += set.size;
    return count;
  }

  /** All requests so far. */
  get total(): number {
    let total = 0;
    for (const count of this.requests.values()) total += count;
    return total;
  }

  emit<N extends keyof BllvmEvents>(name: N, event: BllvmEvents[N]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) (listener as (event: BllvmEvents[N]) => void)(event);
  }

  /** Moves the connection to another phase. */
  turn(phase: BllvmPhase): void {
    this.phase = phase;
    for (const listener of [...this.#stateListeners]) listener(this.state());
  }

  state(): BllvmState {
    return {
      phase: this.phase,
      sinceMs: 0,
      nodeVersion: "0.1.54",
      schema: "s3",
      trouble: undefined,
      unusable: [],
      isKnown: this.isKnown,
    };
  }

  onState(listener: (state: BllvmState) => void): Unsubscribe {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
  }

  on<N extends keyof BllvmEvents>(name: N, listener: (event: BllvmEvents[N]) => void): Unsubscribe {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set);
    set.add(listener);
    return () => void set.delete(listener);
  }

  async #asked(request: string): Promise<void> {
    this.requests.set(request, (this.requests.get(request) ?? 0) + 1);
    await Promise.resolve();
    if (this.phase !== "up") throw new Fault("bllvm-away", { node: this.name });
    const fault = this.failing.get(request);
    if (fault !== undefined) throw fault;
  }

  async chainInfo(): Promise<BllvmChainInfo> {
    await this.#asked("chainInfo");
    const { tip } = this.chain;
    // What the field holds at v0.1.54: the difficulty as a whole number.
    const info = { tipHash: tip.hash, height: tip.height + this.offset, isSynced: this.isSynced };
    return this.twists.chainInfo?.(info) ?? info;
  }

  async syncStatus(): Promise<BllvmSyncStatus> {
    await this.#asked("syncStatus");
    return { phase: "Initial", progress: 0, isSynced: this.isSynced, error: undefined };
  }

  async blockHeader(hash: Uint8Array): Promise<BllvmHeader | undefined> {
    await this.#asked("blockHeader");
    const node = this.chain.find(toDisplayHex(hash));
    return node === undefined ? undefined : this.#header(node);
  }

  async block(hash: Uint8Array): Promise<BllvmBlock | undefined> {
    await this.#asked("block");
    const node = this.chain.find(toDisplayHex(hash));
    return node === undefined ? undefined : this.#block(node);
  }

  async blockByHeight(height: number): Promise<BllvmBlock | undefined> {
    await this.#asked("blockByHeight");
    const node = this.chain.at(height - this.offset);
    return node === undefined ? undefined : this.#block(node);
  }

  async peerCount(): Promise<number> {
    await this.#asked("peerCount");
    return this.peers;
  }

  async queueReceivedBlock(block: Uint8Array): Promise<void> {
    await this.#asked("queueReceivedBlock");
    this.queued.push(block);
    if (this.connects) this.chain.submit(decodeBlock(block));
  }

  async publish(): Promise<void> {}
  log(): void {}
  serve(): void {}

  #header(node: BlockNode): BllvmHeader | undefined {
    const { time, ...rest } = node.header;
    const header = { ...rest, timestamp: time };
    return this.twists.header === undefined ? header : this.twists.header(header, node);
  }

  /** As at v0.1.54, where the genesis block is known by its header alone. */
  #block(node: BlockNode): BllvmBlock | undefined {
    const { time, ...rest } = node.header;
    const coinbase = node.data?.txs[0]?.tx.inputs[0]?.script;
    if (coinbase === undefined || node.height === 0) return undefined;
    const block = {
      header: { ...rest, timestamp: time },
      coinbaseScriptSig: coinbase,
      transactionCount: node.txCount,
    };
    return this.twists.block === undefined ? block : this.twists.block(block, node);
  }
}

/** A template of the node's, as JSON. */
export type NodeTemplateJson = Record<string, unknown> & {
  transactions: Record<string, unknown>[];
  coinbasevalue: number;
  height: number;
};

/** The JSON-RPC side. */
export class FakeBllvmRpc implements Rpc {
  readonly name = "bllvm-rpc";
  readonly address = "http://127.0.0.1:18443/";
  readonly clockOffsetMs = undefined;
  readonly #bllvm: FakeBllvm;
  readonly #clock: FakeClock;
  readonly calls: string[] = [];
  readonly failing = new Map<string, Fault>();
  /** Methods that answer when they are told to. */
  readonly held = new Map<string, (() => void)[]>();
  /** Results that replace the usual ones. */
  readonly results = new Map<string, (params: readonly unknown[]) => unknown>();
  /** Changes the template. */
  twist: (template: NodeTemplateJson) => unknown = (template) => template;
  /** Blocks that were taken. */
  readonly taken: BlockData[] = [];

  constructor(bllvm: FakeBllvm, clock: FakeClock) {
    this.#bllvm = bllvm;
    this.#clock = clock;
  }

  /** Lets calls of `method` answer, those that wait first. */
  release(method: string): void {
    const waiting = this.held.get(method) ?? [];
    this.held.delete(method);
    for (const go of waiting) go();
  }

  count(method: string): number {
    return this.calls.filter((call) => call === method).length;
  }

  async call<S extends z.ZodType>(
    method: string,
    params: readonly unknown[],
    schema: S,
    _options?: CallOptions,
  ): Promise<z.output<S>> {
    this.calls.push(method);
    await Promise.resolve();
    const held = this.held.get(method);
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
    const fault = this.failing.get(method);
    if (fault !== undefined) throw fault;
    const result = this.results.get(method)?.(params) ?? this.#result(method, params);
    const checked = schema.safeParse(result === undefined ? null : result);
    if (!checked.success) throw new Fault("node-answer-unexpected", { node: this.name, method });
    return checked.data;
  }

  close(): void {}

  #result(method: string, params: readonly unknown[]): unknown {
    const { chain, devnet, offset } = this.#bllvm;
    switch (method) {
      case "getblockcount":
        return chain.tip.height + offset;
      case "getbestblockhash":
        return chain.tip.key;
      case "getblockchaininfo":
        return { blocks: chain.tip.height + offset, bestblockhash: chain.tip.key, initialblockdownload: false };
      case "getblockhash": {
        const at = chain.at(Number(params[0]) - offset);
        if (at === undefined)
          throw new Fault("node-rpc-error", { node: this.name, rpcCode: -5, says: "Block not found" });
        return at.key;
      }
      case "getblockheader": {
        const found = chain.find(String(params[0]));
        if (found === undefined) throw new Fault("node-rpc-error", { node: this.name, rpcCode: -5, says: "not found" });
        return toHex(found.headerBytes);
      }
      case "getblock": {
        const data = chain.find(String(params[0]))?.data;
        if (data === undefined) throw new Fault("node-rpc-error", { node: this.name, rpcCode: -5, says: "not found" });
        // As 0.1.54: no bytes, and ids in internal order.
        return { tx: data.txs.map(({ txid }) => toHex(txid)) };
      }
      case "getrawtransaction": {
        for (let height = chain.tip.height; height > 0; height--) {
          const coinbase = chain.at(height)?.data?.txs[0];
          if (coinbase !== undefined && toHex(coinbase.txid) === params[0]) {
            return toHex(serializeTransaction(coinbase.tx, { witness: true }));
          }
        }
        throw new Fault("node-rpc-error", { node: this.name, rpcCode: -5, says: "Transaction not found" });
      }
      case "getblocktemplate":
        return this.twist(nodeTemplateOf(devnet, this.#clock));
      case "submitblock": {
        const data = decodeBlock(Buffer.from(String(params[0]), "hex"));
        if (toDisplayHex(data.block.header.prevHash) !== chain.tip.key) {
          const says = "submitblock: prev_block_hash does not match current chain tip";
          throw new Fault("node-rpc-error", { node: this.name, rpcCode: -32602, says });
        }
        this.taken.push(data);
        // Sent when the block is queued, before it is checked.
        this.#bllvm.emit("BlockMined", { blockHash: data.hash, height: chain.tip.height, minerId: undefined });
        if (this.#bllvm.connects) chain.submit(data);
        return null;
      }
      default:
        throw new Fault("node-method-unknown", { node: this.name, method });
    }
  }
}

/** The template of `devnet` as the bllvm node would write it: on a fresh data folder its height is one less. */
export function nodeTemplateOf(devnet: DevnetNode, clock: FakeClock): NodeTemplateJson {
  const built = buildTemplate(devnet.chain, devnet.mempool);
  const core = templateJson(built, clock);
  const { default_witness_commitment, ...rest } = core;
  return {
    ...rest,
    version: 1,
    rules: ["csv", "segwit", "taproot"],
    coinbaseaux: { flags: "" },
    longpollid: built.prev.key,
    coinbasevalue: Number(built.coinbaseValue),
    height: built.height - 1,
    transactions: built.transactions.map(({ tx, fee }) => nodeEntryOf(tx, Number(fee))),
  };
}

/** One transaction as the bllvm node writes it. */
export function nodeEntryOf(tx: Transaction, fee: number): Record<string, unknown> {
  const raw = serializeTransaction(tx, { witness: false });
  const { txid } = txData(tx, serializeTransaction(tx, { witness: true }));
  return { data: toHex(raw), txid: toHex(txid), fee, sigops: 0, weight: 4 * raw.length };
}
