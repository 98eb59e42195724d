/**
 * The bllvm node as an RPC of Bitcoin Core's kind: its module IPC for everything about the chain, and its own JSON-RPC, when
 * there is one, for transactions and as a second way for blocks. So job source, block submission and block status of `bitcoind/`
 * work on it as on any other node, in one order of preference with Bitcoin Core.
 */
import type { z } from "zod";
import type { CallOptions, Rpc, RpcParams } from "../../../daemon/rpc.ts";
import { fromDisplayHex, toDisplayHex } from "../../../kernel/bytes.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { Fault, type FaultCode } from "../../../kernel/fault.ts";
import type { Log } from "../../../kernel/log.ts";
import type { BllvmNode } from "../bllvm-node.ts";
import { headerAnswer } from "./block-place.ts";
import { BllvmChain, type ChainView } from "./chain.ts";
import type { ChainNode } from "./chain-node.ts";
import { withDeadline } from "./deadline.ts";
import { JsonReads } from "./json-reads.ts";
import { NextTarget } from "./next-target.ts";
import { NodeTemplates } from "./node-templates.ts";
import { coreError } from "./rpc-error.ts";
import { submitBlock } from "./submission.ts";
import { Templates } from "./templates.ts";
import { TipBell } from "./tip-bell.ts";
import { TwoWays } from "./two-ways.ts";

/** What `BllvmRpc` needs. */
export interface BllvmRpcDeps {
  readonly node: BllvmNode;
  /** The node's own JSON-RPC; `undefined` when it is not configured. */
  readonly rpc: Rpc | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Times, ms. The defaults stand in `BLLVM_RPC_DEFAULTS`. */
export interface BllvmRpcOptions {
  /** Deadline of a call, unless the call says otherwise. */
  readonly timeoutMs: number;
  /** Deadline of one request to the node. */
  readonly requestTimeoutMs: number;
  /** How long a template waits for the node's JSON-RPC before it goes out without transactions. */
  readonly templateWaitMs: number;
  /** How long a submitted block has to get into the best chain; less than the deadline of `submitblock`. */
  readonly confirmMs: number;
  /** Time between looks at the chain while a block is waited for and no event comes. */
  readonly lookMs: number;
  /** Time between looks at the tip while IPC is not served and no event can come. */
  readonly pollMs: number;
}

/** Values for every network. */
export const BLLVM_RPC_DEFAULTS: BllvmRpcOptions = {
  timeoutMs: 30_000,
  requestTimeoutMs: 10_000,
  templateWaitMs: 5_000,
  confirmMs: 30_000,
  lookMs: 2_000,
  pollMs: 1_000,
};

/**
 * Age of the tip from which on a node that calls itself unsynchronised is believed, ms. The node shows its modules the state of the moment
 * at which it started them, and a node that had nothing to download then says so for good (blvm-node `src/node/mod.rs`); a tip that
 * is as new as this is none that a node reaches halfway.
 */
const SYNCING_TIP_AGE_MS = 4 * 3_600_000;

/** What a request ends with that the node does not offer to this module. */
const NOT_OFFERED: ReadonlySet<FaultCode> = new Set([
  "bllvm-request-unusable",
  "bllvm-request-closed",
  "bllvm-request-failed",
]);

/** Runs one method. */
type Method = (params: readonly unknown[], signal: AbortSignal) => Promise<unknown>;

/** The node's RPC. */
export class BllvmRpc implements Rpc {
  readonly name: string;
  readonly address: string;
  /** Header times are by our clock: IPC tells none, and the node is on this machine. */
  readonly clockOffsetMs = undefined;
  readonly #deps: Omit<BllvmRpcDeps, "node"> & { readonly node: ChainNode };
  readonly #options: BllvmRpcOptions;
  readonly #chain: BllvmChain;
  readonly #nextTarget: NextTarget;
  readonly #templates: Templates;
  readonly #methods: Readonly<Record<string, Method>>;

  constructor(deps: BllvmRpcDeps, options: BllvmRpcOptions) {
    const { rpc, clock, log } = deps;
    const node: ChainNode =
      rpc === undefined ? deps.node : new TwoWays({ node: deps.node, json: new JsonReads({ rpc }), log });
    this.name = node.name;
    this.address = node.address;
    this.#deps = { ...deps, node };
    this.#options = options;
    this.#chain = new BllvmChain({ node }, { timeoutMs: options.requestTimeoutMs });
    const chain = this.#chain;
    this.#nextTarget = new NextTarget({ chain }, { name: node.name });
    node.on("MiningDifficultyChanged", (event) => this.#nextTarget.note(event));
    node.on("ChainReorg", () => this.#nextTarget.forget());
    const nodeTemplates =
      rpc === undefined ? undefined : new NodeTemplates({ rpc, clock }, { waitMs: options.templateWaitMs });
    this.#templates = new Templates(
      { ...this.#deps, chain, nextTarget: this.#nextTarget, nodeTemplates },
      { name: node.name },
    );
    this.#methods = {
      getbestblockhash: async () => (await chain.tip()).key,
      getblockchaininfo: () => this.#blockchainInfo(),
      getblockcount: async () => (await chain.tip()).height,
      getblockhash: ([height]) => this.#blockHash(height),
      getblockheader: ([hash]) =>
        headerAnswer({ node, chain }, this.#hash("getblockheader", hash), { timeoutMs: options.requestTimeoutMs }),
      getblocktemplate: () => this.#templates.make(),
      getmininginfo: () => this.#miningInfo(),
      getnetworkinfo: () => this.#networkInfo(),
      submitblock: ([hex], signal) => submitBlock({ node, rpc, chain, clock }, options, String(hex), signal),
      waitfornewblock: ([timeoutMs, known], signal) => this.#waitForNewBlock(timeoutMs, known, signal),
    };
  }

  /** As `Rpc.call`. Throws what the node's requests throw too (`BllvmNode`), and the faults of `src/kernel/faults/bllvm.ts`. */
  async call<S extends z.ZodType>(
    method: string,
    params: RpcParams,
    schema: S,
    options: CallOptions = {},
  ): Promise<z.output<S>> {
    const facts = { node: this.name, address: this.address, method };
    const run = Object.hasOwn(this.#methods, method) ? this.#methods[method] : undefined;
    if (run === undefined || !Array.isArray(params)) throw new Fault("node-method-unknown", facts);
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs;
    const late = (): Fault => new Fault("node-timeout", { ...facts, seconds: timeoutMs / 1000 });
    const limits = { signal: options.signal, timeoutMs, late };
    const result = await withDeadline(this.#deps.clock, limits, (signal) => run(params, signal));
    const checked = schema.safeParse(result);
    if (checked.success) return checked.data;
    const issue = checked.error.issues[0];
    throw new Fault("node-answer-unexpected", {
      ...facts,
      place: issue?.path.map(String).join("."),
      expected: issue?.message,
    });
  }

  /** Closes idle connections of the node's JSON-RPC; its IPC is the caller's. */
  close(): void {
    this.#deps.rpc?.close();
  }

  async #blockchainInfo(): Promise<unknown> {
    const tip = await this.#chain.tip();
    return {
      chain: tip.network.coreName,
      blocks: tip.height,
      // The node does not tell of headers without blocks.
      headers: tip.height,
      bestblockhash: tip.key,
      bits: bitsOf(tip.header.nBits),
      time: tip.header.timestamp,
      mediantime: tip.medianTime,
      initialblockdownload: this.#isSyncing(tip),
    };
  }

  #isSyncing(tip: ChainView): boolean {
    return !tip.isSynced && this.#deps.clock.nowMs() - tip.header.timestamp * 1000 > SYNCING_TIP_AGE_MS;
  }

  async #networkInfo(): Promise<unknown> {
    const { nodeVersion = "0" } = this.#deps.node.state();
    const connections = await this.#connections();
    return { version: versionNumber(nodeVersion), subversion: `/bllvm:${nodeVersion}/`, connections };
  }

  /**
   * Peers by JSON-RPC; by IPC only where it is sure to be allowed, for a request that is not costs the connection. `undefined` where nobody tells: callers
   * do without it.
   */
  async #connections(): Promise<number | undefined> {
    const { node, rpc } = this.#deps;
    if (rpc === undefined && !node.state().isKnown) return undefined;
    try {
      return await node.peerCount({ timeoutMs: this.#options.requestTimeoutMs });
    } catch (error) {
      if (rpc !== undefined || (error instanceof Fault && NOT_OFFERED.has(error.code))) return undefined;
      throw error;
    }
  }

  async #blockHash(height: unknown): Promise<string> {
    if (height === 0) return toDisplayHex((await this.#chain.network()).genesisHash);
    const tip = await this.#chain.tip();
    const block = typeof height === "number" ? await this.#chain.at(height, tip) : undefined;
    if (block !== undefined) return toDisplayHex(block.hash);
    throw coreError(this.name, "getblockhash", "RPC_INVALID_PARAMETER", "Block height out of range");
  }

  async #miningInfo(): Promise<unknown> {
    const tip = await this.#chain.tip();
    const nBits = await this.#nextTarget.after(tip, Math.floor(this.#deps.clock.nowMs() / 1000));
    return {
      blocks: tip.height,
      bits: bitsOf(tip.header.nBits),
      chain: tip.network.coreName,
      next: { height: tip.height + 1, bits: bitsOf(nBits) },
    };
  }

  /** The tip as soon as it is not `known` any more, at the latest after `timeout` ms; 0 waits without end, as in Core. */
  async #waitForNewBlock(timeout: unknown, known: unknown, signal: AbortSignal): Promise<unknown> {
    const { node, clock } = this.#deps;
    const timeoutMs = typeof timeout === "number" && timeout > 0 ? timeout : Infinity;
    const startedMs = clock.monotonicMs();
    // Before the first look, so that nothing is missed behind it.
    const bell = new TipBell(node);
    try {
      let tip = await this.#chain.tip();
      const before = typeof known === "string" ? known : tip.key;
      while (tip.key === before) {
        const leftMs = timeoutMs - (clock.monotonicMs() - startedMs);
        if (leftMs <= 0) break;
        // Nothing rings while there are no events.
        const longestMs = node.state().phase === "up" ? LONGEST_SLEEP_MS : this.#options.pollMs;
        await bell.rings(clock, Math.min(leftMs, longestMs), signal);
        signal.throwIfAborted();
        tip = await this.#chain.tip();
      }
      return { hash: tip.key, height: tip.height };
    } finally {
      bell.putAway();
    }
  }

  #hash(method: string, value: unknown): Uint8Array {
    if (typeof value === "string" && /^[0-9a-fA-F]{64}$/.test(value)) return fromDisplayHex(value);
    throw coreError(this.name, method, "RPC_INVALID_PARAMETER", "blockhash must be of length 64 (not a hash)");
  }
}

/** Timers take no more. */
const LONGEST_SLEEP_MS = 0x7fff_ffff;

function bitsOf(nBits: number): string {
  return nBits.toString(16).padStart(8, "0");
}

/** As Core writes its own: 0.1.54 is 154. */
function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+-]/).map((part) => Number.parseInt(part, 10) || 0);
  return 10_000 * major + 100 * minor + patch;
}
