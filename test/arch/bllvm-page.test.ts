/** docs/bllvm.md and the README against the code: schemas, capabilities, limits. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { SCHEMAS } from "../../src/node/bllvm/wire/schema.ts";
import { ROOT } from "../support/sources.ts";

const page = readFileSync(join(ROOT, "docs/bllvm.md"), "utf8");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** First cells of the rows of the table under a heading, code marks taken off. */
function firstCells(heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""));
}

describe("the page on the bllvm node", () => {
  test("tells of every version of the wire", () => {
    expect(firstCells("Versions of the wire")).toEqual(["bllvm.wire", ...SCHEMAS]);
  });

  test("tells what each capability of the manifest is for", () => {
    const { capabilities } = parse(read("module.toml"));
    expect(new Set(firstCells("Capabilities"))).toEqual(new Set(capabilities as string[]));
  });

  test("gives the limits that README, launcher and installer give", () => {
    const [, block = ""] = /```toml\n(# blvm\.toml[\s\S]*?)```/.exec(page) ?? [];
    const { module_resource_limits: limits } = parse(block) as {
      readonly module_resource_limits: Record<string, number>;
    };
    expect(Object.keys(limits)).toHaveLength(3);
    for (const [key, value] of Object.entries(limits)) {
      for (const path of ["README.md", "src/app/module/bllvm-stratum-v2", "src/app/commands/install-module.ts"]) {
        expect(read(path), path).toContain(`${key} = ${value}`);
      }
    }
  });

  test("names files of the documentation that exist", () => {
    for (const [, target = ""] of page.matchAll(/\]\(([a-z-]+\.md)\)/g))
      expect(() => read(`docs/${target}`)).not.toThrow();
  });
});
