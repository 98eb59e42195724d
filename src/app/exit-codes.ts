/** What the program's exit code means; the same table stands in `--help` and in the README. */

/** Exit codes by name. */
export const EXIT = {
  ok: { code: 0, doc: "done, or stopped as asked" },
  failed: { code: 1, doc: "something went wrong while running; the last lines of the log say what" },
  usage: { code: 2, doc: "wrong command line or configuration; nothing was started" },
  problems: { code: 3, doc: "doctor, plugin check or ledger check found a problem" },
  interrupted: { code: 130, doc: "interrupted a second time before it had stopped cleanly" },
} as const;

/** The table as text, one line a code. */
export function exitCodeText(): string {
  const rows = Object.values(EXIT).map(({ code, doc }) => `  ${String(code).padEnd(4)}${doc}`);
  return `\nExit codes:\n${rows.join("\n")}`;
}
