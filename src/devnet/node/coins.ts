/**
 * The unspent outputs, and the rules that need them (Core's `ConnectBlock`, `CheckTxInputs`, `GetTransactionSigOpCost`
 * and `SequenceLocks`), with Core's reasons and in its order; scripts are not executed. The set grows with the chain as
 * any node's does; what no one can spend (OP_RETURN) is not kept.
 */
import { subsidy } from "../../bitcoin/coinbase.ts";
import { OP, scriptHash, scriptOps, sigops, witnessProgram } from "../../bitcoin/script.ts";
import { isCoinbase, legacySigops, type Transaction, type TxInput } from "../../bitcoin/transaction.ts";
import type { BlockData, TxData } from "./block-data.ts";
import { MAX_MONEY, MAX_SIGOPS_COST, outpoint, type Refusal, refuse } from "./validation.ts";

/** Blocks after which a coinbase may be spent. */
export const COINBASE_MATURITY = 100;

/** Longest script that can be spent; Core keeps no coin with a longer one. */
const MAX_SCRIPT_SIZE = 10_000;

/** One unspent output. */
export interface Coin {
  /** Amount in sat. */
  readonly value: bigint;
  /** scriptPubKey. */
  readonly script: Uint8Array;
  /** Height of the block that made it; the next one's for coins of the mempool. */
  readonly height: number;
  readonly coinbase: boolean;
}

/** Looks a coin up by `txid:index`. */
export type CoinLookup = (key: string) => Coin | undefined;

/** What takes a connected block back out of the set. */
export interface Undo {
  readonly spent: readonly (readonly [key: string, coin: Coin])[];
  readonly created: readonly string[];
}

/** What the rules about coins need to know of the chain below the block. */
export interface CoinContext {
  readonly height: number;
  readonly halvingInterval: number;
  /** Median time past of the block's parent, Unix seconds. */
  readonly medianTimePast: number;
  /** Median time past of the parent of the block at `height`, Unix seconds (BIP68). */
  readonly medianTimeBefore: (height: number) => number;
}

/** All unspent outputs of the active chain. */
export class CoinSet {
  readonly #coins = new Map<string, Coin>();

  /** Number of coins. */
  get size(): number {
    return this.#coins.size;
  }

  /** The coin `key` (`txid:index`, display order), if it is unspent. */
  get(key: string): Coin | undefined {
    return this.#coins.get(key);
  }

  /** All coins with their keys, oldest first. */
  entries(): IterableIterator<[key: string, coin: Coin]> {
    return this.#coins.entries();
  }

  /** Spends and creates the coins of a block. A refusal leaves the set as it was. */
  connect(
    data: BlockData,
    context: CoinContext,
  ): { readonly undo: Undo; readonly fees: bigint } | { readonly refusal: Refusal } {
    const undo = { spent: [] as [string, Coin][], created: [] as string[] };
    const result = this.#apply(data, context, undo);
    if (typeof result === "bigint") return { undo, fees: result };
    this.disconnect(undo);
    return { refusal: result };
  }

  #apply(
    data: BlockData,
    context: CoinContext,
    undo: { spent: [string, Coin][]; created: string[] },
  ): Refusal | bigint {
    for (const each of data.txs) {
      if (each.tx.outputs.some((_, i) => this.#coins.has(`${each.key}:${i}`))) return refuse("bad-txns-BIP30");
    }
    const lookup: CoinLookup = (key) => this.#coins.get(key);
    let fees = 0n;
    let sigopsCost = 0;
    for (const each of data.txs) {
      if (!isCoinbase(each.tx)) {
        const checked = checkInputs(each.tx, lookup, context.height);
        if (typeof checked !== "bigint") return checked;
        fees += checked;
        if (fees > MAX_MONEY) return refuse("bad-txns-accumulated-fee-outofrange");
        if (!sequenceLocksMet(each.tx, lookup, context)) return refuse("bad-txns-nonfinal");
      }
      sigopsCost += sigopCost(each.tx, lookup);
      if (sigopsCost > MAX_SIGOPS_COST) return refuse("bad-blk-sigops");
      this.#spendAndCreate(each, context.height, undo);
    }
    let paid = 0n;
    for (const { value } of data.txs[0]?.tx.outputs ?? []) paid += value;
    return paid > fees + subsidy(context.height, context.halvingInterval) ? refuse("bad-cb-amount") : fees;
  }

  #spendAndCreate({ tx, key }: TxData, height: number, undo: { spent: [string, Coin][]; created: string[] }): void {
    const coinbase = isCoinbase(tx);
    if (!coinbase) {
      for (const input of tx.inputs) {
        const spent = outpoint(input);
        const coin = this.#coins.get(spent);
        if (coin !== undefined) undo.spent.push([spent, coin]);
        this.#coins.delete(spent);
      }
    }
    tx.outputs.forEach(({ value, script }, i) => {
      if (script[0] === OP.OP_RETURN || script.length > MAX_SCRIPT_SIZE) return;
      const created = `${key}:${i}`;
      this.#coins.set(created, { value, script, height, coinbase });
      undo.created.push(created);
    });
  }

  /** Takes back what `connect` did. Blocks are taken back in the opposite order. */
  disconnect(undo: Undo): void {
    for (const [key, coin] of undo.spent) this.#coins.set(key, coin);
    // A coin that was created and spent in the same block was put back by the line above.
    for (const key of undo.created) this.#coins.delete(key);
  }
}

/** The fee of `tx` in sat in a block at `height`, or why its inputs cannot be spent there (Core's `CheckTxInputs`). */
export function checkInputs(tx: Transaction, lookup: CoinLookup, height: number): bigint | Refusal {
  const coins: Coin[] = [];
  for (const input of tx.inputs) {
    const coin = lookup(outpoint(input));
    if (coin === undefined) return refuse("bad-txns-inputs-missingorspent");
    coins.push(coin);
  }
  let paidIn = 0n;
  for (const coin of coins) {
    if (coin.coinbase && height - coin.height < COINBASE_MATURITY) {
      return refuse("bad-txns-premature-spend-of-coinbase");
    }
    paidIn += coin.value;
    if (paidIn > MAX_MONEY) return refuse("bad-txns-inputvalues-outofrange");
  }
  let paidOut = 0n;
  for (const { value } of tx.outputs) paidOut += value;
  return paidIn < paidOut ? refuse("bad-txns-in-belowout") : paidIn - paidOut;
}

/** Cost of all signature operations of `tx`: four for a legacy or P2SH one, one for one in a witness (BIP141). */
export function sigopCost(tx: Transaction, lookup: CoinLookup): number {
  let cost = 4 * legacySigops(tx);
  if (isCoinbase(tx)) return cost;
  for (const input of tx.inputs) {
    const script = lookup(outpoint(input))?.script;
    if (script === undefined) continue;
    const redeem = scriptHash(script) === undefined ? undefined : lastPush(input.script);
    if (redeem !== undefined) cost += 4 * sigops(redeem, true);
    cost += witnessSigops(input, redeem ?? script);
  }
  return cost;
}

/** The last thing that `script` pushes, if it only pushes. */
function lastPush(script: Uint8Array): Uint8Array | undefined {
  let last: Uint8Array | undefined;
  for (const { opcode, data } of scriptOps(script)) {
    if (opcode > OP.OP_16) return undefined;
    last = data ?? new Uint8Array(0);
  }
  return last;
}

function witnessSigops(input: TxInput, script: Uint8Array): number {
  const program = witnessProgram(script);
  if (program?.version !== 0) return 0;
  if (program.program.length === 20) return 1;
  const witnessScript = input.witness[input.witness.length - 1];
  return program.program.length === 32 && witnessScript !== undefined ? sigops(witnessScript, true) : 0;
}

/** BIP68: every input is as old as its sequence number asks. */
export function sequenceLocksMet(tx: Transaction, lookup: CoinLookup, context: CoinContext): boolean {
  if (tx.version < 2) return true;
  return tx.inputs.every((input) => {
    if (input.sequence & 0x80000000) return true;
    const made = lookup(outpoint(input))?.height ?? context.height;
    const wanted = input.sequence & 0xffff;
    if ((input.sequence & 0x00400000) === 0) return context.height >= made + wanted;
    return context.medianTimePast >= context.medianTimeBefore(made) + wanted * 512;
  });
}
