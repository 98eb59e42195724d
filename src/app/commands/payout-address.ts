/** `payout-address`: where payees are paid, kept in the ledger's database. */
import {
  listPayoutAddresses,
  type PayoutAddress,
  removePayoutAddress,
  setPayoutAddress,
} from "../../ledger/payouts/addresses.ts";
import { type Coin, coinsText, unitsOf } from "../../ledger/payouts/coins.ts";
import type { LedgerDb } from "../../ledger/store/schema.ts";
import { coinOf } from "../coin-of.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { EXIT } from "../exit-codes.ts";
import { ledgerOf } from "../ledger-of.ts";
import { addressCheck } from "../payout-settings.ts";
import { plainJson, plainText } from "../reports/plain-text.ts";
import { systemClock } from "../system.ts";
import { jsonLine, type Terminal } from "../terminal.ts";

/** Words behind these commands. */
export interface PayoutAddressWords {
  readonly config?: string;
  readonly chain: string;
  readonly json: boolean;
}

/** Rows that are read at a time. */
const PAGE = 1000;

/** `payout-address list`. Returns the exit code; throws `Fault` `chain-unknown` and those of the ledger. */
export async function listAddresses(words: PayoutAddressWords, terminal: Terminal): Promise<number> {
  return await withLedger(words, { create: false }, async (db, coin) => {
    let after = "";
    for (;;) {
      const page = await listPayoutAddresses(db, { chain: words.chain, after, limit: PAGE });
      for (const entry of page) terminal.out(textOf(entry, coin, words));
      const last = page.at(-1);
      if (page.length < PAGE || last === undefined) return EXIT.ok.code;
      after = last.payee;
    }
  });
}

/** `payout-address set`. Returns the exit code; throws `Fault` `payout-address`, `payout-payee`, `payout-amount` and as `listAddresses`. */
export async function setAddress(
  payee: string,
  address: string,
  words: PayoutAddressWords & { readonly least?: string },
  terminal: Terminal,
): Promise<number> {
  return await withLedger(words, { create: true }, async (db, coin, { config }) => {
    const least = words.least === undefined ? undefined : unitsOf(words.least, coin);
    const entry = { chain: words.chain, payee, address, least, atMs: systemClock.nowMs() };
    await setPayoutAddress(db, entry, addressCheck(config.bitcoin.network));
    terminal.out(textOf(entry, coin, words));
    return EXIT.ok.code;
  });
}

/** `payout-address remove`. Returns the exit code, `failed` when there was none. */
export async function removeAddress(payee: string, words: PayoutAddressWords, terminal: Terminal): Promise<number> {
  return await withLedger(words, { create: false }, async (db) => {
    const removed = await removePayoutAddress(db, words.chain, payee);
    if (words.json) terminal.out(jsonLine({ payee, removed }));
    else terminal.out(removed ? `${payee} has no address on ${words.chain} any more` : `${payee} had none`);
    return removed ? EXIT.ok.code : EXIT.failed.code;
  });
}

async function withLedger(
  { config, chain }: PayoutAddressWords,
  { create }: { readonly create: boolean },
  work: (db: LedgerDb, coin: Coin, loaded: LoadedConfig) => Promise<number>,
): Promise<number> {
  const loaded = loadConfig(config);
  const coin = await coinOf(loaded, chain);
  const ledger = await ledgerOf(loaded, { create });
  try {
    return await ledger.run((db) => work(db, coin, loaded));
  } finally {
    await ledger.close();
  }
}

/** A payee's name may be a miner's own word. */
function textOf(entry: PayoutAddress, coin: Coin, { json }: PayoutAddressWords): string {
  return json ? plainJson(jsonLine(shown(entry, coin))) : plainText(line(entry, coin));
}

function shown({ chain, payee, address, least, atMs }: PayoutAddress, coin: Coin) {
  return { chain, payee, address, least: least === undefined ? null : coinsText(least, coin), atMs };
}

function line({ payee, address, least }: PayoutAddress, coin: Coin): string {
  return `${payee}  ${address}${least === undefined ? "" : `  from ${coinsText(least, coin)} ${coin.symbol} on`}`;
}
