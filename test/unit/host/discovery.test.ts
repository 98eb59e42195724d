import { describe, expect, test } from "vitest";
import { discover, pluginOf } from "../../../src/host/discovery.ts";
import type { PluginFiles } from "../../../src/host/plugin-files.ts";
import { Fault, describe as inWords } from "../../../src/kernel/fault.ts";

/** A disk of texts by path. */
function disk(texts: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}): PluginFiles {
  return {
    async folders(folder) {
      const inside = Object.keys(texts).filter((path) => path.startsWith(`${folder}/`));
      if (inside.length === 0) return undefined;
      const names = inside.map((path) => path.slice(folder.length + 1).split("/"));
      return [...new Set(names.filter(({ length }) => length > 1).map(([name = ""]) => name))].sort();
    },
    text: async (file) => texts[file],
    isFile: async (file) => texts[file] !== undefined,
    real: async (path) => links[path] ?? path,
  };
}

function manifest(plugin: string, changes: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    name: `bllvm-stratum-v2-plugin-${plugin}`,
    version: "1.2.3",
    description: `Mines ${plugin}`,
    type: "module",
    main: "./index.js",
    "bllvm-stratum-v2": { plugin, api: 1 },
    ...changes,
  });
}

function folder(path: string, plugin: string, changes: Readonly<Record<string, unknown>> = {}): Record<string, string> {
  return { [`${path}/package.json`]: manifest(plugin, changes), [`${path}/index.js`]: "" };
}

const PLACES = {
  builtIn: "/pkg/plugins",
  compiled: "/pkg/dist/plugins",
  pluginsDir: "/etc/plugins",
  npm: ["/etc/node_modules", "/nowhere/node_modules"],
};
const OURS = {
  "/pkg/plugins/README.md": "",
  "/pkg/plugins/namecoin/package.json": manifest("namecoin"),
  "/pkg/dist/plugins/namecoin/index.js": "",
  "/pkg/plugins/template/package.json": manifest("template"),
  "/pkg/plugins/unfinished/index.ts": "",
};

async function faultOf(files: PluginFiles, name: string): Promise<Fault> {
  try {
    pluginOf(await discover(files, PLACES), name, "mychain");
  } catch (error) {
    if (error instanceof Fault) return error;
  }
  throw new Error("the plugin was found");
}

describe("finding plugins", () => {
  test("built-in ones run compiled, those of plugins_dir and of npm where they are", async () => {
    const files = disk({
      ...OURS,
      ...folder("/etc/plugins/mine", "mine"),
      ...folder("/etc/node_modules/bllvm-stratum-v2-plugin-theirs", "theirs"),
      ...folder("/etc/node_modules/@company/bllvm-stratum-v2-plugin-scoped", "scoped"),
      ...folder("/etc/node_modules/left-pad", "left-pad"),
    });
    const { plugins, problems } = await discover(files, PLACES);
    expect([...plugins.values()].map(({ name, origin, entry }) => [name, origin, entry])).toEqual([
      ["namecoin", "built-in", "/pkg/dist/plugins/namecoin/index.js"],
      ["mine", "plugins_dir", "/etc/plugins/mine/index.js"],
      ["theirs", "npm", "/etc/node_modules/bllvm-stratum-v2-plugin-theirs/index.js"],
      ["scoped", "npm", "/etc/node_modules/@company/bllvm-stratum-v2-plugin-scoped/index.js"],
    ]);
    expect(problems).toEqual([]);
    expect(plugins.get("mine")).toMatchObject({ version: "1.2.3", description: "Mines mine", api: 1 });
  });

  test("a folder that is reached twice is one folder", async () => {
    const files = disk(
      { ...OURS, ...folder("/etc/plugins/a", "mine"), ...folder("/etc/plugins/b", "mine") },
      { "/etc/plugins/b": "/etc/plugins/a" },
    );
    expect((await discover(files, PLACES)).problems).toEqual([]);
  });

  test("two folders with one name are an error that names both, for the chain that wants it", async () => {
    const files = disk({
      ...OURS,
      ...folder("/etc/plugins/a", "mine"),
      ...folder("/etc/node_modules/bllvm-stratum-v2-plugin-b", "mine"),
    });
    const fault = await faultOf(files, "mine");
    expect(fault.code).toBe("plugin-name-twice");
    expect(inWords(fault)).toContain("/etc/plugins/a");
    expect(inWords(fault)).toContain("/etc/node_modules/bllvm-stratum-v2-plugin-b");
    expect(pluginOf(await discover(files, PLACES), "namecoin", "namecoin").origin).toBe("built-in");
  });

  test("plugins_dir may stand in for a built-in plugin, and that is said; npm may not", async () => {
    const shadowed = await discover(disk({ ...OURS, ...folder("/etc/plugins/nmc", "namecoin") }), PLACES);
    expect(pluginOf(shadowed, "namecoin", "namecoin").folder).toBe("/etc/plugins/nmc");
    expect(shadowed.shadows.map(([theirs, ours]) => [theirs.folder, ours.folder])).toEqual([
      ["/etc/plugins/nmc", "/pkg/plugins/namecoin"],
    ]);
    const npm = disk({
      ...OURS,
      ...folder("/etc/plugins/mine", "mine"),
      ...folder("/etc/node_modules/bllvm-stratum-v2-plugin-x", "namecoin"),
    });
    expect((await faultOf(npm, "namecoin")).code).toBe("plugin-name-twice");
  });

  test("a plugin for another version of the contract names itself and both versions", async () => {
    const files = disk({
      ...OURS,
      ...folder("/etc/plugins/new", "new", { "bllvm-stratum-v2": { plugin: "new", api: 2 } }),
    });
    const fault = await faultOf(files, "new");
    expect(fault).toMatchObject({ code: "plugin-api", data: { plugin: "new", writtenFor: 2, programHas: 1 } });
  });

  test.each([
    [{ main: undefined }, "main must be the path of the entry module"],
    [{ type: "commonjs" }, 'type must be "module"'],
    [{ "bllvm-stratum-v2": undefined }, 'bllvm-stratum-v2 must be { "plugin": "<name>", "api": 1 }'],
    [{ "bllvm-stratum-v2": { plugin: "No Name", api: 1 } }, "bllvm-stratum-v2.plugin must be 1 to 32 of a-z"],
    [{ main: "./build/index.js" }, "main names ./build/index.js, and there is no such file"],
    [{ main: "../other/index.js" }, "main must be a file of the plugin's own folder"],
  ])("a package.json with %j says what is wrong", async (changes, says) => {
    const files = disk({ ...OURS, ...folder("/etc/plugins/bad", "bad", changes) });
    const fault = await faultOf(files, "bad");
    expect(fault.code).toBe("plugin-manifest");
    expect(inWords(fault)).toContain("/etc/plugins/bad/package.json");
    expect(inWords(fault)).toContain(says);
  });

  test("no package.json, and one that is no JSON, are told for the folder's name", async () => {
    const files = disk({ ...OURS, "/etc/plugins/empty/index.js": "", "/etc/plugins/broken/package.json": "{" });
    expect(inWords(await faultOf(files, "empty"))).toContain("there is no such file");
    expect(inWords(await faultOf(files, "broken"))).toContain("it is not valid JSON");
  });

  test("a plugin that is nowhere: the chain, and what was perhaps meant", async () => {
    const fault = await faultOf(disk({ ...OURS, ...folder("/etc/plugins/a", "mine") }), "namecoim");
    expect(fault.code).toBe("plugin-unknown");
    expect(inWords(fault)).toContain('(chain mychain, plugin namecoim): did you mean "namecoin"?');
  });

  test("a plugin that is nowhere: folders that could have been it, and why they are not", async () => {
    const broken = { "/etc/plugins/a/package.json": "{", "/etc/plugins/a/index.js": "" };
    const fault = await faultOf(disk({ ...OURS, ...broken }), "granite");
    expect(fault.code).toBe("plugin-unknown");
    expect(inWords(fault)).toMatch(
      /plugins are .*namecoin.*; no plugin can be made of \/etc\/plugins\/a: the package\.json .* not valid JSON/,
    );
  });

  test("a plugins_dir that does not exist is an error, missing node_modules are none", async () => {
    await expect(discover(disk(OURS), PLACES)).rejects.toMatchObject({
      code: "plugins-folder",
      data: { folder: "/etc/plugins" },
    });
    const { plugins } = await discover(disk(OURS), { ...PLACES, pluginsDir: undefined });
    expect([...plugins.keys()]).toEqual(["namecoin"]);
  });

  test("node_modules that this user may not read, as of the folder the server was started in, harm nobody", async () => {
    const files = disk({ ...OURS, ...folder("/etc/plugins/mine", "mine") });
    const refusing: PluginFiles = {
      ...files,
      folders: async (path) => {
        if (path.includes("node_modules")) throw new Error(`EACCES: permission denied, scandir '${path}'`);
        return await files.folders(path);
      },
    };
    const { plugins, problems } = await discover(refusing, PLACES);
    expect([...plugins.keys()]).toEqual(["namecoin", "mine"]);
    expect(problems.map(({ folder, fault }) => [folder, fault.code])).toEqual([
      ["/etc/node_modules", "plugins-folder"],
      ["/nowhere/node_modules", "plugins-folder"],
    ]);
    expect(inWords(problems[0]?.fault)).toContain("EACCES");
    const closed: PluginFiles = { ...files, folders: () => Promise.reject(new Error("EACCES")) };
    await expect(discover(closed, PLACES)).rejects.toMatchObject({ code: "plugins-folder" });
  });

  test("more folders than are looked into are told, and the first are found", async () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `p${String(i).padStart(4, "0")}`);
    let read = 0;
    const files: PluginFiles = {
      folders: async (path) => (path === "/etc/plugins" ? names : path === "/pkg/plugins" ? [] : undefined),
      text: async (file) => {
        read += 1;
        return manifest(file.split("/").at(-2) ?? "");
      },
      isFile: async () => true,
      real: async (path) => path,
    };
    const { plugins, problems } = await discover(files, PLACES);
    expect([plugins.size, read]).toEqual([1000, 1000]);
    expect(problems).toMatchObject([
      { folder: "/etc/plugins", fault: { code: "plugins-folder", data: { folders: 10_000, lookedInto: 1000 } } },
    ]);
  });

  test.each([
    ["..index.js", true],
    ["lib/../index.js", true],
    ["..", false],
    ["lib/../../other/index.js", false],
    ["/etc/plugins/other/index.js", false],
    ["../dots-too/index.js", false],
    [".", false],
  ])("main %s is in the plugin's own folder: %s", async (main, inside) => {
    const files = disk({ ...OURS, ...folder("/etc/plugins/dots", "dots", { main }) });
    const { plugins, problems } = await discover({ ...files, isFile: async () => true }, PLACES);
    expect(plugins.has("dots")).toBe(inside);
    expect(problems.map(({ fault }) => fault.code)).toEqual(inside ? [] : ["plugin-manifest"]);
  });
});
