/** A bllvm node of any network that has headers and coinbases only, made up but linked: for rules that look at headers. */

import { parseBlock } from "../../../../../src/bitcoin/block.ts";
import { heightPush } from "../../../../../src/bitcoin/coinbase.ts";
import { NETWORKS, type NetworkName } from "../../../../../src/bitcoin/network.ts";
import { concat, fromHex, toDisplayHex } from "../../../../../src/kernel/bytes.ts";
import type {
  BllvmBlock,
  BllvmChainInfo,
  BllvmEvents,
  BllvmHeader,
  BllvmNode,
  BllvmState,
} from "../../../../../src/node/bllvm/bllvm-node.ts";
import { hashOfHeader } from "../../../../../src/node/bllvm/rpc/headers.ts";
import blocks from "../../../../vectors/bitcoin-blocks.json" with { type: "json" };

/** What its chain is like. */
export interface HeaderNodeOptions {
  readonly network: NetworkName;
  /** Height of the oldest header behind the genesis block; `tip` − 20 by default. */
  readonly from?: number;
  readonly tip: number;
  /** Of every block, unless `at` says otherwise. */
  readonly nBits: number;
  /** Time of the tip, Unix seconds; blocks below are ten minutes apart. */
  readonly time: number;
  /** What some blocks have instead. */
  readonly at?: Readonly<
    Record<number, { readonly time?: number; readonly nBits?: number; readonly script?: Uint8Array }>
  >;
  /** Blocks below this height have been pruned: their headers are there, their content is not. */
  readonly prunedBelow?: number;
  /** Heights whose blocks are asked for by number although `from` is above them. */
  readonly extra?: readonly number[];
}

/** The node. */
export class HeaderNode implements BllvmNode {
  readonly name = "bllvm";
  readonly address = "/run/node.sock";
  /** Requests by name. */
  readonly requests = new Map<string, number>();
  readonly #listeners = new Map<string, (event: never) => void>();
  readonly #options: HeaderNodeOptions;
  readonly #byHeight = new Map<number, BllvmHeader>();
  readonly #byHash = new Map<string, number>();

  constructor(options: HeaderNodeOptions) {
    this.#options = options;
    const { tip, from = tip - 20, extra = [] } = options;
    const real = blocks.blocks.find(({ hash }) => hash === toDisplayHex(NETWORKS[options.network].genesisHash));
    if (real !== undefined) {
      const { time, ...rest } = parseBlock(fromHex(real.hex)).header;
      this.#add(0, { ...rest, timestamp: time });
    }
    for (const height of extra) this.#add(height, this.#make(height, new Uint8Array(32).fill(1)));
    let prevHash: Uint8Array = new Uint8Array(32).fill(2);
    for (let height = from; height <= tip; height++) {
      const header = this.#make(height, prevHash);
      this.#add(height, header);
      prevHash = hashOfHeader(header);
    }
  }

  #make(height: number, prevHash: Uint8Array): BllvmHeader {
    const { tip, time, nBits, at = {} } = this.#options;
    const own = at[height] ?? {};
    return {
      version: 0x20000000,
      prevHash,
      merkleRoot: new Uint8Array(32).fill(height),
      timestamp: own.time ?? time - (tip - height) * 600,
      nBits: own.nBits ?? nBits,
      nonce: height,
    };
  }

  #add(height: number, header: BllvmHeader): void {
    this.#byHeight.set(height, header);
    this.#byHash.set(toDisplayHex(hashOfHeader(header)), height);
  }

  #count(name: string): void {
    this.requests.set(name, (this.requests.get(name) ?? 0) + 1);
  }

  emit<N extends keyof BllvmEvents>(name: N, event: BllvmEvents[N]): void {
    (this.#listeners.get(name) as ((event: BllvmEvents[N]) => void) | undefined)?.(event);
  }

  state(): BllvmState {
    return {
      phase: "up",
      sinceMs: 0,
      nodeVersion: "0.1.54",
      schema: "s3",
      trouble: undefined,
      unusable: [],
      isKnown: true,
    };
  }

  onState() {
    return () => undefined;
  }

  on<N extends keyof BllvmEvents>(name: N, listener: (event: BllvmEvents[N]) => void) {
    this.#listeners.set(name, listener);
    return () => undefined;
  }

  async chainInfo(): Promise<BllvmChainInfo> {
    this.#count("chainInfo");
    const { tip } = this.#options;
    const header = this.#byHeight.get(tip) as BllvmHeader;
    return { tipHash: hashOfHeader(header), height: tip, isSynced: true };
  }

  async blockHeader(hash: Uint8Array): Promise<BllvmHeader | undefined> {
    this.#count("blockHeader");
    const height = this.#byHash.get(toDisplayHex(hash));
    return height === undefined ? undefined : this.#byHeight.get(height);
  }

  async blockByHeight(height: number): Promise<BllvmBlock | undefined> {
    this.#count("blockByHeight");
    const header = this.#byHeight.get(height);
    if (header === undefined || height === 0 || height < (this.#options.prunedBelow ?? 0)) return undefined;
    const script = this.#options.at?.[height]?.script ?? concat(heightPush(height), Uint8Array.of(4, 1, 2, 3, 4));
    return { header, coinbaseScriptSig: script, transactionCount: 1 };
  }

  async block(hash: Uint8Array): Promise<BllvmBlock | undefined> {
    const height = this.#byHash.get(toDisplayHex(hash));
    return height === undefined ? undefined : this.blockByHeight(height);
  }

  async peerCount(): Promise<number> {
    return 8;
  }

  async syncStatus() {
    return { phase: "Synced", progress: 1, isSynced: true, error: undefined };
  }

  async queueReceivedBlock(): Promise<void> {}
  async publish(): Promise<void> {}
  log(): void {}
  serve(): void {}
}
