/**
 * The bllvm node with two ways to read its chain: its IPC, and its JSON-RPC while the IPC does not serve. An unmodified node often never serves a module that it
 * started itself, and at any refused request it closes the connection for half a second: neither is a reason to have no work.
 */
import type { Unsubscribe } from "../../../kernel/events.ts";
import { Fault, type FaultCode } from "../../../kernel/fault.ts";
import type { Log } from "../../../kernel/log.ts";
import type { BllvmCallOptions, BllvmEvents, BllvmNode, BllvmState } from "../bllvm-node.ts";
import type { ChainNode, ChainReads } from "./chain-node.ts";

/** What IPC rejects with when it cannot answer now; everything else is an answer. */
const NOT_SERVED: ReadonlySet<FaultCode> = new Set([
  "bllvm-away",
  "bllvm-request-closed",
  "bllvm-request-unusable",
  "bllvm-queue-full",
  "node-timeout",
]);

/** What the reads work with. */
export interface TwoWaysDeps {
  readonly node: BllvmNode;
  /** Over JSON-RPC. */
  readonly json: ChainReads;
  readonly log: Log;
}

/** Reads by IPC while it serves, else by JSON-RPC; all else is the node's. */
export class TwoWays implements ChainNode {
  readonly name: string;
  readonly address: string;
  readonly #deps: TwoWaysDeps;
  #isSaid = false;

  constructor(deps: TwoWaysDeps) {
    this.#deps = deps;
    this.name = deps.node.name;
    this.address = deps.node.address;
    // Seldom: a connection that was lost over one request is back within half a second, and nothing is said of it.
    deps.node.onState(({ phase, trouble }) => {
      if (phase === "up" && this.#isSaid) {
        this.#isSaid = false;
        deps.log.info(`the chain of the ${this.name} node is read by IPC again`);
      } else if (phase === "starving" && !this.#isSaid) {
        this.#isSaid = true;
        deps.log.info(`the chain of the ${this.name} node is read by its JSON-RPC while IPC is not served`, {
          trouble,
        });
      }
    });
  }

  state(): BllvmState {
    return this.#deps.node.state();
  }

  onState(listener: (state: BllvmState) => void): Unsubscribe {
    return this.#deps.node.onState(listener);
  }

  on<N extends keyof BllvmEvents>(name: N, listener: (event: BllvmEvents[N]) => void): Unsubscribe {
    return this.#deps.node.on(name, listener);
  }

  queueReceivedBlock(block: Uint8Array, options?: BllvmCallOptions): Promise<void> {
    return this.#deps.node.queueReceivedBlock(block, options);
  }

  chainInfo(options?: BllvmCallOptions) {
    return this.#read((reads) => reads.chainInfo(options));
  }

  blockHeader(hash: Uint8Array, options?: BllvmCallOptions) {
    return this.#read((reads) => reads.blockHeader(hash, options));
  }

  block(hash: Uint8Array, options?: BllvmCallOptions) {
    return this.#read((reads) => reads.block(hash, options));
  }

  blockByHeight(height: number, options?: BllvmCallOptions) {
    return this.#read((reads) => reads.blockByHeight(height, options));
  }

  peerCount(options?: BllvmCallOptions) {
    return this.#deps.json.peerCount(options);
  }

  async #read<T>(ask: (reads: ChainReads) => Promise<T>): Promise<T> {
    const { node, json } = this.#deps;
    if (node.state().phase !== "up") return await ask(json);
    try {
      return await ask(node);
    } catch (error) {
      if (!(error instanceof Fault) || !NOT_SERVED.has(error.code)) throw error;
      return await ask(json);
    }
  }
}
