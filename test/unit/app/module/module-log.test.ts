/** Where a module's lines go. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { moduleLog } from "../../../../src/app/module/module-log.ts";
import { silentLog } from "../../../../src/kernel/log.ts";

const home = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-choice-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const OPTIONS = { level: "info", format: "json" } as const;

describe.each(["spawned", "legacy"] as const)("a process that the node started, %s", (mode) => {
  test("writes module.log in its data folder, which is made at need", () => {
    const dataDir = join(home, mode, "data");
    moduleLog({ isErrPiped: true }, { mode, dataDir }, OPTIONS).info("here");
    expect(readFileSync(join(dataDir, "module.log"), "utf8")).toContain('"msg":"here"');
  });

  test("without one is silent where standard error is a pipe, and only there", () => {
    const dataDir = join(home, `${mode}-blocked`);
    mkdirSync(join(dataDir, "module.log"), { recursive: true });
    expect(moduleLog({ isErrPiped: true }, { mode, dataDir }, OPTIONS)).toBe(silentLog);
    expect(moduleLog({ isErrPiped: true }, { mode, dataDir: undefined }, OPTIONS)).toBe(silentLog);
    expect(moduleLog({ isErrPiped: false }, { mode, dataDir }, OPTIONS)).not.toBe(silentLog);
  });
});

test("a service writes to standard error, which its manager reads, also through a pipe", () => {
  expect(moduleLog({ isErrPiped: true }, { mode: "attached", dataDir: home }, OPTIONS)).not.toBe(silentLog);
});
