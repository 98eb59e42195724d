/** Files that may be missing. */
import { readFileSync } from "node:fs";

/** The text of a file; `undefined` when there is none. Throws the system's error. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
