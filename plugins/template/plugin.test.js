// @ts-check
/** The same checks as `bllvm-stratum-v2 plugin check .`, one test each: `npm install --no-save bllvm-stratum-v2`, then `node --test`. */
import { readFileSync } from "node:fs";
import test from "node:test";
import { checks } from "bllvm-stratum-v2/kit";
import { plugin } from "./index.js";
import { rehearsal } from "./kit.js";

const packageJson = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

for (const { rule, says, leftOut, run } of checks(plugin, rehearsal, { packageJson })) {
  test(`${rule}: ${says}`, leftOut === undefined ? {} : { skip: leftOut }, run);
}
