/** SIGINT and SIGTERM: the first asks for a clean stop, the second ends the process at once. SIGHUP: read the configuration again. */
import { EXIT } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** A signal that aborts when the operator asks the program to stop. */
export function interruptSignal(terminal: Terminal): AbortSignal {
  const abort = new AbortController();
  const onSignal = (name: string): void => {
    if (abort.signal.aborted) process.exit(EXIT.interrupted.code);
    // A log collector behind standard error reads JSON lines: this remark is for whoever typed Ctrl-C.
    if (process.stderr.isTTY) terminal.err(`${name}: stopping (once more to stop at once)`);
    abort.abort(new Error(`${name} received`));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return abort.signal;
}

/** Calls `run` at every SIGHUP, which then does not end the process, until the returned function is called. */
export function onHangup(run: () => void): () => void {
  process.on("SIGHUP", run);
  return () => void process.off("SIGHUP", run);
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
