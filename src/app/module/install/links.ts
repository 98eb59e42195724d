/**
 * Keeps an installation inside of the modules' folder. That folder is the node's user's, and an administrator who installs may write anywhere: a link
 * that this user planted would lead root's hand out of it.
 */
import { lstatSync, mkdirSync, type Stats } from "node:fs";
import { join, relative, sep } from "node:path";
import { Fault } from "../../../kernel/fault.ts";

/** What stands at a path, a link itself rather than where it leads; `undefined` when nothing does. Throws the system's error. */
export function seenAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}

/** Throws `Fault("bllvm-install")` when `path`, or a folder between it and `modulesDir`, is a link. */
export function refuseLinks(modulesDir: string, path: string): void {
  for (const place of placesTo(modulesDir, path)) {
    if (seenAt(place)?.isSymbolicLink() !== true) continue;
    throw new Fault("bllvm-install", { path: place, why: "it is a link, and nothing is done through links" });
  }
}

/** Makes the folders below `modulesDir` down to `folder`, one by one and none through a link. Throws like `refuseLinks`, or the system's error. */
export function makeFolders(modulesDir: string, folder: string): void {
  for (const place of placesTo(modulesDir, folder)) {
    refuseLinks(modulesDir, place);
    if (seenAt(place)?.isDirectory() !== true) mkdirSync(place, { mode: 0o755 });
  }
}

/** Every path below `modulesDir` on the way to `path`, and itself. */
function placesTo(modulesDir: string, path: string): string[] {
  const names = relative(modulesDir, path).split(sep);
  return names.map((_, index) => join(modulesDir, ...names.slice(0, index + 1)));
}
