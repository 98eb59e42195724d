/** Lays an installation out, and takes it away. Each file appears whole or not at all; what is right already is not touched. */
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Fault } from "../../../kernel/fault.ts";
import { CONFIG_FILE, elsewhereOf, LAUNCH_FILE, type Layout, type PlannedFile } from "./layout.ts";

/** What became of a file. */
export interface Change {
  /** Absolute. */
  readonly path: string;
  readonly change: "written" | "unchanged" | "kept" | "removed";
}

/**
 * Writes what is missing or differs. An administrator's files go to whom the modules' folder belongs, so that the node can read them. Throws
 * `Fault("bllvm-install")` with the system's error.
 */
export function layOut({ modulesDir, folder, files }: Layout): Change[] {
  const elsewhere = elsewhereOf(modulesDir, folder);
  if (elsewhere !== undefined) {
    throw new Fault("bllvm-install", { folder, why: `nodes pass over it: it is a link to ${elsewhere}` });
  }
  const give = giverTo(modulesDir);
  const changes = files.map((file): Change => {
    const path = join(folder, file.path);
    try {
      const isThere = textOf(path);
      if (file.once && isThere !== undefined) return { path, change: "kept" };
      if (isThere === file.text && (statSync(path).mode & 0o777) === file.mode) return { path, change: "unchanged" };
      mkdirSync(dirname(path), { recursive: true });
      replace(path, file, give);
      return { path, change: "written" };
    } catch (cause) {
      throw new Fault("bllvm-install", { path }, { cause });
    }
  });
  if (changes.some(({ change }) => change === "written")) for (const place of PLACES) give(join(folder, place));
  return changes;
}

/** Folders of an installation, inner ones first. */
const PLACES = ["target/release", "target", ""] as const;

/** Hands a path over to the owner of `modulesDir`, where this user may do so. */
function giverTo(modulesDir: string): (path: string) => void {
  mkdirSync(modulesDir, { recursive: true });
  const { uid, gid } = statSync(modulesDir);
  return process.getuid?.() === 0 && uid !== 0 ? (path) => chownSync(path, uid, gid) : () => undefined;
}

/**
 * Removes what was laid out. The operator's config.toml stays, and whatever others put there, with the folders around them. Throws
 * `Fault("bllvm-install")` for a folder that was not laid out by this program.
 */
export function remove({ folder, files }: Layout): Change[] {
  const isOurs = textOf(join(folder, LAUNCH_FILE)) !== undefined;
  if (!isOurs)
    throw new Fault("bllvm-install", { folder, why: `nothing is installed there: it has no ${LAUNCH_FILE}` });
  try {
    // The file that says so goes last: what was interrupted can be repeated.
    const order = [...files].sort((a, b) => Number(a.path === LAUNCH_FILE) - Number(b.path === LAUNCH_FILE));
    const changes = order.flatMap(({ path: name }): Change[] => {
      const path = join(folder, name);
      if (textOf(path) === undefined) return [];
      if (name === CONFIG_FILE) return [{ path, change: "kept" }];
      rmSync(path);
      return [{ path, change: "removed" }];
    });
    for (const place of PLACES) removeIfEmpty(join(folder, place));
    return changes;
  } catch (cause) {
    throw new Fault("bllvm-install", { folder }, { cause });
  }
}

/** Names of files in the folder that are not of the layout. */
export function strangersIn({ folder, files }: Layout): string[] {
  const ours = new Set(["target", ...files.map(({ path }) => path)]);
  try {
    return readdirSync(folder).filter((name) => !ours.has(name));
  } catch {
    return [];
  }
}

function replace(path: string, { text, mode }: PlannedFile, give: (path: string) => void): void {
  const draft = `${path}.${process.pid}.new`;
  try {
    const file = openSync(draft, "w", mode);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // What `open` was told is cut by the umask.
    chmodSync(draft, mode);
    give(draft);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOENT") throw error;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}
