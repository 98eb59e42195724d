/** The port's verbs as requests of the wire, and their answers in the port's words. */
import { equal } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";
import type {
  BllvmBlock,
  BllvmCallOptions,
  BllvmChainInfo,
  BllvmHeader,
  BllvmNode,
  BllvmPublishedEvent,
  BllvmSyncStatus,
} from "../bllvm-node.ts";
import type { AnswerTo, RequestValue } from "../wire/requests.ts";
import type { Operation } from "./operations.ts";
import type { Tip } from "./tip.ts";

/** Asks the node one thing. `has`: whether its version can be asked at all. */
export interface Ask {
  <N extends Operation>(name: N, value: RequestValue<N>, options?: BllvmCallOptions): Promise<AnswerTo<N>>;
  has(name: Operation): boolean;
}

/** What is offered to the node and to its other modules. */
export type ServedApi = Parameters<BllvmNode["serve"]>[0];

type Header = NonNullable<AnswerTo<"GetBlockHeader">["header"]>;
type Block = NonNullable<AnswerTo<"GetBlock">["block"]>;

/** All requests. */
export class Requests {
  readonly #ask: Ask;
  #target: { readonly hash: Uint8Array; readonly nBits: number } | undefined;

  constructor(deps: { readonly ask: Ask }) {
    this.#ask = deps.ask;
  }

  /**
   * The compact target is the tip header's: the node's `difficulty` is a difficulty, cut to an integer (`src/module/api/node_api.rs`).
   * N0 has no ChainInfo; there `isSynced` is assumed, since nothing tells.
   */
  async chainInfo(options?: BllvmCallOptions): Promise<BllvmChainInfo> {
    const { blockHash, height, isSynced } = await this.#chain(options);
    return { tipHash: blockHash, height, nBits: await this.#targetOf(blockHash, options), isSynced };
  }

  /** Hash and height of the tip. */
  async tip(options?: BllvmCallOptions): Promise<Tip> {
    const { blockHash, height } = await this.#chain(options);
    return { blockHash, height };
  }

  async #chain(options?: BllvmCallOptions): Promise<Tip & { readonly isSynced: boolean }> {
    if (this.#ask.has("GetChainInfo")) {
      const { chainInfo } = await this.#ask("GetChainInfo", {}, options);
      const { tipHash, height, isSynced } = chainInfo;
      return { blockHash: Uint8Array.from(tipHash), height: Number(height), isSynced };
    }
    // A block may come between the two; then the next reading finds it.
    const [{ hash }, { value }] = await Promise.all([
      this.#ask("GetChainTip", {}, options),
      this.#ask("GetBlockHeight", {}, options),
    ]);
    return { blockHash: Uint8Array.from(hash), height: Number(value), isSynced: true };
  }

  /** Compact target of a block; that of the last one is kept, as tips are asked for more often than they change. */
  async #targetOf(hash: Uint8Array, options?: BllvmCallOptions): Promise<number> {
    if (this.#target !== undefined && equal(this.#target.hash, hash)) return this.#target.nBits;
    const header = await this.blockHeader(hash, options);
    if (header === undefined) {
      throw new Fault("bllvm-request-failed", {
        request: "GetBlockHeader",
        words: "the node has no header of its tip",
      });
    }
    this.#target = { hash, nBits: header.nBits };
    return header.nBits;
  }

  /** Asks for the tip alone, which costs the connection while the node has none: alone, so that it is known for the reason. */
  async probeTip(): Promise<void> {
    await this.#ask("GetChainTip", {});
  }

  async syncStatus(options?: BllvmCallOptions): Promise<BllvmSyncStatus> {
    const { syncStatus } = await this.#ask("GetSyncStatus", {}, options);
    const { phase, progress, isSynced, errorMessage } = syncStatus;
    return { phase, progress, isSynced, error: errorMessage ?? undefined };
  }

  async blockHeader(hash: Uint8Array, options?: BllvmCallOptions): Promise<BllvmHeader | undefined> {
    const { header } = await this.#ask("GetBlockHeader", { hash }, options);
    return header === null ? undefined : headerOf(header);
  }

  async block(hash: Uint8Array, options?: BllvmCallOptions): Promise<BllvmBlock | undefined> {
    const { block } = await this.#ask("GetBlock", { hash }, options);
    return block === null ? undefined : blockOf(block);
  }

  async blockByHeight(height: number, options?: BllvmCallOptions): Promise<BllvmBlock | undefined> {
    const { block } = await this.#ask("GetBlockByHeight", { height: BigInt(height) }, options);
    return block === null ? undefined : blockOf(block);
  }

  async peerCount(options?: BllvmCallOptions): Promise<number> {
    const { networkStats } = await this.#ask("GetNetworkStats", {}, options);
    return Number(networkStats.peerCount);
  }

  async queueReceivedBlock(block: Uint8Array, options?: BllvmCallOptions): Promise<void> {
    await this.#ask("QueueReceivedBlock", { blockBytes: block }, options);
  }

  async publish(event: BllvmPublishedEvent, options?: BllvmCallOptions): Promise<void> {
    await this.#ask("PublishEvent", { eventType: event.name, payload: published(event) }, options);
  }

  /** Tells the node what its command line offers for us, then what other modules may call. */
  async register({ cli, methods, apiVersion }: ServedApi): Promise<void> {
    const subcommands = cli.subcommands.map(({ name, about, args }) => ({
      name,
      about,
      args: args.map(({ name, required, takesValue }) => ({
        name,
        longName: takesValue ? name : null,
        shortName: null,
        required,
        takesValue,
        default: null,
      })),
    }));
    const isClosed = (error: unknown): boolean => error instanceof Fault && error.code === "bllvm-request-closed";
    try {
      await this.#ask("RegisterCliSpec", { spec: { version: 1, name: cli.name, about: cli.about, subcommands } });
    } catch (error) {
      // Without a command line there are still methods, unless the connection is gone.
      if (isClosed(error)) return;
    }
    await this.#ask("RegisterModuleApi", { methods, apiVersion });
  }
}

function published(event: BllvmPublishedEvent): RequestValue<"PublishEvent">["payload"] {
  switch (event.name) {
    case "MiningJobCreated":
      return { name: event.name, value: { ...event.event, height: BigInt(event.event.height) } };
    case "ShareSubmitted":
      return { name: event.name, value: { ...event.event, minerId: event.event.minerId ?? null } };
    case "MergeMiningReward":
      return { name: event.name, value: event.event };
    case "MiningPoolConnected":
      return { name: event.name, value: { ...event.event, poolId: event.event.poolId ?? null } };
    case "MiningPoolDisconnected":
      return { name: event.name, value: event.event };
  }
}

function headerOf(header: Header): BllvmHeader {
  return {
    version: Number(BigInt.asIntN(32, header.version)),
    prevHash: Uint8Array.from(header.prevBlockHash),
    merkleRoot: Uint8Array.from(header.merkleRoot),
    timestamp: Number(header.timestamp),
    nBits: Number(BigInt.asUintN(32, header.bits)),
    nonce: Number(BigInt.asUintN(32, header.nonce)),
  };
}

function blockOf({ header, transactions }: Block): BllvmBlock {
  const scriptSig = transactions[0]?.inputs[0]?.scriptSig;
  return {
    header: headerOf(header),
    coinbaseScriptSig: scriptSig === undefined ? undefined : Uint8Array.from(scriptSig),
    transactionCount: transactions.length,
  };
}
