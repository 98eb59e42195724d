/**
 * What a caller is told of an error. Faults are written for people; the text of anything else may hold paths, addresses or pieces of our memory, so it
 * stays in our own log.
 */
import { describe, Fault } from "../../../kernel/fault.ts";
import type { Log } from "../../../kernel/log.ts";

/** All that a caller learns of a mistake of ours. */
export const INTERNAL_ERROR = "an internal error; this module's log has it";

/** The sentence for the caller of `what`; logs what is no `Fault`. */
export function errorText(error: unknown, what: string, log: Log): string {
  if (error instanceof Fault) return `${describe(error)}. ${error.help}`;
  log.error(`${what} failed: ${describe(error)}`, { error });
  return INTERNAL_ERROR;
}
