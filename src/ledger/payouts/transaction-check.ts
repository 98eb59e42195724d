/** Looks at what a wallet made before it counts: our own parser reads the bytes, whatever the daemon says about them. */
import { parseTransaction, type Transaction, txid } from "../../bitcoin/transaction.ts";
import { fromHex, toDisplayHex, toHex } from "../../kernel/bytes.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { FeeFrom } from "./wallet.ts";

/** What an output was asked to be. */
export interface WantedOutput {
  /** scriptPubKey in hex, as the wallet's `validateaddress` gave it. */
  readonly script: string;
  readonly amount: bigint;
}

/** A transaction's bytes, read. Throws `Fault("payout-transaction-wrong")`. */
export function readRaw(raw: string): Transaction {
  try {
    return parseTransaction(fromHex(raw));
  } catch (cause) {
    throw new Fault("payout-transaction-wrong", { why: "it is no transaction of Bitcoin's form" }, { cause });
  }
}

/** What our own parser says of a transaction. */
export interface CheckedPayout {
  /** Display hex. */
  readonly txid: string;
  /** How much less than wanted the payees get together. */
  readonly withheld: bigint;
}

/**
 * Checks that a transaction's first outputs are those wanted, in their order, followed by one of change at most. With `workers` they are smaller
 * by parts of `fee` that differ by as many units as there are outputs at most, and by less than `fee` together where the coins left a rest too small for
 * change: Core puts that towards the fee. Throws `Fault("payout-transaction-wrong")`.
 */
export function checkedPayout(
  raw: string,
  wanted: readonly WantedOutput[],
  fee: bigint,
  feeFrom: FeeFrom,
): CheckedPayout {
  const wrong = (why: string): Fault => new Fault("payout-transaction-wrong", { why });
  const tx = readRaw(raw);
  const count = tx.outputs.length;
  if (count < wanted.length || count > wanted.length + 1) {
    throw wrong(`it has ${count} outputs for ${wanted.length} payments`);
  }
  let withheld = 0n;
  const share = fee / BigInt(Math.max(1, wanted.length));
  for (const [i, { script, amount }] of wanted.entries()) {
    const output = tx.outputs[i];
    if (output === undefined || toHex(output.script) !== script) throw wrong(`output ${i} pays somebody else`);
    const less = amount - output.value;
    // Core takes the remainder of the division from the first output.
    const most = feeFrom === "operator" ? 0n : share + BigInt(wanted.length);
    if (less < 0n || less > most) throw wrong(`output ${i} pays ${output.value} instead of ${amount}`);
    withheld += less;
  }
  if (withheld > fee) throw wrong(`the payees pay ${withheld} of a fee of ${fee}`);
  return { txid: toDisplayHex(txid(tx)), withheld };
}

/** `txid:n` of the outputs that a transaction spends. Throws `Fault("payout-transaction-wrong")`. */
export function inputsOf(raw: string): { readonly txid: string; readonly vout: number }[] {
  return readRaw(raw).inputs.map(({ prevHash, prevIndex }) => ({ txid: toDisplayHex(prevHash), vout: prevIndex }));
}

/**
 * How much of a payout another transaction pays: `all` when each of the first `outputs` outputs of `raw` is there once, script and amount; `none`
 * when no output goes to any of their scripts. A replacement may pay each payee a little less, so that is `some`.
 */
export function paysSame(raw: string, other: string, outputs: number): "all" | "some" | "none" {
  const theirs = readRaw(other).outputs;
  const left = theirs.map(keyOf);
  const wanted = readRaw(raw).outputs.slice(0, outputs);
  const isSame = wanted.every((output) => {
    const at = left.indexOf(keyOf(output));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
  if (isSame) return "all";
  const payees = new Set(wanted.map(({ script }) => toHex(script)));
  return theirs.some(({ script }) => payees.has(toHex(script))) ? "some" : "none";
}

function keyOf({ script, value }: Transaction["outputs"][number]): string {
  return `${toHex(script)}:${value}`;
}

/** A daemon's number of coins as text with `decimals`, exact for the small ones that fees are: a double holds 15 digits. */
export function numberToCoins(value: number, decimals: number): string {
  if (!Number.isFinite(value) || Math.abs(value) * 10 ** decimals > Number.MAX_SAFE_INTEGER) {
    throw new Fault("payout-transaction-wrong", { why: `a fee of ${describe(value)}` });
  }
  return Math.abs(value).toFixed(decimals);
}
