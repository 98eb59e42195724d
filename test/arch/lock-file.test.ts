/**
 * The lock file has an entry for every package that one of its entries names. `npm ci` of npm 11.6 and later refuses
 * one without, and npm itself leaves such an entry out where a package is not published: @matrixai/quic 2.0.9 names
 * builds for macOS and Windows that are not, so theirs are written by hand, without an integrity, since no file is.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** What is read of package-lock.json (lockfileVersion 3). Keys are folders, "" is this package. */
interface LockFile {
  readonly packages: Readonly<Record<string, Entry>>;
}

interface Entry {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Folders in which Node.js looks for a package that is named in `folder`, nearest first. */
function places(folder: string, name: string): string[] {
  const levels = folder === "" ? [] : folder.split("/node_modules/");
  const inner = levels.map((_, at) => `${levels.slice(0, levels.length - at).join("/node_modules/")}/node_modules`);
  return [...inner, "node_modules"].map((modules) => `${modules}/${name}`);
}

test("the lock file has every package that it names, so that any npm installs from it", () => {
  const { packages }: LockFile = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const missing: string[] = [];
  for (const [folder, entry] of Object.entries(packages)) {
    const named = { ...entry.dependencies, ...entry.devDependencies, ...entry.optionalDependencies };
    for (const name of Object.keys(named)) {
      if (!places(folder, name).some((place) => place in packages)) missing.push(`${folder}: ${name}`);
    }
  }
  expect(Object.keys(packages).length).toBeGreaterThan(100);
  expect(missing).toEqual([]);
});
