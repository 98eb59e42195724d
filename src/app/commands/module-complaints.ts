/** Warnings and errors in a log file, of our own kind (JSON lines) or of others. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

/** Bytes at the end of the file that are looked at. */
const TAIL = 256 << 10;
/** Complaints that are given. */
const MOST = 5;
/** Characters of one. */
const LENGTH = 500;
/** pino's number of `warn`. */
const WARN = 40;

/** The last complaints in `file` that `concerns`, without repetitions, oldest first; of our own log those since the last start. Throws the system's error. */
export function complaintsIn(file: string, concerns: (line: string) => boolean): string[] {
  const lines = tailOf(file).split("\n");
  const start = lines.findLastIndex((line) => line.includes('"msg":"configured by '));
  const found = new Set<string>();
  for (const line of lines.slice(start + 1)) {
    if (!concerns(line)) continue;
    const text = complaintOf(line);
    if (text === undefined) continue;
    // The newest place counts.
    found.delete(text);
    found.add(text);
  }
  return [...found].slice(-MOST);
}

function complaintOf(line: string): string | undefined {
  if (line.startsWith("{")) {
    try {
      const { level, msg } = JSON.parse(line) as { readonly level?: unknown; readonly msg?: unknown };
      return typeof level === "number" && level >= WARN && typeof msg === "string" ? msg.slice(0, LENGTH) : undefined;
    } catch {
      return undefined;
    }
  }
  // The launcher's lines, and those of other programs with a level in capitals (Rust's tracing); colours are left out.
  const plain = stripVTControlCharacters(line).trim();
  return /\b(WARN|ERROR)\b|bllvm-stratum-v2: /.test(plain) ? plain.slice(0, LENGTH) : undefined;
}

function tailOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    const from = Math.max(0, size - TAIL);
    const bytes = Buffer.alloc(size - from);
    const read = readSync(descriptor, bytes, 0, bytes.length, from);
    const text = bytes.toString("utf8", 0, read);
    return from === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    closeSync(descriptor);
  }
}
