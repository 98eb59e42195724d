/** Our own sources as text, for the tests of the architecture. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** A source file: its path from the root with `/`, its text and what it imports. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

/** One import or re-export: the specifier as written, and the file it means when it is relative. */
export interface Import {
  readonly specifier: string;
  readonly target: string | undefined;
  readonly typeOnly: boolean;
  readonly statement: string;
}

/** All `.ts` files below `folders`. */
export function sources(...folders: readonly string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => {
        const file = join(entry.parentPath, entry.name);
        const text = readFileSync(file, "utf8");
        return { path: relative(ROOT, file).replaceAll("\\", "/"), text, imports: importsOf(file, text) };
      })
      .sort((a, b) => a.path.localeCompare(b.path)),
  );
}

function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const pattern = /^(?:import|export)\s[^;"'`]*?from\s*"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gms;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[1] ?? match[2] ?? match[3] ?? "";
    const target = specifier.startsWith(".")
      ? relative(ROOT, resolve(dirname(file), specifier)).replaceAll("\\", "/")
      : undefined;
    found.push({ specifier, target, typeOnly: /^(import|export)\s+type\b/.test(match[0]), statement: match[0] });
  }
  return found;
}
