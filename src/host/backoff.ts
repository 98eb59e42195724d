/** How long a chain that failed stays out: longer each time, and not in step with others that failed for the same cause. */
import { type Random, randomU32 } from "../kernel/random.ts";

/** Bounds of the waiting time. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly mostMs: number;
  /** A chain that ran for this long begins anew with `firstMs`. */
  readonly steadyMs: number;
}

/** From a second to five minutes; ten minutes without a fault are forgiven. */
export const BACKOFF: BackoffOptions = { firstMs: 1000, mostMs: 300_000, steadyMs: 600_000 };

/** Ms to wait before start number `attempt` (from 0): doubled each time up to `mostMs`, then 75 to 125 % of it by `random`. */
export function backoffMs({ firstMs, mostMs }: BackoffOptions, attempt: number, random: Random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(full * (0.75 + randomU32(random) / 2 ** 33));
}
