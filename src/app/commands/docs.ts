/** `docs`: writes the generated pages, or says which of them are out of step. For contributors. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../exit-codes.ts";
import { GENERATED_PAGES } from "../generated-pages.ts";
import type { Terminal } from "../terminal.ts";
import { PACKAGE_FOLDER } from "../version.ts";

/** Writes the pages with `write`, else compares them; returns the exit code. */
export async function docs(options: { readonly write: boolean }, terminal: Terminal): Promise<number> {
  let stale = 0;
  for (const { path, render } of GENERATED_PAGES) {
    const file = join(PACKAGE_FOLDER, path);
    const text = render();
    if (textOf(file) === text) continue;
    if (options.write) writeFileSync(file, text);
    else stale += 1;
    terminal.out(`${path} ${options.write ? "written" : "is out of step with its table: run npm run docs"}`);
  }
  return stale === 0 ? EXIT.ok.code : EXIT.failed.code;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
