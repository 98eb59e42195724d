/** Lays an installation out, and takes it away. Each file appears whole or not at all; what is right already is not touched. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lchownSync,
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
import { makeFolders, refuseLinks, seenAt } from "./links.ts";

/** What became of a file. */
export interface Change {
  /** Absolute. */
  readonly path: string;
  readonly change: "written" | "unchanged" | "kept" | "removed";
}

/**
 * Writes what is missing or differs. An administrator's files go to whom the modules' folder belongs, so that the node can read them. Throws
 * `Fault("bllvm-install")` with the system's error, and before anything is written for a link where a folder or a file is to be.
 */
export function layOut({ modulesDir, folder, files }: Layout): Change[] {
  const elsewhere = elsewhereOf(modulesDir, folder);
  if (elsewhere !== undefined) {
    throw new Fault("bllvm-install", { folder, why: `nodes pass over it: it is a link to ${elsewhere}` });
  }
  refuseLinksOf({ modulesDir, folder, files });
  const owner = ownerFor(modulesDir);
  const changes = files.map((file): Change => {
    const path = join(folder, file.path);
    try {
      const seen = seenAt(path);
      if (file.once && seen !== undefined) return { path, change: "kept" };
      if (seen?.isFile() === true && (seen.mode & 0o777) === file.mode && readFileSync(path, "utf8") === file.text)
        return { path, change: "unchanged" };
      makeFolders(modulesDir, dirname(path));
      replace(path, file, owner);
      return { path, change: "written" };
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      throw new Fault("bllvm-install", { path }, { cause });
    }
  });
  if (owner !== undefined && changes.some(({ change }) => change === "written")) {
    for (const place of PLACES) {
      refuseLinks(modulesDir, join(folder, place));
      lchownSync(join(folder, place), owner.uid, owner.gid);
    }
  }
  return changes;
}

/** Folders of an installation, inner ones first. */
const PLACES = ["target/release", "target", ""] as const;

/** Whom files are handed over to. */
type Owner = { readonly uid: number; readonly gid: number };

/** The owner of `modulesDir`, where this user may hand files over. */
function ownerFor(modulesDir: string): Owner | undefined {
  mkdirSync(modulesDir, { recursive: true });
  const { uid, gid } = statSync(modulesDir);
  return process.getuid?.() === 0 && uid !== 0 ? { uid, gid } : undefined;
}

/** The operator's config.toml alone may be a link: it is never written where something is, nor removed. */
function refuseLinksOf({ modulesDir, folder, files }: Pick<Layout, "modulesDir" | "folder" | "files">): void {
  for (const { path, once } of files) {
    const file = join(folder, path);
    refuseLinks(modulesDir, once ? dirname(file) : file);
  }
}

/**
 * Removes what was laid out. The operator's config.toml stays, and whatever others put there, with the folders around them. Throws
 * `Fault("bllvm-install")` for a folder that was not laid out by this program, and like `layOut` for links.
 */
export function remove({ modulesDir, folder, files }: Layout): Change[] {
  refuseLinksOf({ modulesDir, folder, files });
  const isOurs = seenAt(join(folder, LAUNCH_FILE)) !== undefined;
  if (!isOurs)
    throw new Fault("bllvm-install", { folder, why: `nothing is installed there: it has no ${LAUNCH_FILE}` });
  try {
    // The file that says so goes last: what was interrupted can be repeated.
    const order = [...files].sort((a, b) => Number(a.path === LAUNCH_FILE) - Number(b.path === LAUNCH_FILE));
    const changes = order.flatMap(({ path: name }): Change[] => {
      const path = join(folder, name);
      if (seenAt(path) === undefined) return [];
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

/** A draft is a file of our own making: nothing that stands there before is written to. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function replace(path: string, { text, mode }: PlannedFile, owner: Owner | undefined): void {
  const draft = `${path}.${process.pid}.new`;
  // Of a process that was killed.
  rmSync(draft, { force: true });
  const file = openSync(draft, NEW_FILE, 0o600);
  try {
    try {
      writeSync(file, text);
      if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
      fchmodSync(file, mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
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
