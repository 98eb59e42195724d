import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pluginCommand, temporaryFolder } from "../support/plugin-folder.ts";
import { ROOT } from "../support/sources.ts";

/** A copy of the template in which each of `changes` was made: [file, what stood there, what stands there now]. */
function template(...changes: readonly (readonly [string, string, string])[]): string {
  const folder = join(temporaryFolder(), "plugin");
  cpSync(join(ROOT, "plugins/template"), folder, { recursive: true });
  for (const [file, from, to] of changes) {
    const text = readFileSync(join(folder, file), "utf8");
    expect(text).toContain(from);
    writeFileSync(join(folder, file), text.replace(from, to));
  }
  return folder;
}

test("a plugin with a mistake: the rule, what was seen, what to do, and the program ends whatever it left behind", async () => {
  const folder = template([
    "index.js",
    "await Promise.all([this.#polling.stop(), this.#daemons.stop()]);",
    "setInterval(() => {}, 1000);",
  ]);
  const { code, out } = await pluginCommand(folder, "check", ".");
  expect(code).toBe(3);
  expect(out).toMatch(/^✓ offers: /m);
  expect(out).toMatch(/^✗ stop: .*\n {4}seen: after stop there is still .*a timer \(index\.js:\d+:\d+\)/m);
  expect(out).toMatch(/^ {4}to do: Cancel each timer/m);
  expect(out).toMatch(/examplecoin does not keep the contract yet: \d+ rules hold, 2 failed, 1 left out/);
});

test("a plugin that comes to nothing: what stands in the way is named, and nothing else is blamed", async () => {
  const folder = template(["index.js", "this.#polling.poke();", 'throw new Error("not today");']);
  const { code, out } = await pluginCommand(folder, "check", ".", "--json");
  expect(code).toBe(3);
  const { results, ok } = JSON.parse(out);
  expect(ok).toBe(false);
  const row = (rule: string) => results.find((each: { rule: string }) => each.rule === rule);
  expect(row("start")).toMatchObject({ outcome: "failed", seen: "start rejected: not today" });
  expect(row("submit-accepted")).toMatchObject({ outcome: "blocked", blockedBy: "start" });
});

test("a plugin that ends the process while it is loaded keeps no contract", async () => {
  const folder = template();
  writeFileSync(join(folder, "index.js"), "process.exit(0);");
  const { code, err } = await pluginCommand(folder, "check", ".");
  expect(err).toContain("ended the process");
  expect(code).toBe(3);
});

test("a module outside of the folder is refused, as the server refuses it", async () => {
  const folder = template(["package.json", '"./index.js"', '"../index.js"']);
  cpSync(join(folder, "index.js"), join(folder, "../index.js"));
  const { code, err } = await pluginCommand(folder, "check", ".");
  expect(err).toContain("main must be a file of the plugin's own folder");
  expect(code).toBe(2);
});

test("our own plugins are checked from their folders of sources", async () => {
  const { code, out } = await pluginCommand(ROOT, "check", "plugins/namecoin");
  expect(out).toContain("namecoin keeps the contract");
  expect(code).toBe(0);
});

test("a folder may be reached through a link", async () => {
  const folder = temporaryFolder();
  symlinkSync(join(ROOT, "plugins/template"), join(folder, "linked"), "dir");
  expect(await pluginCommand(folder, "check", "linked")).toMatchObject({ code: 0 });
});

test.each([
  ["no folder", (folder: string) => rmSync(folder, { recursive: true }), "there is no such file", "package.json"],
  [
    "no rehearsal",
    (folder: string) => rmSync(join(folder, "kit.js")),
    "the folder of a plugin has no rehearsal",
    "plugins/template has one",
  ],
  [
    "a rehearsal that is none",
    (folder: string) => writeFileSync(join(folder, "kit.js"), "export const rehearsal = {};"),
    "exports no rehearsal with an open function",
    "kit.js exports",
  ],
  [
    "a rehearsal that cannot be loaded",
    (folder: string) => writeFileSync(join(folder, "kit.js"), "import 'nowhere';"),
    "the rehearsal of a plugin cannot be used",
    "Cannot find package 'nowhere'",
  ],
  [
    "no entry",
    (folder: string) => rmSync(join(folder, "index.js")),
    "main names ./index.js, and there is no such file",
    "plugin new",
  ],
  [
    "an entry that exports nothing",
    (folder: string) => writeFileSync(join(folder, "index.js"), ""),
    "it exports neither plugin nor default",
    "export const plugin",
  ],
  [
    "a package.json of something else",
    (folder: string) => writeFileSync(join(folder, "package.json"), '{ "name": "x" }'),
    "version must be",
    "bllvm-stratum-v2",
  ],
])("%s: said in a sentence, with what to do", async (_what, spoil, ...said) => {
  const folder = template();
  spoil(folder);
  mkdirSync(folder, { recursive: true });
  const { code, err } = await pluginCommand(folder, "check", folder);
  for (const words of said) expect(err).toContain(words);
  expect(code).toBe(2);
});
