/**
 * The bllvm node's chain read over its own JSON-RPC, in the shape of its IPC. Headers are taken as bytes, which must hash to what was asked for: the members of
 * its JSON come in several byte orders by version (blvm-node `src/rpc/blockchain.rs`), the bytes in one.
 *
 * A block's height is read in its coinbase, as over IPC, for the node's numbers are not heights on every data folder. Newer nodes give a block as bytes; older
 * ones (0.1.54) name its transactions alone and give the coinbase by `getrawtransaction`, as seen on both.
 */
import { z } from "zod";
import { readCompactSize } from "../../../bitcoin/compact-size.ts";
import { HEADER_SIZE, parseHeader } from "../../../bitcoin/header.ts";
import { isCoinbase, parseTransaction, type Transaction, txid } from "../../../bitcoin/transaction.ts";
import type { Rpc } from "../../../daemon/rpc.ts";
import { fromDisplayHex, toDisplayHex, toHex } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";
import { Reader } from "../../../kernel/reader.ts";
import { blockHash } from "../../bitcoind/answers.ts";
import { bytesOfHex } from "../../bitcoind/block-template.ts";
import type { BllvmBlock, BllvmCallOptions, BllvmChainInfo, BllvmHeader } from "../bllvm-node.ts";
import type { ChainReads } from "./chain-node.ts";
import { hashOfHeader, isFirst } from "./headers.ts";

const count = z.int().min(0);
const chainInfo = z.object({
  blocks: count,
  bestblockhash: blockHash,
  initialblockdownload: z.boolean().default(false),
});
const headerHex = z.string().length(160);
const block = z.union([z.string(), z.object({ tx: z.array(blockHash).min(1).max(100_000) })]);
const transaction = z.string();

/** Core's RPC_INVALID_ADDRESS_OR_KEY and RPC_INVALID_PARAMETER: what there is not. Any other error, e.g. of a rate limit, is no answer. */
const NOT_THERE: ReadonlySet<unknown> = new Set([-5, -8]);
/** A block of four megabytes in hex, or the ids of its transactions. */
const MAX_BLOCK_BYTES = 16 << 20;

/** Reads over JSON-RPC. Rejects with the faults of `Rpc`. */
export class JsonReads implements ChainReads {
  readonly #rpc: Rpc;

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
    return header === undefined ? undefined : await this.#withCoinbase(toDisplayHex(hash), header, options);
  }

  async blockByHeight(height: number, options: BllvmCallOptions = {}): Promise<BllvmBlock | undefined> {
    const key = await this.#found(this.#rpc.call("getblockhash", [height], blockHash, options));
    return key === undefined ? undefined : await this.block(fromDisplayHex(key), options);
  }

  peerCount(options: BllvmCallOptions = {}): Promise<number> {
    return this.#rpc.call("getconnectioncount", [], count, options);
  }

  /** `undefined` for a block of which the node has the header alone. */
  async #withCoinbase(key: string, header: BllvmHeader, options: BllvmCallOptions): Promise<BllvmBlock | undefined> {
    // The genesis block's height is known, and nodes do not have its transaction.
    if (isFirst(header)) return { header, coinbaseScriptSig: undefined, transactionCount: 1 };
    const limits = { ...options, maxBytes: MAX_BLOCK_BYTES };
    const answer = await this.#found(this.#rpc.call("getblock", [key, 0], block, limits));
    if (answer === undefined) return undefined;
    const { coinbase, count: transactionCount } =
      typeof answer === "string" ? coinbaseOfBytes(answer, key) : await this.#coinbaseOf(answer.tx, options);
    if (coinbase === undefined || !isCoinbase(coinbase)) {
      throw new Fault("node-answer-unexpected", { node: this.#rpc.name, method: "getblock", block: key });
    }
    return { header, coinbaseScriptSig: coinbase.inputs[0]?.script, transactionCount };
  }

  /** The first of a block's transactions, whose ids the node writes in either byte order. */
  async #coinbaseOf(ids: readonly string[], options: BllvmCallOptions): Promise<Coinbase> {
    const [id = ""] = ids;
    const asked = this.#rpc.call("getrawtransaction", [id, false], transaction, options);
    const coinbase = transactionOf(await this.#found(asked));
    const is = coinbase === undefined ? undefined : txid(coinbase);
    const isThat = is !== undefined && (toHex(is) === id || toDisplayHex(is) === id);
    return { coinbase: isThat ? coinbase : undefined, count: ids.length };
  }

  /** `undefined` for what the node does not have. */
  async #found<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof Fault && error.code === "node-rpc-error" && NOT_THERE.has(error.data.rpcCode))
        return undefined;
      throw error;
    }
  }
}

/** A block's first transaction, `undefined` where it cannot be read, and how many there are. */
interface Coinbase {
  readonly coinbase: Transaction | undefined;
  readonly count: number;
}

function coinbaseOfBytes(hex: string, key: string): Coinbase {
  const bytes = bytesOfHex(hex);
  if (bytes === undefined) return { coinbase: undefined, count: 0 };
  try {
    const reader = new Reader(bytes);
    const { time: timestamp, ...header } = parseHeader(reader.bytes(HEADER_SIZE));
    if (toDisplayHex(hashOfHeader({ ...header, timestamp })) !== key) return { coinbase: undefined, count: 0 };
    const count = readCompactSize(reader);
    return { count, coinbase: parseTransaction(reader) };
  } catch (error) {
    if (error instanceof Fault) return { coinbase: undefined, count: 0 };
    throw error;
  }
}

function transactionOf(hex: string | undefined): Transaction | undefined {
  const bytes = hex === undefined ? undefined : bytesOfHex(hex);
  if (bytes === undefined) return undefined;
  try {
    return parseTransaction(bytes);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
