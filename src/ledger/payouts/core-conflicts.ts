/**
 * Finds what spent the coins of a payout, in a wallet of Bitcoin Core's family. The coins are the wallet's own, so whatever spent them is one of its
 * transactions: the ones that it names as conflicts, or one of its latest payments.
 */
import { z } from "zod";
import { type Coin, unitsOf } from "./coins.ts";
import { rpcReason } from "./core-failure.ts";
import { inputsOf, numberToCoins, paysSame } from "./transaction-check.ts";
import type { Conflict } from "./wallet.ts";

/** How the wallet is asked. */
export interface ConflictSearch {
  readonly call: <S extends z.ZodType>(
    method: string,
    params: readonly unknown[],
    schema: S,
    options?: { readonly maxBytes?: number },
  ) => Promise<z.output<S>>;
  readonly coin: Coin;
}

const LARGE = { maxBytes: 16 << 20 } as const;
/** Entries of the wallet's list that are looked at, newest first. */
const PAGE = 1000;
const MAX_PAGES = 10;

const conflicts = z.looseObject({ walletconflicts: z.array(z.string()).default([]) });
const entries = z.array(
  z.looseObject({ txid: z.string().optional(), category: z.string(), confirmations: z.number().int().default(0) }),
);
const whole = z.looseObject({ confirmations: z.number().int(), hex: z.string(), fee: z.number().default(0) });

/** The confirmed transaction that spent a coin of `payout`; `undefined` when there is none that the wallet knows of. */
export async function conflictWith(
  search: ConflictSearch,
  payout: { readonly txid: string; readonly rawTransaction: string; readonly outputs: number },
): Promise<Conflict | undefined> {
  const coins = new Set(inputsOf(payout.rawTransaction).map(keyOf));
  for await (const txid of candidates(search, payout.txid)) {
    const { confirmations, hex, fee } = await search.call("gettransaction", [txid], whole, LARGE);
    if (confirmations < 1 || !inputsOf(hex).some((input) => coins.has(keyOf(input)))) continue;
    return {
      txid,
      rawTransaction: hex,
      fee: unitsOf(numberToCoins(fee, search.coin.decimals), search.coin),
      confirmations,
      pays: paysSame(payout.rawTransaction, hex, payout.outputs),
    };
  }
  return undefined;
}

/** Transactions that may be it, each once. */
async function* candidates({ call }: ConflictSearch, own: string): AsyncGenerator<string> {
  const seen = new Set([own]);
  for (const txid of await namedBy(call, own)) {
    if (!seen.has(txid)) yield txid;
    seen.add(txid);
  }
  for (let page = 0; page < MAX_PAGES; page++) {
    const list = await call("listtransactions", ["*", PAGE, page * PAGE], entries, LARGE);
    for (const { txid, category, confirmations } of list.toReversed()) {
      if (txid === undefined || category !== "send" || confirmations < 1 || seen.has(txid)) continue;
      seen.add(txid);
      yield txid;
    }
    if (list.length < PAGE) return;
  }
}

async function namedBy(call: ConflictSearch["call"], txid: string): Promise<readonly string[]> {
  try {
    return (await call("gettransaction", [txid], conflicts, LARGE)).walletconflicts;
  } catch (error) {
    if (rpcReason(error)?.code === -5) return [];
    throw error;
  }
}

function keyOf({ txid, vout }: { readonly txid: string; readonly vout: number }): string {
  return `${txid}:${vout}`;
}
