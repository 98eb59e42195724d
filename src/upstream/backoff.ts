/** How long a pool that failed is left alone: longer each time, and not in step with the other servers that lost it in the same second. */
import { type Random, randomU32 } from "../kernel/random.ts";

/** Bounds of the pause between two attempts. */
export interface RedialPauses {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** From a second to a minute. */
export const REDIAL: RedialPauses = { firstMs: 1000, mostMs: 60_000 };

/** Ms to wait after failure number `failures` (from 1) in a row: doubled each time up to `mostMs`, then 75 to 125 % of it by `random`. */
export function redialMs({ firstMs, mostMs }: RedialPauses, failures: number, random: Random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(full * (0.75 + randomU32(random) / 2 ** 33));
}
