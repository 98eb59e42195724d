/** The shape of a row of the fault table. */

/**
 * Who has to act:
 * `reply` the miner (answered with an SV2 error message, `wire` is its string), `drop` nobody (the peer's connection is
 * closed), `retry` a supervisor with backoff, `isolate` the author of a plugin, `halt` the operator.
 */
export type Act = "reply" | "drop" | "retry" | "isolate" | "halt";

/** One fault: who acts, what happened, what to do and, for `reply`, the error code sent to the peer. */
export interface FaultRow {
  readonly act: Act;
  /** What happened, as a clause without a full stop; facts are appended in brackets. */
  readonly what: string;
  /** What the reader can do about it. */
  readonly help: string;
  /** SV2 `error_code` string (reference: SRI's constants), for `reply` only. */
  readonly wire?: string;
}

/** Checks a table's rows against `FaultRow` and keeps its codes as literal types. */
export function faults<const T extends Readonly<Record<string, FaultRow>>>(table: T): T {
  return table;
}
