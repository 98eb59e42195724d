/**
 * Transactions out of nothing, so that a devnet's templates look like real ones: legacy, P2SH and segwit, with fees,
 * signature operations and some chains of unconfirmed parents. They spend outputs whose script anyone can satisfy, and
 * are valid for Bitcoin Core's consensus too.
 */
import { hash160, sha256 } from "../../bitcoin/hash.ts";
import { OP, opReturn, pushBytes } from "../../bitcoin/script.ts";
import { serializeTransaction, type Transaction, type TxInput, type TxOutput } from "../../bitcoin/transaction.ts";
import { concat, equal, fromDisplayHex } from "../../kernel/bytes.ts";
import { type Random, randomU32 } from "../../kernel/random.ts";
import { txData } from "./block-data.ts";
import type { Chain } from "./chain.ts";
import { COINBASE_MATURITY, type Coin } from "./coins.ts";
import type { Mempool } from "./mempool.ts";

/** OP_0 OP_IF OP_CHECKSIG OP_ENDIF OP_1: true for everyone, and counted as one signature operation. */
const LOCK = Uint8Array.of(0x00, 0x63, 0xac, 0x68, 0x51);

/** Pays to the hash of `LOCK` as a witness script: what blocks of the node itself pay unless told otherwise. */
export const ANYONE_SCRIPT = concat(Uint8Array.of(OP.OP_0), pushBytes(sha256(LOCK)));

/** The ways to lock an output so that anyone can unlock it. */
const KINDS: readonly { readonly script: Uint8Array; readonly unlock: Pick<TxInput, "script" | "witness"> }[] = [
  { script: ANYONE_SCRIPT, unlock: { script: new Uint8Array(0), witness: [LOCK] } },
  { script: LOCK, unlock: { script: new Uint8Array(0), witness: [] } },
  {
    script: concat(Uint8Array.of(OP.OP_HASH160), pushBytes(hash160(LOCK)), Uint8Array.of(OP.OP_EQUAL)),
    unlock: { script: pushBytes(LOCK), witness: [] },
  },
];

/** Smallest output made, sat. */
const DUST = 1000n;

/** Outputs remembered for later; beyond half of it, transactions join outputs instead of splitting them. */
const MAX_REMEMBERED = 1000;

/** Unconfirmed parents in a row at most. */
const MAX_DEPTH = 5;

interface Spendable {
  readonly key: string;
  /** Unconfirmed transactions below it when it was made. */
  readonly depth: number;
}

/** Feeds a mempool. */
export class SyntheticTransactions {
  readonly #deps: { readonly chain: Chain; readonly mempool: Mempool; readonly random: Random };
  #spendable: Spendable[] = [];
  #scannedHeight = Number.NEGATIVE_INFINITY;

  constructor(deps: { readonly chain: Chain; readonly mempool: Mempool; readonly random: Random }) {
    this.#deps = deps;
  }

  /** Puts up to `count` new transactions into the mempool; returns how many. Fewer when there is nothing to spend. */
  add(count: number): number {
    let added = 0;
    for (let tries = 0; added < count && tries < count + 10; tries++) if (this.#addOne()) added++;
    return added;
  }

  #addOne(): boolean {
    const { mempool } = this.#deps;
    const joining = this.#spendable.length > MAX_REMEMBERED / 2;
    const inputs = this.#take(joining ? 8 : 1 + (this.#below(4) === 0 ? 1 : 0));
    if (inputs.length === 0) return false;
    const tx = this.#spend(inputs, joining ? 1 : 1 + this.#below(3));
    if (tx === undefined) return false;
    const data = txData(tx, serializeTransaction(tx, { witness: true }));
    if (mempool.accept(data) !== undefined) return false;
    const depth = 1 + Math.max(...inputs.map((each) => each.depth));
    tx.outputs.forEach(({ script }, i) => {
      if (kindOf(script) !== undefined) this.#spendable.push({ key: `${data.key}:${i}`, depth });
    });
    this.#spendable.splice(0, this.#spendable.length - MAX_REMEMBERED);
    return true;
  }

  /** Picks up to `count` outputs at random that can be spent now; those that never can are forgotten. */
  #take(count: number): (Spendable & { readonly coin: Coin })[] {
    const { chain, mempool } = this.#deps;
    // Others may have made spendable blocks, and a reorg may have taken ours: look again, but not at every call.
    if (this.#spendable.length < 4 && chain.tip.height - this.#scannedHeight >= 5) this.#scan();
    const taken: (Spendable & { readonly coin: Coin })[] = [];
    for (let tries = 0; taken.length < count && tries < 4 * count && this.#spendable.length > 0; tries++) {
      // The newest one every third time: its transaction is probably unconfirmed yet, which makes a chain.
      const at = this.#below(3) === 0 ? this.#spendable.length - 1 : this.#below(this.#spendable.length);
      const [each] = this.#spendable.splice(at, 1);
      if (each === undefined || mempool.spends(each.key)) continue;
      const coin = mempool.coin(each.key);
      if (coin === undefined) continue;
      const unconfirmed = coin.height > chain.tip.height;
      const immature = coin.coinbase && chain.tip.height + 1 - coin.height < COINBASE_MATURITY;
      if (immature || (unconfirmed && each.depth >= MAX_DEPTH)) this.#spendable.unshift(each);
      else taken.push({ ...each, depth: unconfirmed ? each.depth : 0, coin });
    }
    return taken;
  }

  #scan(): void {
    const { chain } = this.#deps;
    this.#scannedHeight = chain.tip.height;
    const known = new Set(this.#spendable.map((each) => each.key));
    for (const [key, coin] of chain.coins.entries()) {
      if (this.#spendable.length >= MAX_REMEMBERED / 2) break;
      if (kindOf(coin.script) !== undefined && coin.value > 100n * DUST && !known.has(key)) {
        this.#spendable.push({ key, depth: 0 });
      }
    }
  }

  #spend(coins: readonly (Spendable & { readonly coin: Coin })[], outputs: number): Transaction | undefined {
    const { chain, random } = this.#deps;
    let value = 0n;
    for (const { coin } of coins) value += coin.value;
    const feeRate = BigInt(1 + this.#below(50));
    const fee = feeRate * BigInt(100 + 70 * coins.length + 40 * outputs);
    let left = value - fee;
    if (left < DUST * BigInt(outputs)) return undefined;
    const made: TxOutput[] = [];
    for (let i = outputs; i > 1; i--) {
      const most = left - DUST * BigInt(i - 1);
      const part = DUST + ((most - DUST) * BigInt(this.#below(1000))) / 1000n;
      made.push({ value: part, script: this.#script() });
      left -= part;
    }
    made.push({ value: left, script: this.#script() });
    if (this.#below(10) === 0) made.push({ value: 0n, script: opReturn(random.bytes(8 + this.#below(24))) });
    return {
      version: 2,
      inputs: coins.map(({ key, coin }) => {
        const [txid = "", index = "0"] = key.split(":");
        const unlock = kindOf(coin.script)?.unlock ?? { script: new Uint8Array(0), witness: [] };
        return { prevHash: fromDisplayHex(txid), prevIndex: Number(index), sequence: 0xfffffffd, ...unlock };
      }),
      outputs: made,
      // As wallets do against fee sniping.
      lockTime: chain.tip.height,
    };
  }

  #script(): Uint8Array {
    return KINDS[this.#below(KINDS.length)]?.script ?? ANYONE_SCRIPT;
  }

  /** A random number from 0 to `limit` - 1. */
  #below(limit: number): number {
    return randomU32(this.#deps.random) % limit;
  }
}

function kindOf(script: Uint8Array): (typeof KINDS)[number] | undefined {
  return KINDS.find((kind) => equal(kind.script, script));
}
