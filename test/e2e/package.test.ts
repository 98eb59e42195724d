import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

test("the package offers its root, and to plugins ./plugin and ./kit, whose types are there too", async () => {
  const script = `
    const { VERSION, configSchema } = await import("bllvm-stratum-v2");
    const { PLUGIN_API, z } = await import("bllvm-stratum-v2/plugin");
    const kit = await import("bllvm-stratum-v2/kit");
    console.log(JSON.stringify([VERSION, configSchema.parse({}).stratum_v2.listen_addr, PLUGIN_API, typeof z.object, kit.PLUGIN_API]));
  `;
  const imported = run(process.execPath, ["--input-type=module", "-e", script]);
  expect(await imported.ended, imported.err.join("\n")).toBe(0);
  expect(JSON.parse(imported.out[0] ?? "")).toEqual([manifest.version, "0.0.0.0:3333", 1, "function", 1]);
  for (const { types } of Object.values<{ types?: string }>(manifest.exports)) {
    if (types !== undefined) expect(statSync(join(ROOT, types)).isFile()).toBe(true);
  }
});

test("its command can be run as it is installed", () => {
  const command = join(ROOT, manifest.bin["bllvm-stratum-v2"]);
  expect(readFileSync(command, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  expect(statSync(command).isFile()).toBe(true);
});

test("nothing that is shipped needs a compiler: no dependency has an install script", () => {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const scripts = Object.entries<{ hasInstallScript?: boolean; optional?: boolean }>(lock.packages)
    .filter(([, { hasInstallScript, optional }]) => hasInstallScript === true && optional !== true)
    .map(([name]) => name);
  expect(scripts).toEqual([]);
});

test("every licence of what is shipped is one that we can ship", () => {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const others = Object.entries<{ dev?: boolean; license?: string }>(lock.packages)
    .filter(([name, { dev }]) => name !== "" && dev !== true)
    .filter(([, { license }]) => !/^(MIT|ISC|0BSD|BSD-2-Clause|BSD-3-Clause|Apache-2\.0)$/.test(license ?? ""))
    .map(([name, { license }]) => `${name}: ${license}`);
  expect(others).toEqual([]);
});
