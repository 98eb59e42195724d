/** Every plugin that comes with the program keeps all rules. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { checks } from "../../src/kit/checks.ts";
import type { Rehearsal } from "../../src/kit/rehearsal.ts";
import type { ChainPlugin } from "../../src/merge/plugin.ts";
import { ROOT } from "../support/sources.ts";

/** Module of a plugin's folder, in TypeScript or, for the template, JavaScript. */
function moduleOf(folder: string, name: string): string | undefined {
  return ["ts", "js"].map((ending) => join(folder, `${name}.${ending}`)).find((file) => existsSync(file));
}

const folders = readdirSync(join(ROOT, "plugins"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => join(ROOT, "plugins", name))
  .filter((folder) => moduleOf(folder, "kit") !== undefined);

async function load<T>(folder: string, name: string): Promise<T> {
  return (await import(pathToFileURL(moduleOf(folder, name) ?? "").href)) as T;
}

const plugins = await Promise.all(
  folders.map(async (folder) => ({
    folder,
    packageJson: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as unknown,
    ...(await load<{ plugin: ChainPlugin }>(folder, "index")),
    ...(await load<{ rehearsal: Rehearsal }>(folder, "kit")),
  })),
);

test("every plugin has a rehearsal", () => {
  const without = readdirSync(join(ROOT, "plugins"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !folders.includes(join(ROOT, "plugins", entry.name)))
    .map(({ name }) => name);
  expect(without).toEqual([]);
});

// Side by side, since they mostly wait; the checks of one plugin one after the other.
describe.concurrent.each(plugins)("plugin $plugin.name", ({ plugin, rehearsal, packageJson, folder }) => {
  for (const check of checks(plugin, rehearsal, { packageJson, folder })) {
    const options = { sequential: true, timeout: 60_000, skip: check.leftOut !== undefined } as const;
    test(`${check.rule}: ${check.says}`, options, check.run);
  }
});
