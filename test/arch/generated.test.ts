import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { GENERATED_PAGES } from "../../src/app/generated-pages.ts";
import { METRICS } from "../../src/kernel/meter.ts";
import { ROOT, sources } from "../support/sources.ts";

describe("generated pages", () => {
  test.each(GENERATED_PAGES.map(({ path, render }) => [path, render] as const))(
    "%s is in step with its table",
    (path, render) => {
      expect(existsSync(join(ROOT, path)), `${path} is missing: npm run docs`).toBe(true);
      expect(readFileSync(join(ROOT, path), "utf8")).toBe(render());
    },
  );

  test("every metric of the table is measured somewhere", () => {
    const code = sources("src")
      .filter(({ path }) => path !== "src/kernel/meter.ts")
      .map(({ text }) => text)
      .join("\n");
    const unused = Object.keys(METRICS).filter(
      (name) => !new RegExp(`\\.(count|gauge|observe)\\(\\s*"${name}"`).test(code),
    );
    expect(unused).toEqual([]);
  });
});
