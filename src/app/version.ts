/** The version in package.json, the one place where it is written. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Absolute path of the package: the folder of package.json above this file, in `src` as well as in `dist`. */
export const PACKAGE_FOLDER = findPackage(dirname(fileURLToPath(import.meta.url)));

const manifest = JSON.parse(readFileSync(join(PACKAGE_FOLDER, "package.json"), "utf8")) as {
  readonly version: string;
  readonly exports: Readonly<Record<string, { readonly default: string } | string>>;
};

/** The program's version, e.g. `0.1.0`. */
export const VERSION: string = manifest.version;

/** URLs of the modules that plugins import, by the names under which they do. */
export const OWN_MODULES: Readonly<Record<string, string>> = Object.fromEntries(
  ["plugin", "kit"].map((name) => {
    const row = manifest.exports[`./${name}`];
    if (typeof row !== "object") throw new TypeError(`package.json exports no ./${name}`);
    return [`bllvm-stratum-v2/${name}`, pathToFileURL(join(PACKAGE_FOLDER, row.default)).href];
  }),
);

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
