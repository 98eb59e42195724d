/** docs/pool-mode.md against the program: keys, log lines, states, metrics. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/app/config/load.ts";
import { POOL_SECTIONS } from "../../src/app/config/pool-sections.ts";
import { settingsOf } from "../../src/app/settings.ts";
import { METRICS } from "../../src/kernel/meter.ts";
import { ROOT, sources } from "../support/sources.ts";

const page = readFileSync(join(ROOT, "docs/pool-mode.md"), "utf8");
const flowed = page.replaceAll(/\s+/g, " ");
/** All that the program says, with what is filled in left open: string literals and templates. */
const said = sources("src")
  .filter(({ path }) => /^src\/(app|upstream)\//.test(path))
  .map(({ text }) => text)
  .join("\n");

describe("the page on pool mode", () => {
  test("tells what each key decides", () => {
    const [, table = ""] = page.split("| key | what it decides |\n");
    const keys = [...(table.split("\n\n")[0] ?? "").matchAll(/`((?:upstream|pools)\.[a-z_]+)`/g)].map(([, key]) => key);
    const known = (["upstream", "pools"] as const).flatMap((name) =>
      Object.keys(POOL_SECTIONS[name].keys).map((key) => `${name}.${key}`),
    );
    expect(new Set(keys)).toEqual(new Set(known));
  });

  test("begins with a file that the program takes", () => {
    const [, toml = ""] = /```toml\n([\s\S]*?)```/.exec(page) ?? [];
    const { upstream } = settingsOf({ config: parseConfig(toml, "page"), file: "page", folder: "/" });
    expect(upstream?.pools.map(({ name }) => name)).toEqual(["main", "second"]);
  });

  test.each([
    "pool mode: jobs come from",
    "nothing can be committed to in a pool's coinbase",
    "while a pool is mined for",
    "mining for pool ",
    "lost pool ",
    " does not work",
    " works; miners are moved to it when it has for ",
    "no pool works: own templates are mined until one does",
    "no pool works, and there is no fallback",
    "for own templates",
    "no pool works",
  ])("quotes what the program says: %s", (words) => {
    expect(flowed).toContain(words.trim());
    expect(said).toContain(words);
  });

  test("names metrics and files of the documentation that exist", () => {
    const metrics = [...page.matchAll(/`((?:upstream|shares)_[a-z_]*[a-z])`/g)].map(([, name = ""]) => name);
    expect(metrics.length).toBeGreaterThanOrEqual(4);
    expect(metrics.filter((name) => !(name in METRICS))).toEqual([]);
    for (const [, target = ""] of page.matchAll(/\]\(([a-z-]+\.md)\)/g)) {
      expect(() => readFileSync(join(ROOT, "docs", target))).not.toThrow();
    }
  });
});
