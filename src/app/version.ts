/** The version in package.json, the one place where it is written. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the package: the folder of package.json above this file, in `src` as well as in `dist`. */
export const PACKAGE_FOLDER = findPackage(dirname(fileURLToPath(import.meta.url)));

/** The program's version, e.g. `0.1.0`. */
export const VERSION: string = (
  JSON.parse(readFileSync(join(PACKAGE_FOLDER, "package.json"), "utf8")) as { version: string }
).version;

function findPackage(folder: string): string {
  try {
    readFileSync(join(folder, "package.json"));
    return folder;
  } catch {
    const parent = dirname(folder);
    if (parent === folder) throw new TypeError("package.json was not installed with the program");
    return findPackage(parent);
  }
}
