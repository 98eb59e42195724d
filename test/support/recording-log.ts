/** A log that keeps its lines for assertions. */
import type { Log, LogFields } from "../../src/kernel/log.ts";

/** One recorded line. */
export interface LogLine {
  readonly level: "trace" | "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** A log and the lines that were written to it or to its children. */
export function recordingLog(fields: LogFields = {}, lines: LogLine[] = []): Log & { readonly lines: LogLine[] } {
  const write =
    (level: LogLine["level"]) =>
    (message: string, more: LogFields = {}): void => {
      lines.push({ level, message, fields: { ...fields, ...more } });
    };
  return {
    lines,
    trace: write("trace"),
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (more) => recordingLog({ ...fields, ...more }, lines),
  };
}
