import { describe, expect, test } from "vitest";
import type { FoundPlugin } from "../../../src/host/discovery.ts";
import { PluginLoader, pluginFlaw } from "../../../src/host/loader.ts";
import { testPlugin } from "../../support/chain-plugins.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const FOUND: FoundPlugin = {
  name: "fake",
  version: "1.0.0",
  description: "",
  api: 1,
  main: "./index.js",
  origin: "plugins_dir",
  folder: "/etc/plugins/fake",
  entry: "/etc/plugins/fake/index.js",
};

function loader(importModule: (file: string) => Promise<unknown>, clock = new FakeClock()): PluginLoader {
  return new PluginLoader({ clock, importModule });
}

describe("loading a plugin", () => {
  test("the export `plugin` is taken, else the default one; each module is imported once", async () => {
    const plugin = testPlugin();
    const imported: string[] = [];
    const one = loader(async (file) => {
      imported.push(file);
      return { plugin };
    });
    expect(await one.load(FOUND)).toBe(plugin);
    expect(await one.load(FOUND)).toBe(plugin);
    expect(imported).toEqual(["/etc/plugins/fake/index.js"]);
    expect(await loader(async () => ({ default: plugin })).load(FOUND)).toBe(plugin);
  });

  test("a module that throws is told with its file and the cause", async () => {
    const cause = new SyntaxError("Unexpected token '}'");
    await expect(loader(async () => Promise.reject(cause)).load(FOUND)).rejects.toMatchObject({
      code: "plugin-load",
      data: { plugin: "fake", file: "/etc/plugins/fake/index.js" },
      cause,
    });
  });

  test("an import of what is not there is told with its place, which Node.js keeps in the stack alone", async () => {
    const cause = new SyntaxError("'x' does not provide an export named 'y'");
    cause.stack = `file:///etc/plugins/fake/index.js:3\nimport { y } from "x";\n         ^\nSyntaxError: ${cause.message}\n    at run`;
    await expect(loader(async () => Promise.reject(cause)).load(FOUND)).rejects.toMatchObject({
      code: "plugin-load",
      cause: { message: "'x' does not provide an export named 'y' (/etc/plugins/fake/index.js:3)" },
    });
  });

  test("a module whose top level waits for ever is given up", async () => {
    const clock = new FakeClock();
    const loading = expect(loader(() => new Promise(() => undefined), clock).load(FOUND)).rejects.toMatchObject({
      code: "plugin-load",
      cause: { message: "its top level did not come to an end within 15 s" },
    });
    clock.advance(15_000);
    await loading;
    expect(clock.pending).toBe(0);
  });

  test("what is no plugin is told with the file", async () => {
    await expect(loader(async () => ({})).load(FOUND)).rejects.toMatchObject({
      code: "plugin-shape",
      data: { file: "/etc/plugins/fake/index.js", why: "it exports neither plugin nor default" },
    });
  });

  test.each<[object, string]>([
    [{ name: "other" }, "it calls itself other, and its package.json says fake"],
    [{ name: "Fake" }, "its name is not 1 to 32 of a-z"],
    [{ api: 2 }, "its api is 2, and this program has 1"],
    [{ coin: undefined }, "coin.symbol is not a text"],
    [{ coin: { symbol: "FAK", decimals: 1.5 } }, "coin.decimals is not a whole number"],
    [{ config: {} }, "config is not a zod schema"],
    [{ open: undefined }, "open is not a function"],
    [{ defaults: { update: 3 } }, "defaults.update is not 0, 1 or 2"],
    [{ defaults: { expiryMs: 0 } }, "defaults.expiryMs is not a number above 0"],
    [{ defaults: { prefer: "best" } }, 'defaults.prefer is neither "value" nor "newest"'],
    [{ defaults: { expiryS: 60 } }, "defaults.expiryS is not known"],
  ])("%j: %s", (changes, says) => {
    expect(pluginFlaw({ ...testPlugin(), ...changes }, "fake")).toContain(says);
  });

  test("a plugin with all defaults is fine", () => {
    const defaults = { update: 2, minIntervalMs: 0, expiryMs: 1, prefer: "value" };
    expect(pluginFlaw({ ...testPlugin(), defaults }, "fake")).toBeUndefined();
    expect(pluginFlaw("fake", "fake")).toContain("not an object");
  });
});
