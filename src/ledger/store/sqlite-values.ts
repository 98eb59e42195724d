/**
 * What may be bound to a statement of SQLite. libsql ends the whole process at a boolean and takes a number for floating-point, so
 * whatever is no value of the schema is refused here, before it reaches libsql.
 */

/** A value as libsql takes it. */
export type SqliteValue = string | bigint | number | null | Uint8Array;

const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;

/** `values` for libsql: whole numbers become integers. Throws `TypeError` for what no column of the ledger can hold. */
export function boundValues(values: readonly unknown[]): SqliteValue[] {
  return values.map(boundValue);
}

function boundValue(value: unknown): SqliteValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  if (typeof value === "bigint" && value >= LEAST && value <= MOST) return value;
  // Bound as it comes, a number without a fraction would be a floating-point value in every expression.
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === "number" && Number.isFinite(value) && !Number.isInteger(value)) return value;
  throw new TypeError(`${typeof value === "object" ? "an object" : String(value)} is no value of a column`);
}
