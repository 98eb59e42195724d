/**
 * Unconfirmed transactions. The rules are consensus without scripts (see validation.ts), no replacement, and bounds of
 * its own; Core's policy about standard transactions is left out, so that a devnet can spend OP_TRUE outputs.
 */

import { isCoinbase } from "../../bitcoin/transaction.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { TxData } from "./block-data.ts";
import { medianTimePast } from "./block-index.ts";
import type { Chain } from "./chain.ts";
import { type Coin, checkInputs, sequenceLocksMet, sigopCost } from "./coins.ts";
import { checkTransaction, isFinal, outpoint, type Refusal, refuse } from "./validation.ts";

/** Weight that one transaction may have (Core's MAX_STANDARD_TX_WEIGHT). */
const MAX_TX_WEIGHT = 400_000;

/** Weight of all transactions together. */
const MAX_TOTAL_WEIGHT = 40_000_000;

/** A transaction that waits for a block. */
export interface MempoolEntry extends TxData {
  /** In sat. */
  readonly fee: bigint;
  /** Cost of its signature operations (BIP141). */
  readonly sigopsCost: number;
  /** When it came, Unix seconds. */
  readonly time: number;
  /** Entries that it spent from when it came, by txid in display order; they may have been confirmed since. */
  readonly parents: ReadonlySet<string>;
}

/** Transactions by txid, parents always before their children. */
export class Mempool {
  readonly #deps: { readonly clock: Clock; readonly chain: Chain };
  readonly #most: number;
  readonly #entries = new Map<string, MempoolEntry>();
  /** Which entry spends an output, `txid:index` to txid. */
  readonly #spenders = new Map<string, string>();
  #returning: TxData[] = [];
  #updates = 0;
  #weight = 0;

  /** `most`: transactions kept at most. */
  constructor(deps: { readonly clock: Clock; readonly chain: Chain }, options: { readonly most: number }) {
    this.#deps = deps;
    this.#most = options.most;
    const { events } = deps.chain;
    events.on("connected", ({ data }) => this.#confirm(data.txs));
    events.on("disconnected", ({ data }) => void this.#returning.unshift(...data.txs.slice(1)));
    events.on("tip", () => this.#settle());
  }

  /** Transactions waiting. */
  get size(): number {
    return this.#entries.size;
  }

  /** Weight of all of them. */
  get weight(): number {
    return this.#weight;
  }

  /** Changes with every transaction that comes or goes; part of the long poll id as in Core. */
  get updates(): number {
    return this.#updates;
  }

  /** All of them, parents before children. */
  entries(): IterableIterator<MempoolEntry> {
    return this.#entries.values();
  }

  /** The transaction with this txid in display order. */
  get(key: string): MempoolEntry | undefined {
    return this.#entries.get(key);
  }

  /** Whether an entry spends `txid:index`. */
  spends(key: string): boolean {
    return this.#spenders.has(key);
  }

  /** An output that a new transaction may spend, confirmed or not. */
  coin(key: string): Coin | undefined {
    const [txid = "", index = ""] = key.split(":");
    const output = this.#entries.get(txid)?.tx.outputs[Number(index)];
    if (output === undefined) return this.#deps.chain.coins.get(key);
    return { ...output, height: this.#deps.chain.tip.height + 1, coinbase: false };
  }

  /** Takes a transaction. The reasons are Core's. */
  accept(data: TxData): Refusal | undefined {
    const { chain, clock } = this.#deps;
    const { tip } = chain;
    const height = tip.height + 1;
    const early = checkTransaction(data);
    if (early !== undefined) return early;
    if (isCoinbase(data.tx)) return refuse("coinbase");
    if (data.weight > MAX_TX_WEIGHT) return refuse("tx-size");
    if (!isFinal(data.tx, height, medianTimePast(tip))) return refuse("non-final");
    if (this.#entries.has(data.key)) return refuse("txn-already-in-mempool");
    if (data.tx.inputs.some((input) => this.#spenders.has(outpoint(input)))) return refuse("txn-mempool-conflict");
    const lookup = (key: string): Coin | undefined => this.coin(key);
    const fee = checkInputs(data.tx, lookup, height);
    if (typeof fee !== "bigint") return fee;
    if (!sequenceLocksMet(data.tx, lookup, chain.contextAt(tip))) return refuse("non-BIP68-final");
    const sigopsCost = sigopCost(data.tx, lookup);
    if (sigopsCost > 16_000) return refuse("bad-txns-too-many-sigops");
    if (this.#entries.size >= this.#most || this.#weight + data.weight > MAX_TOTAL_WEIGHT) {
      return refuse("mempool full");
    }
    const parents = new Set<string>();
    for (const input of data.tx.inputs) {
      const key = outpoint(input);
      this.#spenders.set(key, data.key);
      const [parent = ""] = key.split(":");
      if (this.#entries.has(parent)) parents.add(parent);
    }
    const time = Math.floor(clock.nowMs() / 1000);
    this.#entries.set(data.key, { ...data, fee, sigopsCost, time, parents });
    this.#weight += data.weight;
    this.#updates++;
    return undefined;
  }

  #remove(entry: MempoolEntry): void {
    for (const input of entry.tx.inputs) this.#spenders.delete(outpoint(input));
    this.#entries.delete(entry.key);
    this.#weight -= entry.weight;
    this.#updates++;
  }

  /** Drops `entry` and everything that spends from it. */
  #removeWithChildren(entry: MempoolEntry): void {
    this.#remove(entry);
    entry.tx.outputs.forEach((_, i) => {
      const child = this.#entries.get(this.#spenders.get(`${entry.key}:${i}`) ?? "");
      if (child !== undefined) this.#removeWithChildren(child);
    });
  }

  /** Forgets everything, as when a node expires or evicts it. */
  clear(): void {
    for (const entry of [...this.#entries.values()]) this.#remove(entry);
  }

  /** A block took `txs`: they go, and so does what spends the same outputs in another way. */
  #confirm(txs: readonly TxData[]): void {
    for (const each of txs) {
      const entry = this.#entries.get(each.key);
      if (entry !== undefined) this.#remove(entry);
      for (const input of each.tx.inputs) {
        const rival = this.#entries.get(this.#spenders.get(outpoint(input)) ?? "");
        if (rival !== undefined) this.#removeWithChildren(rival);
      }
    }
  }

  /**
   * After a reorg: transactions of disconnected blocks come back, and everything is checked anew, since a coinbase may have
   * become immature or vanished. Parents stand before children on both sides, so one pass does.
   */
  #settle(): void {
    if (this.#returning.length === 0) return;
    const again = [...this.#returning, ...this.#entries.values()];
    this.#returning = [];
    this.#entries.clear();
    this.#spenders.clear();
    this.#weight = 0;
    for (const each of again) this.accept(each);
    this.#updates++;
  }
}
