/** docs/plugins.md is where authors learn what they can import: nothing may be missing there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as kit from "../../src/kit.ts";
import * as plugin from "../../src/plugin.ts";
import { ROOT } from "../support/sources.ts";

const page = readFileSync(join(ROOT, "docs/plugins.md"), "utf8");
const [, section = ""] = page.split("## What else there is to build with");

test("docs/plugins.md names everything that a plugin and its rehearsal can import", () => {
  const words = new Set(section.split("## Publishing")[0]?.match(/\w+/g));
  const missing = [...Object.keys(plugin), ...Object.keys(kit)].filter((name) => !words.has(name));
  expect(missing).toEqual([]);
});
