/** Bounds of what one report reads and returns. */
import { Fault } from "../../kernel/fault.ts";

/** Entries of a page when nobody says how many. */
export const DEFAULT_LIMIT = 100;

/** Most entries of a page. */
export const MAX_LIMIT = 1000;

/** `limit` or the default. Throws `Fault("report-query")` unless it is a whole number from 1 to `MAX_LIMIT`. */
export function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw new Fault("report-query", { limit, least: 1, most: MAX_LIMIT });
  }
  return limit;
}
