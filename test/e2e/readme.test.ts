import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/app/config/load.ts";
import { run } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

/** The lines of all fenced blocks of a language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^ *\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\``, "gm"))].map(
    (match) => match[1] ?? "",
  );
}

/** What shows that a command of the README works; a command without a row fails the test. */
const SHOWN: Readonly<Record<string, string>> = {
  "npm ci && npm run demo": "below, with --once so that it ends; npm ci by .ci/run",
  "npm cit": ".ci/run",
  "cp config.toml.example config.toml": "test/unit/app/config: the example parses",
  "npm run build": ".ci/run",
  "node dist/src/main.js doctor -c config.toml": "test/e2e/cli.test.ts",
  "node dist/src/main.js start -c config.toml": "test/e2e/start.test.ts",
  "node dist/src/main.js install-module --modules-dir /var/lib/blvm/modules": "test/e2e/install-module.test.ts",
};

describe("README", () => {
  test("every command in it is run by a test", () => {
    const commands = blocks("sh").flatMap((block) =>
      block
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== ""),
    );
    expect(commands.length).toBeGreaterThan(0);
    expect(commands.filter((command) => !(command in SHOWN))).toEqual([]);
    const ci = readFileSync(join(ROOT, ".ci/run"), "utf8");
    for (const command of ["npm ci", "npm cit", "npm run build"]) expect(ci).toContain(`\n${command}\n`);
  });

  test("its first two commands are the two that a newcomer types", () => {
    expect(blocks("sh").slice(0, 2)).toEqual(["npm ci && npm run demo\n", "npm cit\n"]);
  });

  test("npm run demo runs the demo", async () => {
    const demo = run("npm", ["run", "demo", "--", "--once"]);
    expect(await demo.ended, demo.err.join("\n")).toBe(0);
    const out = demo.out.join("\n");
    for (const chain of ["bitcoin", "namecoin", "rsk"])
      expect(out).toMatch(new RegExp(`BLOCK +${chain} \\d+ accepted`));
    // The sample is what the demo prints, but for numbers; not every run has a header that wins more than one chain.
    const start = (line: string): string => /^[^0-9]*/.exec(line.replace(/^\d\d:\d\d:\d\d {2}/, ""))?.[0] ?? "";
    const starts = new Set(demo.out.map(start));
    const sample = blocks("text").flatMap((block) => block.trim().split("\n"));
    expect(sample.length).toBeGreaterThan(5);
    expect(sample.filter((line) => !starts.has(start(line)) && !line.includes("ONE HEADER"))).toEqual([]);
  }, 180_000);

  test("its configuration is valid", () => {
    for (const block of blocks("toml")) expect(() => parseConfig(block, "README.md")).not.toThrow();
  });
});
