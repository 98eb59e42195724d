/** Amounts as people write them, exact: whole coins, a point, and the coin's decimals. Nothing here passes through a floating-point number. */
import { Fault } from "../../kernel/fault.ts";

/** A coin as its plugin names it. */
export interface Coin {
  readonly symbol: string;
  /** 8 when the base unit is 10^-8 of the coin. */
  readonly decimals: number;
}

/** `units` of the base unit in coins, with all decimals: `0.00100000`. */
export function coinsText(units: bigint, { decimals }: Pick<Coin, "decimals">): string {
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const sign = units < 0n ? "-" : "";
  return decimals === 0 ? `${sign}${whole}` : `${sign}${whole}.${digits.slice(-decimals)}`;
}

/** Base units of an amount in coins, 0 or more. Throws `Fault("payout-amount")`, also for more decimals than the coin has. */
export function unitsOf(text: string, { symbol, decimals }: Coin): bigint {
  const [, whole, fraction = ""] = /^(\d{1,18})(?:\.(\d{1,30}))?$/.exec(text) ?? [];
  if (whole === undefined || fraction.length > decimals) {
    throw new Fault("payout-amount", { amount: text.slice(0, 60), coin: symbol, decimals });
  }
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}
