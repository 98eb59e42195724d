/**
 * The chain behind the fake node: the embedded regtest node judges blocks by the real rules (proof of work, merkle root,
 * BIP34, witness commitment, amounts), and its changes become the events that blvm-node emits for them
 * (`node/run_loop.rs`, `node/reorg_executor.rs`, `rpc/mining.rs`).
 */
import { subsidy, witnessCommitmentScript, witnessRoot } from "../../../src/bitcoin/coinbase.ts";
import { type BlockData, decodeBlock } from "../../../src/devnet/node/block-data.ts";
import type { BlockNode } from "../../../src/devnet/node/block-index.ts";
import type { Chain } from "../../../src/devnet/node/chain.ts";
import { mine } from "../../../src/devnet/node/generate.ts";
import { DevnetNode } from "../../../src/devnet/node/node.ts";
import { ANYONE_SCRIPT } from "../../../src/devnet/node/synthetic.ts";
import { type BlockTemplate, buildTemplate, templateTime } from "../../../src/devnet/node/template.ts";
import { toDisplayHex } from "../../../src/kernel/bytes.ts";
import { realClock } from "../../../src/kit/real-clock.ts";
import { recordingLog } from "../recording-log.ts";
import { seededRandom } from "../seeded-random.ts";
import type { AnyEvent } from "./messages.ts";

/** What can be chosen about the chain. */
export interface FakeChainOptions {
  /** Blocks of history; 110. */
  readonly initialBlocks?: number;
  /** Synthetic transactions kept in the mempool, segwit and others mixed; 0. */
  readonly transactions?: number;
  /** Compact target of every block behind the history; regtest's easiest. Another one makes MiningDifficultyChanged. */
  readonly nBits?: number;
  /** For the extranonces; 1. */
  readonly seed?: number;
}

/** What became of a block that was handed over. */
export interface JudgedBlock {
  /** Hash in display order; empty when the bytes are no block. */
  readonly hash: string;
  /** BIP22's reason; `null`: it is the tip now. */
  readonly reason: string | null;
}

/** Blocks, mempool and what they announce. */
export class FakeChain {
  /** The regtest node: its mempool, its rules. It has no port. */
  readonly node: DevnetNode;
  /** Blocks handed over, in order. */
  readonly judged: JudgedBlock[] = [];
  readonly #emit: (event: AnyEvent) => void;
  #gone: BlockNode[] = [];
  #tip: BlockNode;
  #quiet = false;

  constructor(deps: { readonly emit: (event: AnyEvent) => void }, options: FakeChainOptions = {}) {
    this.#emit = deps.emit;
    this.node = new DevnetNode(
      { clock: realClock, random: seededRandom(options.seed ?? 1), log: recordingLog() },
      {
        name: "fake-bllvm",
        transactions: { atLeast: options.transactions ?? 0 },
        ...(options.initialBlocks === undefined ? {} : { initialBlocks: options.initialBlocks }),
        ...(options.nBits === undefined ? {} : { nBits: options.nBits }),
      },
    );
    this.node.prepare();
    this.#tip = this.chain.tip;
    this.chain.events.on("disconnected", ({ node }) => void this.#gone.push(node));
    this.chain.events.on("tip", ({ node }) => this.#announce(node));
  }

  /** Blocks and coins. */
  get chain(): Chain {
    return this.node.chain;
  }

  /** Height of the tip. */
  get height(): number {
    return this.chain.tip.height;
  }

  /** Hash of the tip, internal byte order. */
  get tipHash(): Uint8Array {
    return this.chain.tip.hash;
  }

  /** A known block by its hash in internal byte order. */
  find(hash: Uint8Array): BlockNode | undefined {
    return this.chain.find(toDisplayHex(hash));
  }

  /** The next block as the mempool makes it. */
  template(): BlockTemplate {
    return buildTemplate(this.chain, this.node.mempool);
  }

  /** `count` blocks come from the network, one after the other: each gives NewBlock. Their hashes, internal order. */
  mine(count = 1): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const block = this.nextBlock();
      this.accept(block);
      return block.hash;
    });
  }

  /** A valid next block with what is in the mempool, which nobody has been told of. */
  nextBlock(): BlockData {
    return this.#search(this.template());
  }

  /** What RPC generatetoaddress does: blocks that give BlockMined and no NewBlock. Their hashes, internal order. */
  generate(count: number, script: Uint8Array = ANYONE_SCRIPT): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const block = this.#search(this.template(), script);
      this.#quiet = true;
      this.accept(block);
      this.#quiet = false;
      this.#emit({
        name: "BlockMined",
        value: { blockHash: block.hash, height: BigInt(this.height), minerId: null },
      });
      return block.hash;
    });
  }

  /** Bytes in wire format come from a peer or out of the queue: the verdict is recorded and given back. */
  receive(bytes: Uint8Array): JudgedBlock {
    try {
      return this.accept(decodeBlock(bytes));
    } catch (error) {
      const judged = { hash: "", reason: `unreadable: ${error instanceof Error ? error.message : String(error)}` };
      this.judged.push(judged);
      return judged;
    }
  }

  /** Connects `block` if it is valid. */
  accept(block: BlockData): JudgedBlock {
    const judged = { hash: block.key, reason: this.chain.submit(block) };
    this.judged.push(judged);
    return judged;
  }

  /** Replaces the last `depth` blocks by `depth + 1` others. The new tip's hash, internal order. */
  reorg(depth = 1): Uint8Array {
    let at: BlockNode | undefined = this.chain.tip;
    for (let i = 0; i < depth; i++) at = at?.prev;
    if (at === undefined) throw new RangeError(`there are not ${depth} blocks to replace`);
    for (let i = 0; i <= depth; i++) {
      const block = this.#search(this.#emptyTemplate(at));
      this.accept(block);
      at = this.chain.find(block.key);
      if (at === undefined) throw new Error(`the branch was refused: ${JSON.stringify(this.judged.at(-1))}`);
    }
    if (this.chain.tip !== at) throw new Error("the longer branch did not become the tip");
    return at.hash;
  }

  /** What RPC invalidateblock does with the tip: BlockDisconnected and ChainReorg, no NewBlock. */
  invalidateTip(): void {
    this.#quiet = true;
    this.chain.invalidate(this.chain.tip);
    this.#quiet = false;
  }

  #emptyTemplate(prev: BlockNode): BlockTemplate {
    const height = prev.height + 1;
    const zeros = new Uint8Array(32);
    return {
      prev,
      height,
      nBits: this.chain.options.requiredBits(height),
      transactions: [],
      coinbaseValue: subsidy(height, this.chain.options.halvingInterval),
      witnessCommitment: witnessCommitmentScript(witnessRoot([zeros]), zeros),
      mempoolUpdates: 0,
    };
  }

  #extranonce = 0;

  #search(template: BlockTemplate, script = ANYONE_SCRIPT): BlockData {
    const extranonce = new Uint8Array(8);
    new DataView(extranonce.buffer).setUint32(0, ++this.#extranonce);
    const time = templateTime(template.prev, realClock);
    const search = mine(template, { script, time, extranonce });
    let step = search.next();
    while (step.done !== true) step = search.next();
    if (step.value === undefined) throw new Error(`no nonce for block ${template.height}`);
    return step.value;
  }

  /** What the run loop says of another tip; several blocks at once are one NewBlock, of the last. */
  #announce(tip: BlockNode): void {
    const before = this.#tip;
    const gone = this.#gone;
    this.#tip = tip;
    this.#gone = [];
    for (const { hash, height } of gone) {
      this.#emit({ name: "BlockDisconnected", value: { hash, height: BigInt(height) } });
    }
    if (gone.length > 0) this.#emit({ name: "ChainReorg", value: { oldTip: before.hash, newTip: tip.hash } });
    if (this.#quiet) return;
    const height = BigInt(tip.height);
    if (tip.header.nBits !== before.header.nBits) {
      const value = { oldDifficulty: before.header.nBits, newDifficulty: tip.header.nBits, height };
      this.#emit({ name: "MiningDifficultyChanged", value });
    }
    this.#emit({ name: "NewBlock", value: { blockHash: tip.hash, height } });
  }
}
