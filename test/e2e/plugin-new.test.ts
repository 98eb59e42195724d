import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { installPackage, pluginCommand, temporaryFolder } from "../support/plugin-folder.ts";
import { run } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";

test("a new plugin keeps the contract at once, outside the checkout and with nothing installed", async () => {
  const folder = temporaryFolder();
  const made = await pluginCommand(folder, "new", "pebble-coin");
  expect(made, made.err).toMatchObject({ code: 0 });
  expect(made.out).toContain("plugin check pebble-coin");
  const checked = await pluginCommand(folder, "check", "pebble-coin", "--json");
  const report = JSON.parse(checked.out);
  expect(
    report.results.filter(({ outcome }: { outcome: string }) => !["passed", "left out"].includes(outcome)),
  ).toEqual([]);
  expect(report).toMatchObject({ ok: true, plugin: "pebble-coin" });
  expect(checked.code).toBe(0);
});

test("nothing of the template's own names is left in it", async () => {
  const folder = temporaryFolder();
  await pluginCommand(folder, "new", "pebble", "--dir", "some/where");
  const files = readdirSync(join(folder, "some/where/pebble"));
  expect(files.sort()).toEqual(readdirSync(join(ROOT, "plugins/template")).sort());
  const text = files.map((file) => readFileSync(join(folder, "some/where/pebble", file), "utf8")).join("\n");
  expect(text).not.toMatch(/examplecoin|EXC\b/i);
  expect(text).toContain('symbol: "PEBB"');
  expect(text).toContain("[chains.pebble]");
});

test("with the package installed, editors find its types right and node --test runs the checks", async () => {
  const folder = temporaryFolder();
  await pluginCommand(folder, "new", "pebble");
  const plugin = join(folder, "pebble");
  await installPackage(plugin);
  writeFileSync(
    join(plugin, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        ...{ allowJs: true, checkJs: true, noEmit: true, strict: true, skipLibCheck: true },
        ...{ target: "es2023", module: "nodenext", types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] },
        exactOptionalPropertyTypes: true,
      },
      include: ["*.js"],
    }),
  );
  const types = run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", plugin]);
  expect(await types.ended, types.out.join("\n")).toBe(0);
  const tests = run(process.execPath, ["--test"], { cwd: plugin });
  expect(await tests.ended, tests.out.join("\n")).toBe(0);
  expect(tests.out.join("\n")).toMatch(/^# pass 41$/m);
});

test("a folder that is there is left alone", async () => {
  const folder = temporaryFolder();
  await pluginCommand(folder, "new", "pebble");
  writeFileSync(join(folder, "pebble/index.js"), "// mine\n");
  const again = await pluginCommand(folder, "new", "pebble");
  expect(again.code).toBe(2);
  expect(again.err).toContain("the folder of a new plugin cannot be made");
  expect(again.err).toContain("it exists already");
  expect(readFileSync(join(folder, "pebble/index.js"), "utf8")).toBe("// mine\n");
});

test.each(["Pebble", "9lives", "../pebble", "a b", "x".repeat(33), ""])("the name %j is refused", async (name) => {
  const folder = temporaryFolder();
  const { code, err } = await pluginCommand(folder, "new", name);
  expect(code).toBe(2);
  expect(err).toContain("a plugin cannot have this name");
  expect(err).toContain("begins with a letter");
  expect(readdirSync(folder)).toEqual([]);
});
