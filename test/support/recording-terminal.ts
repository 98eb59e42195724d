/** A terminal that keeps what a command printed. */
import type { Terminal } from "../../src/app/terminal.ts";

/** A terminal and its lines. */
export interface RecordingTerminal extends Terminal {
  readonly outLines: string[];
  readonly errLines: string[];
}

/** A terminal that is no TTY and prints nowhere. */
export function recordingTerminal(): RecordingTerminal {
  const outLines: string[] = [];
  const errLines: string[] = [];
  return {
    outLines,
    errLines,
    out: (line) => void outLines.push(...line.split("\n")),
    err: (line) => void errLines.push(...line.split("\n")),
    interactive: false,
  };
}
