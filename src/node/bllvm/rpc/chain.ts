/**
 * The bllvm node's best chain as far as work on its tip needs it, out of few requests: `ChainInfo` names the tip, one block by
 * height shows that node and coinbase agree about its height, ten headers once make its median time. A tip is looked at once;
 * after that only `ChainInfo` is asked for.
 */
import { readHeightPush } from "../../../bitcoin/coinbase.ts";
import type { Network } from "../../../bitcoin/network.ts";
import { equal, toDisplayHex } from "../../../kernel/bytes.ts";
import { Fault, type FaultCode } from "../../../kernel/fault.ts";
import type { BllvmBlock, BllvmChainInfo, BllvmHeader } from "../bllvm-node.ts";
import type { ChainNode } from "./chain-node.ts";
import { Headers, hashOfHeader } from "./headers.ts";
import { fitsHeight, heightOf, type IndexOffset } from "./height.ts";
import { identify } from "./identity.ts";

/** The best block. */
export interface ChainTip {
  /** `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  /** The hash in display order. */
  readonly key: string;
  readonly header: BllvmHeader;
  readonly height: number;
  /** How the node's numbers stand to heights. */
  readonly offset: IndexOffset;
  /** Median time of the tip and the ten blocks before it, Unix seconds. */
  readonly medianTime: number;
  readonly network: Network;
}

/** The tip, and what the node says of itself. */
export interface ChainView extends ChainTip {
  readonly isSynced: boolean;
}

/** A block of the best chain. */
export interface PlacedBlock {
  /** `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  readonly header: BllvmHeader;
}

/** Tips remembered: the one, and those that reorganisations go between. */
const REMEMBERED_TIPS = 16;

/** What answers from before and after a new block look like together. */
const CONTRADICTIONS: ReadonlySet<FaultCode> = new Set(["bllvm-height-disputed", "bllvm-chain-incomplete"]);

/** How often the tip is read anew when it moves while it is looked at. */
const MAX_READS = 4;

/** Reads the best chain. */
export class BllvmChain {
  readonly headers: Headers;
  readonly #node: ChainNode;
  readonly #timeoutMs: number;
  readonly #tips = new Map<string, Promise<ChainTip>>();
  #network: Promise<Network> | undefined;

  /** `timeoutMs`: deadline of one request. */
  constructor(deps: { readonly node: ChainNode }, options: { readonly timeoutMs: number }) {
    this.#node = deps.node;
    this.#timeoutMs = options.timeoutMs;
    this.headers = new Headers(deps, options);
    // Another node may answer on the same socket after a restart.
    deps.node.onState(({ phase }) => {
      if (phase !== "up") this.#forget();
    });
  }

  /** The network, asked for once a connection. Throws `Fault("bllvm-network-unknown")`. */
  network(): Promise<Network> {
    this.#network ??= identify(this.#node, this.#timeoutMs).catch((error: unknown) => {
      this.#network = undefined;
      throw error;
    });
    return this.#network;
  }

  /**
   * The tip now. Throws `Fault("bllvm-height-disputed")`, `Fault("bllvm-chain-incomplete")`, `Fault("bllvm-network-unknown")` and what
   * the node's requests throw.
   */
  async tip(): Promise<ChainView> {
    let info = await this.#info();
    for (let reads = 1; ; reads++) {
      try {
        return { ...(await this.#tip(info)), isSynced: info.isSynced };
      } catch (error) {
        if (!(error instanceof Fault) || !CONTRADICTIONS.has(error.code)) throw error;
        // Its answers belong to different moments when the chain moved in between.
        const before = info;
        info = await this.#info();
        if (reads >= MAX_READS || (equal(info.tipHash, before.tipHash) && info.height === before.height)) throw error;
      }
    }
  }

  /** The block of the best chain at `height`; `undefined` above the tip and where the node has no block with that height. */
  async at(height: number, tip: ChainTip): Promise<PlacedBlock | undefined> {
    const { network } = tip;
    if (height === tip.height) return tip;
    if (height < 0 || height > tip.height) return undefined;
    if (height === 0) {
      const header = await this.headers.find(network.genesisHash);
      return header === undefined ? undefined : { hash: network.genesisHash, header };
    }
    // A store that was begun by an older version may number its older blocks otherwise.
    for (const offset of tip.offset === 0 ? [0, -1] : [-1, 0]) {
      const block = await this.#node.blockByHeight(height + offset, { timeoutMs: this.#timeoutMs });
      if (block === undefined || !fitsHeight(network.name, height, block.coinbaseScriptSig)) continue;
      return { hash: hashOfHeader(block.header), header: block.header };
    }
    return undefined;
  }

  #info(): Promise<BllvmChainInfo> {
    return this.#node.chainInfo({ timeoutMs: this.#timeoutMs });
  }

  #forget(): void {
    this.#network = undefined;
    this.#tips.clear();
  }

  #tip(info: BllvmChainInfo): Promise<ChainTip> {
    const key = `${toDisplayHex(info.tipHash)}/${info.height}`;
    const known = this.#tips.get(key);
    if (known !== undefined) return known;
    const tip = this.#look(info);
    this.#tips.set(key, tip);
    for (const oldest of this.#tips.keys()) {
      if (this.#tips.size <= REMEMBERED_TIPS) break;
      this.#tips.delete(oldest);
    }
    tip.catch(() => {
      if (this.#tips.get(key) === tip) this.#tips.delete(key);
    });
    return tip;
  }

  async #look(info: BllvmChainInfo): Promise<ChainTip> {
    const network = await this.network();
    const place = await this.#place(info, network);
    this.headers.remember(info.tipHash, place.header);
    const medianTime = await this.headers.medianTime(place.header);
    return { hash: info.tipHash, key: toDisplayHex(info.tipHash), network, medianTime, ...place };
  }

  /** Header and height of the tip, by the node's number and by the coinbase. */
  async #place(
    info: BllvmChainInfo,
    network: Network,
  ): Promise<{ readonly header: BllvmHeader; readonly height: number; readonly offset: IndexOffset }> {
    const { tipHash, height: number } = info;
    if (equal(tipHash, network.genesisHash) && number === 0) {
      return { header: await this.headers.get(tipHash), height: 0, offset: 0 };
    }
    const there = await this.#numbered(number);
    const isTip = (block: BllvmBlock | undefined): boolean =>
      block !== undefined && equal(hashOfHeader(block.header), tipHash);
    let block = there;
    let index = number;
    if (!isTip(block)) {
      // `ChainInfo` may lag one behind what is stored.
      index = number + 1;
      block = await this.#numbered(index);
    }
    const found =
      block !== undefined && isTip(block) ? heightOf(network.name, index, block.coinbaseScriptSig) : undefined;
    if (block !== undefined && found !== undefined) return { header: block.header, ...found };
    const facts = { node: this.#node.name, tip: toDisplayHex(tipHash) };
    if (there === undefined && block === undefined) {
      throw new Fault("bllvm-chain-incomplete", { ...facts, blockAtHeight: number });
    }
    throw new Fault("bllvm-height-disputed", {
      ...facts,
      chainInfoHeight: number,
      blockAtThatHeight: there === undefined ? "none" : toDisplayHex(hashOfHeader(there.header)),
      coinbaseHeight: coinbaseHeight(isTip(block) ? block : there),
    });
  }

  #numbered(index: number): Promise<BllvmBlock | undefined> {
    return this.#node.blockByHeight(index, { timeoutMs: this.#timeoutMs });
  }
}

function coinbaseHeight(block: BllvmBlock | undefined): number | undefined {
  return block?.coinbaseScriptSig === undefined ? undefined : readHeightPush(block.coinbaseScriptSig);
}
