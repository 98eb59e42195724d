/** Amounts as reports tell them, also those of chains whose coin nobody knows any more. */
import { type Coin, coinsText } from "../../ledger/payouts/coins.ts";

/** Coins by chain; one that is missing has no plugin any more, and its amounts are told in base units. */
export type Coins = ReadonlyMap<string, Coin>;

/** Bitcoin's own. */
export const BITCOIN_COIN: Coin = { symbol: "BTC", decimals: 8 };

/** `amount` base units as a decimal number with all of the coin's digits: `-0.00000001`. Without a coin the units themselves. */
export function coinNumber(amount: bigint, coin: Coin | undefined): string {
  return coinsText(amount, coin ?? { decimals: 0 });
}

/** As `coinNumber`, with the coin's symbol: `0.50000000 BTC`; `50000000 units` without a coin. */
export function coinText(amount: bigint, coin: Coin | undefined): string {
  return `${coinNumber(amount, coin)} ${coin?.symbol ?? "units"}`;
}
