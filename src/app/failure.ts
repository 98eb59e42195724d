/** What a failure means to whoever started the program: its exit code, and the advice that helps most. */
import { Fault } from "../kernel/fault.ts";
import { EXIT } from "./exit-codes.ts";

/** Faults of words on the command line; the same mistakes in a file come as the cause of another fault. */
const MISTYPED: ReadonlySet<string> = new Set([
  "sv2-url-invalid",
  "authority-key-invalid",
  "report-query",
  "report-chain-unknown",
  "report-pool-unknown",
  "bllvm-launch",
  "bllvm-socket-unknown",
  "bllvm-data-dir-unknown",
]);

/** The exit code of a command that ended with `error`. */
export function exitCodeOf(error: unknown): number {
  const isMistake = error instanceof Fault && (/^(config|plugins?)-/.test(error.code) || MISTYPED.has(error.code));
  return isMistake ? EXIT.usage.code : EXIT.failed.code;
}

/** The advice of the innermost fault of a chain of causes: it knows most. */
export function adviceOf(fault: Fault): string {
  return fault.cause instanceof Fault ? adviceOf(fault.cause) : fault.help;
}
