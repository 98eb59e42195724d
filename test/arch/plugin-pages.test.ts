/** What a plugin's folder tells operators works: every table in its README and its example is accepted by its schema. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import type { ChainPlugin } from "../../src/merge/plugin.ts";
import { ROOT } from "../support/sources.ts";

const HOST_KEYS: ReadonlySet<string> = new Set(["plugin", "enabled", "update", "min_interval_s", "expiry_s"]);
const folders = readdirSync(join(ROOT, "plugins"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(ROOT, "plugins", entry.name, "README.md")))
  .map(({ name }) => name);

/** Stand for the reader's own address where a plugin checks it: one of test/vectors/daemon-rpc.json, one that a block of mergemining.json pays to. */
const ADDRESSES: Readonly<Record<string, string>> = {
  "<your ELA address>": "EeEkSiRMZqg5rd9a2yPaWnvdPcikFtsrjE",
  "<your HTR address>": "HPjmDFnUesHJXqFJh1qMD1KikbPZYfwaFF",
};

/** The `[chains.x]` tables of a text in TOML, without the host's own keys. */
function tables(toml: string): readonly (readonly [chain: string, table: unknown])[] {
  const filled = Object.entries(ADDRESSES).reduce((text, [mark, address]) => text.replaceAll(mark, address), toml);
  const { chains = {} } = parse(filled) as { chains?: Record<string, Record<string, unknown>> };
  return Object.entries(chains).map(([chain, table]) => [
    chain,
    Object.fromEntries(Object.entries(table).filter(([key]) => !HOST_KEYS.has(key))),
  ]);
}

describe.each(folders)("plugins/%s", (name) => {
  const folder = join(ROOT, "plugins", name);
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/```toml\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
  const example = readFileSync(join(folder, "config.toml"), "utf8");
  // Lines that are commented out are meant to be used as well.
  const uncommented = example.replaceAll(/^# (?=[a-z_]+ = )/gm, "");

  test("README and example hold tables that the schema accepts", async () => {
    const entry = ["index.ts", "index.js"].map((file) => join(folder, file)).find((file) => existsSync(file)) ?? "";
    const { plugin } = (await import(pathToFileURL(entry).href)) as { plugin: ChainPlugin };
    const found = [...blocks, example, uncommented].flatMap((toml) => tables(toml));
    expect(found.length).toBeGreaterThan(1);
    for (const [chain, table] of found) {
      const issues = plugin.config.safeParse(table).error?.issues ?? [];
      expect(issues, `${chain}: ${JSON.stringify(table)}`).toEqual([]);
    }
  });
});
