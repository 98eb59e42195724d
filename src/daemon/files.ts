/**
 * The files that this folder needs, as a small port: credentials are read, found blocks are written so that they survive
 * a crash. The steps of a durable write are separate verbs, so that their order is tested without a disk.
 */
import { constants } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** Reads and writes files. All reject with the system's error (`code` such as `ENOENT`). */
export interface Files {
  /** The whole text of a file; rejects when it is longer than `maxBytes`. */
  read(path: string, maxBytes: number): Promise<string>;
  /** Creates or replaces a file, readable by this user only, and resolves when its content is on the disk (fsync). */
  writeSynced(path: string, text: string): Promise<void>;
  /** Renames a file within a folder, replacing the target at once. */
  rename(from: string, to: string): Promise<void>;
  /** Renames a file within a folder to a name that is free; rejects (`EEXIST`) when somebody has it. */
  publish(from: string, to: string): Promise<void>;
  /** Resolves when the folder's entries are on the disk (fsync of the folder). */
  syncFolder(path: string): Promise<void>;
  /** Creates a folder and those above it; nothing happens when it exists. */
  makeFolder(path: string): Promise<void>;
  /** Names of the entries of a folder, in no order. */
  list(path: string): Promise<string[]>;
  /** Removes a file; nothing happens when it does not exist. */
  remove(path: string): Promise<void>;
  /** A path below a folder. */
  join(folder: string, name: string): string;
}

/** The disk. */
export const diskFiles: Files = {
  async read(path, maxBytes) {
    return await using(await open(path, constants.O_RDONLY), async (file) => {
      const { size } = await file.stat();
      if (size > maxBytes) throw new Error(`the file has ${size} bytes, more than the ${maxBytes} expected`);
      return await file.readFile("utf8");
    });
  },
  async writeSynced(path, text) {
    await using(await open(path, "w", 0o600), async (file) => {
      await file.writeFile(text, "utf8");
      await file.sync();
    });
  },
  rename,
  async publish(from, to) {
    try {
      await link(from, to);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
      if (!["EPERM", "ENOTSUP", "ENOSYS"].includes(code)) throw cause;
      // File systems without hard links.
      await rename(from, to);
    }
    await rm(from, { force: true });
  },
  async syncFolder(path) {
    await using(await open(path, constants.O_RDONLY), async (folder) => await folder.sync());
  },
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: async (path) => await readdir(path),
  async remove(path) {
    await rm(path, { force: true });
  },
  join,
};

async function using<T>(file: FileHandle, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}
