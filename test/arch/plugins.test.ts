import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { chainsOf } from "../../src/app/chain-settings.ts";
import { parseConfig } from "../../src/app/config/load.ts";
import { chainConfig } from "../../src/host/chain-config.ts";
import { pluginFlaw } from "../../src/host/loader.ts";
import { describe as inWords } from "../../src/kernel/fault.ts";
import type { ChainPlugin } from "../../src/merge/plugin.ts";
import { readManifest } from "../../src/merge/plugin-manifest.ts";
import { ROOT } from "../support/sources.ts";

const PLUGINS = join(ROOT, "plugins");
const names = readdirSync(PLUGINS, { withFileTypes: true })
  // The template bears the name of the coin that it is an example for; the kit's own tests look at it.
  .filter((entry) => entry.isDirectory() && entry.name !== "template")
  .map(({ name }) => name);

async function pluginOf(name: string): Promise<ChainPlugin> {
  const source = ["index.ts", "index.js"].map((file) => join(PLUGINS, name, file)).find(existsSync) ?? "";
  return (await import(pathToFileURL(source).href)).plugin;
}

function mistakesOf(check: () => unknown): string[] {
  try {
    check();
    return [];
  } catch (error) {
    return inWords(error).trim().split("\n").slice(1);
  }
}

describe.each(names)("plugins/%s", (name) => {
  const read = (file: string): string => readFileSync(join(PLUGINS, name, file), "utf8");

  test("is a plugin that the host loads under the folder's name", async () => {
    const result = readManifest(read("package.json"));
    expect(result).toMatchObject({ manifest: { name, api: 1, main: "./index.js" } });
    expect("manifest" in result && result.manifest.description).not.toBe("");
    expect(pluginFlaw(await pluginOf(name), name)).toBeUndefined();
  });

  test("has a README, tests, a rehearsal for the kit and a configuration that its own schema takes", async () => {
    const files = readdirSync(join(PLUGINS, name));
    expect(files).toContain("README.md");
    expect(files.some((file) => /\.test\.[jt]s$/.test(file))).toBe(true);
    expect(files.some((file) => /^kit\.[jt]s$/.test(file))).toBe(true);
    const plugin = await pluginOf(name);
    const chains = chainsOf(parseConfig(read("config.toml"), `plugins/${name}/config.toml`));
    expect(chains.length).toBeGreaterThan(0);
    for (const chain of chains) {
      expect(chain.plugin).toBe(name);
      // A schema may see that what is to be filled in was not.
      expect(
        mistakesOf(() => chainConfig(chain, plugin, "config.toml")).filter((line) => !line.includes('"<')),
      ).toEqual([]);
    }
  });
});
