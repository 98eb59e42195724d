/** Amounts as people read them: whole coins and their parts, exact. */

/** A chain's coin: `decimals` is 8 when the base unit is 10^-8 of it. */
export interface Coin {
  readonly symbol: string;
  readonly decimals: number;
}

/** Coins by chain; one that is missing has no plugin any more, and its amounts are told in base units. */
export type Coins = ReadonlyMap<string, Coin>;

/** Bitcoin's own. */
export const BITCOIN_COIN: Coin = { symbol: "BTC", decimals: 8 };

/** Digits that a plugin's coin may have, as `plugin check` asks. */
const MAX_DECIMALS = 30;

/** `amount` base units as a decimal number with all of the coin's digits: `-0.00000001`. Without a coin the units themselves. */
export function coinNumber(amount: bigint, coin: Coin | undefined): string {
  const decimals = Math.min(coin?.decimals ?? 0, MAX_DECIMALS);
  if (decimals === 0) return String(amount);
  const digits = String(amount < 0n ? -amount : amount).padStart(decimals + 1, "0");
  return `${amount < 0n ? "-" : ""}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** As `coinNumber`, with the coin's symbol: `0.50000000 BTC`; `50000000 units` without a coin. */
export function coinText(amount: bigint, coin: Coin | undefined): string {
  return `${coinNumber(amount, coin)} ${coin?.symbol ?? "units"}`;
}
