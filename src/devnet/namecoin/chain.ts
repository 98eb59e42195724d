/**
 * The blocks of the embedded Namecoin: a tree of headers with one coinbase each, of which the branch with most work is the
 * chain, and the fees that wait for a block. Transactions are only their fees: nothing here looks into one.
 */
import { type Header, headerHash, serializeHeader } from "../../bitcoin/header.ts";
import { targetFromCompact, workOfTarget } from "../../bitcoin/target.ts";
import { serializeTransaction, type Transaction, txid } from "../../bitcoin/transaction.ts";
import { concat, toDisplayHex } from "../../kernel/bytes.ts";
import { Bus } from "../../kernel/events.ts";
import { describe } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";

/** Content of older blocks is forgotten. */
const BLOCKS_KEPT = 20_000;
/** Fees that wait at most. */
const MAX_PENDING = 10_000;

/** Fees by the number of their transaction, sat. */
export type Fees = ReadonlyMap<number, bigint>;

/** A block that was not added yet, and what it is added with. */
export interface BlockDraft {
  readonly header: Header;
  /** `Uint8Array(80)`. */
  readonly headerBytes: Uint8Array;
  /** `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  /** Hash in display order. */
  readonly key: string;
  readonly height: number;
  readonly coinbase: Transaction;
  readonly fees: Fees;
}

/** A block of the tree. */
export interface NamecoinBlock extends BlockDraft {
  /** Work of the whole chain up to this block. */
  readonly work: bigint;
  /** The proof as it was submitted; `undefined` for a block of the daemon's own. */
  readonly auxpow: Uint8Array | undefined;
}

/** What the chain announces. */
export interface ChainEvents {
  readonly tip: { readonly node: NamecoinBlock };
}

/** Makes the block that `coinbase` alone is in. */
export function draftBlock(
  header: Omit<Header, "merkleRoot">,
  height: number,
  coinbase: Transaction,
  fees: Fees,
): BlockDraft {
  const whole = { ...header, merkleRoot: txid(coinbase) };
  const headerBytes = serializeHeader(whole);
  const hash = headerHash(headerBytes);
  return { header: whole, headerBytes, hash, key: toDisplayHex(hash), height, coinbase, fees };
}

/** The whole block as bytes: header, proof if there is one, and its one transaction. */
export function blockBytes(block: NamecoinBlock): Uint8Array {
  const coinbase = serializeTransaction(block.coinbase, { witness: true });
  return concat(block.headerBytes, block.auxpow ?? new Uint8Array(0), Uint8Array.of(1), coinbase);
}

/** The tree of blocks and the chain in it. */
export class NamecoinChain {
  readonly events: Bus<ChainEvents>;
  readonly #blocks = new Map<string, NamecoinBlock>();
  /** Keys of the chain by height. */
  readonly #active: string[] = [];
  readonly #pending = new Map<number, bigint>();
  /** Keys of blocks that were replaced. */
  readonly #replaced = new Set<string>();
  #tip: NamecoinBlock;
  #feeCount = 0;
  #updates = 0;

  /** Begins with `genesis` alone. */
  constructor(deps: { readonly log: Log }, genesis: BlockDraft) {
    this.events = new Bus<ChainEvents>({
      onError: (error, name) => deps.log.error(`a listener of ${name} failed: ${describe(error)}`, { error }),
    });
    this.#tip = { ...genesis, work: workOf(genesis), auxpow: undefined };
    this.#blocks.set(genesis.key, this.#tip);
    this.#active.push(genesis.key);
  }

  /** The best block. */
  get tip(): NamecoinBlock {
    return this.#tip;
  }

  /** Fees that wait for a block. */
  get pending(): Fees {
    return this.#pending;
  }

  /** Counts changes of the waiting fees, as Core's `GetTransactionsUpdated`. */
  get updates(): number {
    return this.#updates;
  }

  /** The block at `height` of the chain, if there is one and it is still known. */
  at(height: number): NamecoinBlock | undefined {
    const key = this.#active[height];
    return key === undefined ? undefined : this.#blocks.get(key);
  }

  /** The block with the hash `key` (display order), in the chain or beside it. */
  find(key: string): NamecoinBlock | undefined {
    return this.#blocks.get(key);
  }

  /** The block before `block`, if it is still known. */
  parentOf(block: Pick<BlockDraft, "header">): NamecoinBlock | undefined {
    return this.#blocks.get(toDisplayHex(block.header.prevHash));
  }

  /** Whether `block` is in the chain. */
  isActive(block: Pick<BlockDraft, "key" | "height">): boolean {
    return this.#active[block.height] === block.key;
  }

  /** Whether `block` was in the chain once and was replaced. */
  wasActive(block: Pick<BlockDraft, "key">): boolean {
    return this.#replaced.has(block.key);
  }

  /** The last block of every branch, the chain's first. */
  tips(): readonly NamecoinBlock[] {
    const parents = new Set([...this.#blocks.values()].map(({ header }) => toDisplayHex(header.prevHash)));
    const others = [...this.#blocks.values()].filter((block) => block !== this.#tip && !parents.has(block.key));
    return [this.#tip, ...others];
  }

  /** Median time of `block` and the ten blocks before it, Unix seconds. */
  medianTime(block: NamecoinBlock): number {
    const times: number[] = [];
    for (let at: NamecoinBlock | undefined = block; at !== undefined && times.length < 11; at = this.parentOf(at)) {
      times.push(at.header.time);
    }
    times.sort((a, b) => a - b);
    return times[times.length >> 1] ?? 0;
  }

  /** A new transaction that pays `fee`, sat. */
  addFee(fee: bigint): void {
    if (this.#pending.size >= MAX_PENDING) return;
    this.#pending.set(++this.#feeCount, fee);
    this.#updates++;
  }

  /**
   * Adds the block and takes the chain to it when that has more work now: of equal work the first stays. `silent`: the new tip is not
   * announced. Returns `undefined` when its parent is not known.
   */
  add(draft: BlockDraft, auxpow: Uint8Array | undefined, silent = false): NamecoinBlock | undefined {
    const known = this.#blocks.get(draft.key);
    if (known !== undefined) return known;
    const parent = this.parentOf(draft);
    if (parent === undefined) return undefined;
    const block: NamecoinBlock = { ...draft, work: parent.work + workOf(draft), auxpow };
    this.#blocks.set(block.key, block);
    if (block.work > this.#tip.work) this.#activate(block);
    if (this.#tip === block && !silent) this.events.emit("tip", { node: block });
    return block;
  }

  #activate(block: NamecoinBlock): void {
    const joining: NamecoinBlock[] = [];
    let at: NamecoinBlock | undefined = block;
    for (; at !== undefined && !this.isActive(at); at = this.parentOf(at)) joining.push(at);
    const fork = at?.height ?? -1;
    for (const key of this.#active.splice(fork + 1)) {
      this.#replaced.add(key);
      for (const [number, fee] of this.#blocks.get(key)?.fees ?? []) this.#pending.set(number, fee);
    }
    for (const joined of joining.reverse()) {
      this.#active[joined.height] = joined.key;
      this.#replaced.delete(joined.key);
      for (const number of joined.fees.keys()) this.#pending.delete(number);
    }
    this.#updates++;
    this.#tip = block;
    this.#forget();
  }

  /** Drops what is too old; blocks were added in about the order of their heights. */
  #forget(): void {
    for (const [key, { height }] of this.#blocks) {
      if (this.#blocks.size <= BLOCKS_KEPT || height > this.#tip.height - 1000) return;
      this.#blocks.delete(key);
      this.#replaced.delete(key);
    }
  }
}

function workOf({ header }: BlockDraft): bigint {
  return workOfTarget(targetFromCompact(header.nBits));
}
