/**
 * The bllvm node's chain read over its own JSON-RPC, in the shape of its IPC. Headers are taken as bytes, which must hash to what was asked for: the members of
 * its JSON come in several byte orders by version (blvm-node `src/rpc/blockchain.rs`), the bytes in one.
 *
 * JSON-RPC gives no coinbase, which would tell a block's height. What stands in its place is the node's number of the block, and how these numbers stand to heights
 * is looked up once, at the first block that is stored: that one is the genesis block, or the one behind it.
 */
import { z } from "zod";
import { heightPush } from "../../../bitcoin/coinbase.ts";
import { parseHeader } from "../../../bitcoin/header.ts";
import type { Rpc } from "../../../daemon/rpc.ts";
import { fromDisplayHex, toDisplayHex } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";
import { blockHash } from "../../bitcoind/answers.ts";
import { bytesOfHex } from "../../bitcoind/block-template.ts";
import type { BllvmBlock, BllvmCallOptions, BllvmChainInfo, BllvmHeader } from "../bllvm-node.ts";
import type { ChainReads } from "./chain-node.ts";
import { hashOfHeader } from "./headers.ts";
import { networkOfGenesis } from "./identity.ts";

const count = z.int().min(0);
const chainInfo = z.object({
  blocks: count,
  bestblockhash: blockHash,
  initialblockdownload: z.boolean().default(false),
});
const headerHex = z.string().length(160);
const place = z.object({ height: count });

/** Reads over JSON-RPC. Rejects with the faults of `Rpc`, and with `bllvm-chain-incomplete` where the numbering cannot be known. */
export class JsonReads implements ChainReads {
  readonly #rpc: Rpc;
  #offset: Promise<0 | -1> | undefined;

  constructor(deps: { readonly rpc: Rpc }) {
    this.#rpc = deps.rpc;
  }

  async chainInfo(options: BllvmCallOptions = {}): Promise<BllvmChainInfo> {
    const { blocks, bestblockhash, initialblockdownload } = await this.#rpc.call(
      "getblockchaininfo",
      [],
      chainInfo,
      options,
    );
    return { tipHash: fromDisplayHex(bestblockhash), height: blocks, isSynced: !initialblockdownload };
  }

  async blockHeader(hash: Uint8Array, options: BllvmCallOptions = {}): Promise<BllvmHeader | undefined> {
    const key = toDisplayHex(hash);
    const hex = await this.#found(this.#rpc.call("getblockheader", [key, false], headerHex, options));
    const bytes = hex === undefined ? undefined : bytesOfHex(hex);
    if (bytes === undefined) return undefined;
    const { time: timestamp, ...header } = parseHeader(bytes);
    const read = { ...header, timestamp };
    if (toDisplayHex(hashOfHeader(read)) !== key) {
      throw new Fault("node-answer-unexpected", { node: this.#rpc.name, method: "getblockheader", block: key });
    }
    return read;
  }

  async block(hash: Uint8Array, options: BllvmCallOptions = {}): Promise<BllvmBlock | undefined> {
    const header = await this.blockHeader(hash, options);
    if (header === undefined) return undefined;
    const { height } = await this.#rpc.call("getblockheader", [toDisplayHex(hash)], place, options);
    return await this.#placed(header, height, options);
  }

  async blockByHeight(height: number, options: BllvmCallOptions = {}): Promise<BllvmBlock | undefined> {
    const key = await this.#found(this.#rpc.call("getblockhash", [height], blockHash, options));
    const header = key === undefined ? undefined : await this.blockHeader(fromDisplayHex(key), options);
    return header === undefined ? undefined : await this.#placed(header, height, options);
  }

  peerCount(options: BllvmCallOptions = {}): Promise<number> {
    return this.#rpc.call("getconnectioncount", [], count, options);
  }

  /** A block as far as its header and its number tell. */
  async #placed(header: BllvmHeader, index: number, options: BllvmCallOptions): Promise<BllvmBlock> {
    const isGenesis = index === 0 && networkOfGenesis(hashOfHeader(header)) !== undefined;
    const coinbaseScriptSig = isGenesis ? undefined : heightPush(index - (await this.#numbering(options)));
    return { header, coinbaseScriptSig, transactionCount: 1 };
  }

  /** The node's numbers minus heights, looked up once. */
  #numbering(options: BllvmCallOptions): Promise<0 | -1> {
    this.#offset ??= this.#lookUp(options).catch((error: unknown) => {
      this.#offset = undefined;
      throw error;
    });
    return this.#offset;
  }

  async #lookUp(options: BllvmCallOptions): Promise<0 | -1> {
    for (const index of [0, 1] as const) {
      const key = await this.#found(this.#rpc.call("getblockhash", [index], blockHash, options));
      if (key === undefined) continue;
      const hash = fromDisplayHex(key);
      if (index === 0 && networkOfGenesis(hash) !== undefined) return 0;
      const header = await this.blockHeader(hash, options);
      // The first block behind the genesis block, which is stored as number 0 or 1.
      if (header !== undefined && networkOfGenesis(header.prevHash) !== undefined) return index === 0 ? -1 : 0;
    }
    throw new Fault("bllvm-chain-incomplete", { node: this.#rpc.name, blockAtHeight: 0 });
  }

  /** `undefined` for what the node answers with an error: it has no code of its own for what it does not have. */
  async #found<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof Fault && error.code === "node-rpc-error") return undefined;
      throw error;
    }
  }
}
