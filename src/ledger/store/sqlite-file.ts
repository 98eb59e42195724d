/**
 * The files of an SQLite ledger: made for this user alone, held by one server at a time, and watched while they are open, since SQLite
 * goes on writing into a file that was deleted or replaced and says nothing.
 */
import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import Database from "libsql";

/** An error that tells by `code` what happened, as the system's own errors do. */
export class FileError extends Error {
  readonly code: string;

  constructor(code: "LEDGER_MOVED" | "LEDGER_IN_USE", message: string) {
    super(message);
    this.code = code;
  }
}

/** The address for libsql, whose own options `readonly` and `fileMustExist` do nothing. `immutable`: nobody writes it, no locks are taken. */
export function fileAddress(path: string, mode: "rw" | "ro" | "immutable"): string {
  return `${pathToFileURL(path).href}?${mode === "immutable" ? "immutable=1" : `mode=${mode}`}`;
}

/** Makes the file and its folders unless they are there: modes 0600 and 0700, and the entry is on the disk. */
export function makeFile(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Throws the system's error, which says more than SQLite's, when the file or its folder cannot be written. */
export function mustBeWritable(path: string): void {
  for (const one of [dirname(path), path]) accessSync(one, constants.R_OK | constants.W_OK);
}

/** A lock that is held. */
export interface FileLock {
  release(): void;
}

/**
 * Holds `<path>.lock` until released or until this process ends, however it ends: it is a lock of the system (SQLite's own on an empty
 * database), not a file that could be left behind. Throws `FileError` `LEDGER_IN_USE` when another process still holds it after `waitMs`.
 */
export function lockFile(path: string, waitMs: number): FileLock {
  const lock = `${path}.lock`;
  // Closing a file lets go of all locks that this process has on it, so one that is there is left alone.
  if (!existsSync(lock)) closeSync(openSync(lock, "a", 0o600));
  const db = new Database(fileAddress(lock, "rw"));
  try {
    db.exec(`PRAGMA busy_timeout = ${Math.round(waitMs)}`);
    db.exec("begin exclusive");
  } catch (error) {
    db.close();
    if (String((error as { readonly code?: unknown }).code).startsWith("SQLITE_BUSY")) {
      throw new FileError("LEDGER_IN_USE", `another process holds ${lock}`);
    }
    throw error;
  }
  return { release: () => db.close() };
}

/** Which files are open. */
export class OpenFiles {
  readonly #paths: readonly string[];
  readonly #seen = new Map<string, string>();

  /** To be made right after the file was opened. */
  constructor(path: string) {
    this.#paths = [path, `${path}-wal`];
    this.check();
  }

  /** Throws `FileError` `LEDGER_MOVED` when the database or its log is not the file any more that it was. */
  check(): void {
    for (const path of this.#paths) {
      const stat = statSync(path, { throwIfNoEntry: false });
      const is = stat && `${stat.dev}:${stat.ino}`;
      const was = this.#seen.get(path);
      // The log comes into being with the first statement.
      if (was === undefined && is !== undefined) this.#seen.set(path, is);
      else if (was !== is) throw new FileError("LEDGER_MOVED", `${path} is not the file any more that was opened`);
    }
  }
}
