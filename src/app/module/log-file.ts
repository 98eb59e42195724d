/**
 * The log of a module that the node started: a file in its data folder, since nobody reads the pipes that such a process has
 * for standard output and error. Its size is bounded. The launcher points standard error at the same file, for what Node.js says
 * when it ends by itself; so a full file is copied and emptied rather than renamed, and both go on at its beginning.
 */
import {
  closeSync,
  copyFileSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import type { LineWriter } from "../log.ts";

/** How much is kept. */
export interface LogFileOptions {
  readonly path: string;
  /** A file beyond this is set aside. */
  readonly maxBytes: number;
  /** Files that were set aside: `module.log.1` is the youngest. */
  readonly keep: number;
}

/** Bounds of module.log: four times 8 MiB. */
export const MODULE_LOG = { maxBytes: 8 << 20, keep: 3 } as const;

/** Bytes of one line that are written. */
const MAX_LINE = 64 << 10;
const CUT = Buffer.from("…\n");

/** A file that lines are appended to. Writing never throws: a full disk is no reason to stop mining. */
export class LogFile implements LineWriter {
  readonly #options: LogFileOptions;
  readonly #file: number;

  /** Opens the file for this user alone, and makes it at need. Throws the system's error. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#file = openSync(options.path, "a", 0o600);
    try {
      fchmodSync(this.#file, 0o600);
    } catch {
      // Another user's file that we may write to: a log all the same.
    }
  }

  write(line: string): void {
    try {
      const { maxBytes } = this.#options;
      const bytes = boundedBytes(line, Math.min(MAX_LINE, maxBytes));
      if (fstatSync(this.#file).size + bytes.length > maxBytes) this.#setAside();
      writeSync(this.#file, bytes);
    } catch {
      // There is nowhere to say it.
    }
  }

  /** Further lines are lost. */
  close(): void {
    closeSync(this.#file);
  }

  #setAside(): void {
    const { path, keep } = this.#options;
    try {
      for (let i = keep - 1; i > 0; i--) renameIfThere(`${path}.${i}`, `${path}.${i + 1}`);
      copyFileSync(path, `${path}.1`);
    } finally {
      // The bound holds, also where there is no room for a copy.
      ftruncateSync(this.#file, 0);
    }
  }
}

/** `line` as UTF-8, cut between two characters where it has more than `most` bytes. */
function boundedBytes(line: string, most: number): Buffer {
  // A character has a byte at least: what is beyond need not be encoded to be cut off.
  const bytes = Buffer.from(line.slice(0, most + 1));
  if (bytes.length <= most) return bytes;
  let end = Math.max(0, most - CUT.length);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return Buffer.concat([bytes.subarray(0, end), CUT]);
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
