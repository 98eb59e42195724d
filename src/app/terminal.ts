/** What a command may print: data on standard output, remarks on standard error. Tests pass their own. */

/** Standard output and error, line by line. */
export interface Terminal {
  /** One line of result on standard output. */
  out(line: string): void;
  /** One line of remark on standard error. */
  err(line: string): void;
  /** Whether standard output is a terminal, so that colour and live lines make sense. */
  readonly interactive: boolean;
}

/** The process's own streams. Output to a closed pipe ends quietly: the reader had enough. */
export function processTerminal(): Terminal {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    interactive: process.stdout.isTTY === true,
  };
}

/** ANSI colours, or the text itself when `enabled` is false (no terminal, or NO_COLOR is set). */
export function colours(
  enabled: boolean,
): Readonly<Record<"dim" | "bold" | "green" | "yellow" | "red" | "cyan", (text: string) => string>> {
  const paint = (code: number) => (text: string) => (enabled ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { dim: paint(2), bold: paint(1), green: paint(32), yellow: paint(33), red: paint(31), cyan: paint(36) };
}

/** JSON on one line; big integers become decimal text. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? inner.toString() : inner));
}

/** A rate in the miners' own unit: `1.25 TH/s`. */
export function hashrateText(hashesPerSecond: number): string {
  const units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s", "ZH/s"];
  let value = hashesPerSecond;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
}
