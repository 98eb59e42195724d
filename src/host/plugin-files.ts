/** The few looks at the disk that finding plugins takes, as a port, so that discovery is tested without one. */
import { readdir, readFile, realpath, stat } from "node:fs/promises";

/** Largest `package.json` that is read, bytes. */
const MAX_BYTES = 1 << 20;

/** Looks at folders. */
export interface PluginFiles {
  /** Names of the folders (and links to folders) in `folder`, sorted; `undefined` when it does not exist. Rejects with the system's error. */
  folders(folder: string): Promise<readonly string[] | undefined>;
  /** The text of a file; `undefined` when it does not exist. */
  text(file: string): Promise<string | undefined>;
  /** Whether `file` is a file. */
  isFile(file: string): Promise<boolean>;
  /** `path` without links. */
  real(path: string): Promise<string>;
}

/** The disk. */
export const diskPlugins: PluginFiles = {
  async folders(folder) {
    const entries = await missingIsUndefined(readdir(folder, { withFileTypes: true }));
    if (entries === undefined) return undefined;
    const names: string[] = [];
    for (const entry of entries) {
      // A link that cannot be followed is no folder, and keeps nobody from finding the others.
      const isFolder =
        entry.isDirectory() ||
        (entry.isSymbolicLink() && (await isKind(`${folder}/${entry.name}`, "isDirectory").catch(() => false)));
      if (isFolder) names.push(entry.name);
    }
    return names.sort();
  },
  async text(file) {
    const found = await missingIsUndefined(stat(file));
    if (found === undefined) return undefined;
    // A pipe or a device would be read without end.
    if (!found.isFile()) throw new Error(`${file} is not a file`);
    if (found.size > MAX_BYTES) throw new Error(`${file} has ${found.size} bytes`);
    return await readFile(file, "utf8");
  },
  isFile: (file) => isKind(file, "isFile"),
  real: (path) => realpath(path),
};

async function isKind(path: string, kind: "isDirectory" | "isFile"): Promise<boolean> {
  const found = await missingIsUndefined(stat(path));
  return found?.[kind]() ?? false;
}

async function missingIsUndefined<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
