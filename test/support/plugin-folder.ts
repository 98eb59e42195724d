/** Folders of plugins outside the checkout, as a stranger has them. */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { program } from "./program.ts";
import { ROOT } from "./sources.ts";

/** A folder below the system's temporary one, removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "bllvm-plugin-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the program's `plugin` command in `folder` to its end. */
export async function pluginCommand(folder: string, ...args: readonly string[]) {
  const { ended, out, err } = program(["plugin", ...args], { cwd: folder });
  return { code: await ended, out: out.join("\n"), err: err.join("\n") };
}

/** What `npm install` of the package in `folder` would do. */
export async function installPackage(folder: string): Promise<void> {
  await mkdir(join(folder, "node_modules"), { recursive: true });
  symlinkSync(ROOT, join(folder, "node_modules/bllvm-stratum-v2"), "dir");
}
