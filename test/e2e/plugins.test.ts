/** Plugins from folders outside the checkout, good and bad, in the built program, while a miner mines. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ChainFolder, chainServer } from "../support/chain-server.ts";
import { steadily } from "../support/steady-miner.ts";

const isInJob = ({ mining }: { readonly mining?: { readonly inJob: boolean } }): boolean => mining?.inJob === true;

describe("a plugin's folder", () => {
  test("anywhere on disk imports the program's own modules, whatever lies in its node_modules", async () => {
    const folder = new ChainFolder([]);
    const source = `
      import * as offered from "bllvm-stratum-v2/plugin";
      import * as kit from "bllvm-stratum-v2/kit";
      export const plugin = {
        name: "mine", api: offered.PLUGIN_API, coin: { symbol: "M", decimals: 8 }, config: offered.z.strictObject({}),
        open() { throw new Error("exports " + Object.keys({ ...offered, ...kit }).join(" ")); },
      };`;
    folder.plugin("mine", { source });
    const decoy = join(folder.path, "plugins/mine/node_modules/bllvm-stratum-v2");
    mkdirSync(decoy, { recursive: true });
    writeFileSync(
      join(decoy, "package.json"),
      '{ "name": "bllvm-stratum-v2", "type": "module", "exports": { "./plugin": "./x.js", "./kit": "./x.js" } }',
    );
    writeFileSync(join(decoy, "x.js"), 'throw new Error("the decoy was loaded");');
    folder.write("[chains.mine]\n");
    const server = folder.run("start");
    expect(await server.ended).toBe(2);
    expect(server.err.join("\n")).toMatch(/exports .*PLUGIN_API.*RpcStage/);
  });

  test("in node_modules beside the configuration is found by its package's name", async () => {
    const folder = new ChainFolder([]);
    mkdirSync(join(folder.path, "plugins"));
    folder.plugin("theirs", { folder: "node_modules/bllvm-stratum-v2-plugin-theirs" });
    folder.write("[chains.theirs]\n");
    const list = folder.run("plugin", "list", "--json");
    expect(await list.ended, list.err.join("\n")).toBe(0);
    const { plugins, chains, running } = JSON.parse(list.out[0] ?? "");
    expect(plugins.find(({ name }: { name: string }) => name === "theirs")).toMatchObject({
      origin: "npm",
      chains: ["theirs"],
    });
    expect(plugins.find(({ name }: { name: string }) => name === "namecoin")).toMatchObject({ origin: "built-in" });
    expect(chains).toMatchObject([{ name: "theirs", state: "enabled" }]);
    expect(running).toBe(false);
  });
});

describe("a mistake in the configuration ends the program with code 2 before anything runs:", () => {
  test.each<[string, string, string, RegExp]>([
    [
      "an unknown key",
      "[chains.fake]\ntipp = 5\n",
      "",
      /config\.toml: chains\.fake\.tipp: unknown key; did you mean "tip"\?/,
    ],
    ["a misspelt key of the host", "[chains.fake]\nenabeld = true\n", "", /did you mean "enabled"\?/],
    [
      "a secret of the wrong type",
      "[chains.fake]\npassword = 12345678\n",
      "",
      /chains\.fake\.password: has a bad value/,
    ],
    ["a plugin that is not there", "[chains.fale]\n", "", /chain fale, plugin fale\): did you mean "fake"\?/],
    [
      "a configuration that the plugin refuses",
      '[chains.fake]\nbehave = "refuse"\n',
      "",
      /payout is an address of another network/,
    ],
    [
      "a listed chain without the keys that it needs",
      "",
      'secondary_chains = ["namecoin"]',
      /chains\.namecoin\.payout: is missing/,
    ],
    [
      "a module that cannot be parsed",
      "[chains.broken]\n",
      "",
      /module of a plugin cannot be loaded.*broken\/index\.js/,
    ],
    ["two folders with one name", "[chains.twice]\n", "", /two folders hold a plugin of the same name.*one.*two/],
  ])("%s", async (_, chains, seed, says) => {
    const folder = new ChainFolder();
    folder.plugin("broken", { source: "export const plugin = {" });
    folder.plugin("twice", { folder: "plugins/one" });
    folder.plugin("twice", { folder: "plugins/two" });
    folder.write(chains, seed);
    const server = folder.run("start");
    expect(await server.ended).toBe(2);
    expect(server.err.join("\n")).toMatch(says);
    expect(server.err.join("\n")).toContain("what to do: ");
    expect(server.err.join("\n")).not.toContain("12345678");
  });
});

describe("doctor", () => {
  test("starts each chain and says whether it has work, or what keeps it from having any", async () => {
    const folder = new ChainFolder(["fake", "silent"]);
    folder.plugin("silent", {
      source: `export const plugin = {
        name: "silent", api: 1, coin: { symbol: "S", decimals: 8 }, config: { safeParse: (data) => ({ success: true, data }) },
        open: (_, host) => ({
          start: async () => host.trouble("no daemon answers at 127.0.0.1:8336"),
          stop: async () => {}, commit: () => {}, submit: async () => {}, status: async () => {},
        }),
      };`,
    });
    folder.write(
      '[chains.fake]\nchain_id = 7\n[chains.silent]\n[chains.wrong]\nplugin = "fake"\ntipp = 1\n[chains.rests]\nenabled = false\n[chains.twin]\nplugin = "fake"\nchain_id = 7\n',
    );
    const doctor = folder.run("doctor", "--json");
    expect(await doctor.ended).toBe(3);
    const { findings } = JSON.parse(doctor.out[0] ?? "");
    const of = (name: string) => findings.find(({ check }: { check: string }) => check === `chain ${name}`);
    expect(of("fake")).toMatchObject({
      result: "ok",
      detail: expect.stringMatching(/work at height 5, difficulty \d/),
    });
    expect(of("silent")).toMatchObject({ result: "failed", detail: "no daemon answers at 127.0.0.1:8336" });
    expect(of("wrong")).toMatchObject({ result: "failed", detail: expect.stringContaining('did you mean "tip"?') });
    expect(of("rests")).toBeUndefined();
    expect(of("twin")).toMatchObject({ result: "failed", detail: expect.stringContaining("chain twin, other fake") });
    expect(findings.find(({ check }: { check: string }) => check === "coinbase").detail).toContain("commitment");
  });
});

describe("while a miner mines,", () => {
  test.each([
    ["hang-in-start", "starting"],
    ["throw-in-start", "isolated"],
    ["offer-garbage", "isolated"],
    ["commit-garbage", "isolated"],
    ["throw-in-commit", "isolated"],
    ["promise-in-commit", "isolated"],
    ["slow-commit", "isolated"],
    ["throw-in-timer", "isolated"],
    ["leak-rejection", "isolated"],
    ["leak-exception", "isolated"],
  ])("a plugin that does %s costs no share, no miner and no other chain", async (behave, state) => {
    const running = await chainServer({
      plugins: ["fake", "good"],
      chains: `[chains.good]\nchain_id = 1\n[chains.fake]\nbehave = "${behave}"\n`,
    });
    const { result, accepted } = await steadily(await running.miner(), async () => {
      const bad = await running.until("fake", (chain) => chain.state === state || chain.restarts > 0);
      const good = await running.until("good", isInJob);
      // Once it is started again, the same thing happens to it.
      if (state === "isolated") await running.until("fake", ({ restarts }) => restarts > 0);
      return { bad, good };
    });
    expect(result.good).toMatchObject({ state: "running", restarts: 0 });
    if (result.bad.state !== "running") expect(result.bad.mining?.work).toBeUndefined();
    expect(accepted).toBeGreaterThanOrEqual(5);
    if (state === "isolated") {
      expect(running.log().some(({ msg }) => msg.startsWith("fake is isolated and leaves the next job: "))).toBe(true);
    }
    expect(await running.stop()).toBe(0);
  });

  test.each(["leak-event", "leak-nothing"])(
    "an error that names nobody (%s) is logged, and mining goes on",
    async (behave) => {
      const running = await chainServer({ chains: `[chains.fake]\nbehave = "${behave}"\n` });
      const { accepted } = await steadily(await running.miner(), async () => {
        await running.until("fake", () => running.log().some(({ msg }) => /nothing (handled|caught)/.test(msg)));
      });
      expect(accepted).toBeGreaterThanOrEqual(5);
      expect(await running.stop()).toBe(0);
    },
  );

  test("a chain that was isolated is in the jobs again after its backoff", async () => {
    const running = await chainServer({ chains: '[chains.fake]\nbehave = "throw-in-timer"\n' });
    await running.until("fake", ({ state }) => state === "isolated");
    await running.until("fake", (chain) => chain.restarts > 0 && isInJob(chain));
    expect(await running.stop()).toBe(0);
  });

  test("a plugin that does not stop is left behind, and the server still stops", async () => {
    const running = await chainServer({ chains: '[chains.fake]\nbehave = "hang-in-stop"\n' });
    await running.until("fake", isInJob);
    expect(await running.stop()).toBe(0);
    expect(running.log().some(({ msg }) => msg.includes("did not stop cleanly"))).toBe(true);
  });

  test("a plugin that leaves a timer behind does not keep the process alive", async () => {
    const running = await chainServer({ chains: '[chains.fake]\nbehave = "leak-timer"\n' });
    await running.until("fake", isInJob);
    expect(await running.stop()).toBe(0);
  });

  test("shares take no longer with a hung plugin than without one", async () => {
    const means: number[] = [];
    for (const chains of ["", '[chains.fake]\nbehave = "hang-in-start"\n']) {
      const running = await chainServer({ chains });
      const { meanMs } = await steadily(
        await running.miner(),
        () => new Promise((resolve) => setTimeout(resolve, 2000)),
      );
      means.push(meanMs);
      expect(await running.stop()).toBe(0);
    }
    const [without = 0, hung = 0] = means;
    // Generous: the machine has other things to do.
    expect(hung).toBeLessThan(without * 3 + 20);
  });
});
