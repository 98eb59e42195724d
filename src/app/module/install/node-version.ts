/**
 * Asks a Node.js for its version, which is to run it. What launch.env names may be the work of another user, and a look at an installation must not
 * execute it with the rights of whoever looks.
 */
import { execFileSync } from "node:child_process";
import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";

/** Time that `node --version` may take. */
const VERSION_TIMEOUT_MS = 10_000;

/** The version, like `v22.1.0`, or why it was not looked at. Throws the system's error. */
export function nodeVersionOf(
  node: string,
  launchFile: string,
): { readonly version: string } | { readonly why: string } {
  if (node === process.execPath) return { version: process.version };
  const real = realpathSync(node);
  for (const path of [launchFile, dirname(launchFile), real]) {
    const why = mistrustOf(statSync(path), process.getuid?.());
    if (why !== undefined) return { why: `${path} ${why}` };
  }
  return { version: execFileSync(real, ["--version"], { encoding: "utf8", timeout: VERSION_TIMEOUT_MS }).trim() };
}

/** Why something is not executed by the user `uid`: others may have made or changed it. `undefined` when nobody but root may have. */
function mistrustOf({ uid: owner, mode }: Pick<Stats, "uid" | "mode">, uid: number | undefined): string | undefined {
  if (owner !== 0 && owner !== uid) return "belongs to another user";
  return (mode & 0o022) === 0 ? undefined : "can be written by other users";
}
