/**
 * The blocks of the embedded RSK: a tree in which the branch with the greatest total difficulty is the chain, uncles counted in.
 * Blocks carry fees and a REMASC transaction and nothing else; state and gas do not exist here.
 */
import { Bus } from "../../kernel/events.ts";
import { describe } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { ImportResult } from "./disturbances.ts";
import type { HeaderProof } from "./proof.ts";

/** Generations that an uncle may be old, and uncles of one block (rskj `Constants`). */
const UNCLE_GENERATIONS = 7;
const MAX_UNCLES = 10;
/** Older blocks are forgotten. */
const BLOCKS_KEPT = 20_000;

/** A block. */
export interface RskBlock {
  /** `0x` and 64 digits. */
  readonly hash: string;
  readonly number: number;
  readonly parentHash: string;
  /** `Uint8Array(32)`, as printed. */
  readonly hashForMergedMining: Uint8Array;
  readonly difficulty: bigint;
  /** Difficulty of the chain up to this block, uncles counted in. */
  readonly totalDifficulty: bigint;
  /** Unix seconds. */
  readonly timestamp: number;
  /** Address that is rewarded: `0x` and 40 digits. */
  readonly miner: string;
  /** Fees of its transactions, wei. */
  readonly paidFees: bigint;
  /** Fees of all transactions up to and with this block, wei. */
  readonly feesSoFar: bigint;
  /** Hashes of the blocks that it names as uncles. */
  readonly uncles: readonly string[];
  /** Hash of its last transaction, which runs REMASC. */
  readonly remasc: string;
  /** The parent's proof; `undefined` for blocks of the node's own. */
  readonly proof: HeaderProof | undefined;
}

/** What the chain announces. */
export interface RskChainEvents {
  readonly tip: { readonly node: RskBlock };
}

/** The tree of blocks and the chain in it. */
export class RskChain {
  readonly events: Bus<RskChainEvents>;
  readonly #blocks = new Map<string, RskBlock>();
  readonly #active: string[] = [];
  readonly #byRemasc = new Map<string, string>();
  /** Hashes of all blocks of a height. */
  readonly #atHeight = new Map<number, string[]>();
  #tip: RskBlock;

  /** Begins with `genesis` alone. */
  constructor(deps: { readonly log: Log }, genesis: RskBlock) {
    this.events = new Bus<RskChainEvents>({
      onError: (error, name) => deps.log.error(`a listener of ${name} failed: ${describe(error)}`, { error }),
    });
    this.#tip = genesis;
    this.#keep(genesis);
    this.#active.push(genesis.hash);
  }

  /** The best block. */
  get tip(): RskBlock {
    return this.#tip;
  }

  /** The block at `number` of the chain, if there is one and it is still known. */
  at(number: number): RskBlock | undefined {
    const hash = this.#active[number];
    return hash === undefined ? undefined : this.#blocks.get(hash);
  }

  /** The block with `hash` (`0x` and 64 digits), in the chain or beside it. */
  find(hash: string): RskBlock | undefined {
    return this.#blocks.get(hash.toLowerCase());
  }

  /** The block whose REMASC transaction is `hash`. */
  findByRemasc(hash: string): RskBlock | undefined {
    const block = this.#byRemasc.get(hash.toLowerCase());
    return block === undefined ? undefined : this.#blocks.get(block);
  }

  /** Whether `block` is in the chain. */
  isActive(block: Pick<RskBlock, "hash" | "number">): boolean {
    return this.#active[block.number] === block.hash;
  }

  /** Blocks that a block on `parent` may name as uncles: beside its line, seven generations back, not named before. */
  unclesFor(parent: RskBlock): readonly RskBlock[] {
    const line = new Set<string>();
    const named = new Set<string>();
    let at: RskBlock | undefined = parent;
    for (let generation = 0; generation <= UNCLE_GENERATIONS && at !== undefined; generation++) {
      line.add(at.hash);
      for (const uncle of at.uncles) named.add(uncle);
      at = this.find(at.parentHash);
    }
    const uncles: RskBlock[] = [];
    for (let number = parent.number; number > parent.number - UNCLE_GENERATIONS && number > 0; number--) {
      for (const hash of this.#atHeight.get(number) ?? []) {
        const block = this.find(hash);
        if (block === undefined || line.has(hash) || named.has(hash) || !line.has(block.parentHash)) continue;
        uncles.push(block);
      }
    }
    return uncles.slice(0, MAX_UNCLES);
  }

  /** Adds `block` and makes it the best one when its total difficulty is greater than the best one's. */
  add(block: RskBlock): ImportResult {
    if (this.#blocks.has(block.hash)) return "EXIST";
    if (!this.#blocks.has(block.parentHash)) return "NO_PARENT";
    this.#keep(block);
    if (block.totalDifficulty <= this.#tip.totalDifficulty) return "IMPORTED_NOT_BEST";
    this.#activate(block);
    this.events.emit("tip", { node: block });
    return "IMPORTED_BEST";
  }

  #keep(block: RskBlock): void {
    this.#blocks.set(block.hash, block);
    this.#byRemasc.set(block.remasc, block.hash);
    this.#atHeight.set(block.number, [...(this.#atHeight.get(block.number) ?? []), block.hash]);
  }

  #activate(block: RskBlock): void {
    this.#active.length = Math.min(this.#active.length, block.number);
    for (let at: RskBlock | undefined = block; at !== undefined && !this.isActive(at); at = this.find(at.parentHash)) {
      this.#active[at.number] = at.hash;
    }
    this.#active.length = block.number + 1;
    this.#tip = block;
    const oldest = this.#tip.number - BLOCKS_KEPT;
    for (const hash of this.#atHeight.get(oldest) ?? []) {
      this.#byRemasc.delete(this.#blocks.get(hash)?.remasc ?? "");
      this.#blocks.delete(hash);
    }
    this.#atHeight.delete(oldest);
  }
}
