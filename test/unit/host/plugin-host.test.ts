import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { ChainSettings } from "../../../src/host/chain-settings.ts";
import { Fault, describe as inWords } from "../../../src/kernel/fault.ts";
import type { Host } from "../../../src/merge/plugin.ts";
import { hostSettings, pluginHost } from "../../support/plugin-host.ts";

async function started(...chains: readonly (Partial<ChainSettings> & { readonly name: string })[]) {
  const all = pluginHost();
  await all.host.apply(hostSettings(...chains));
  await all.host.start(new AbortController().signal);
  await new Promise((resolve) => setImmediate(resolve));
  return all;
}

describe("the plugin host", () => {
  test("before the start everything is checked and nothing runs", async () => {
    const { host, plugins, joined } = pluginHost();
    await host.apply(hostSettings({ name: "fake" }));
    expect(plugins.get("fake")?.calls).toEqual(["open"]);
    expect(joined.size).toBe(0);
    await host.start(new AbortController().signal);
    expect(plugins.get("fake")?.calls).toEqual(["open", "start"]);
    expect([...joined.keys()]).toEqual(["fake"]);
  });

  test("a chain gets its checked table and a policy: the operator's word before the plugin's before ours", async () => {
    const { plugins, joined, host } = pluginHost();
    Object.assign(plugins.get("fake") ?? {}, { defaults: { expiryMs: 9000, prefer: "value" } });
    await host.apply(hostSettings({ name: "fake", policy: { update: 2 }, table: { payout: "you" } }));
    await host.start(new AbortController().signal);
    expect(plugins.get("fake")?.configs).toEqual([{ payout: "you" }]);
    expect(plugins.get("fake")?.hosts[0]).toMatchObject({ chain: "fake", folder: "/etc" });
    expect(joined.get("fake")?.policy).toEqual({ update: 2, minIntervalMs: 1000, expiryMs: 9000, prefer: "value" });
  });

  test("a chain that says its ID before its first work joins with it; one that is no ID is refused", async () => {
    const { plugins, joined, host } = pluginHost();
    const plugin = plugins.get("fake");
    if (plugin !== undefined) plugin.behaviour = { chainId: 16 };
    await host.apply(hostSettings({ name: "fake" }, { name: "other" }));
    await host.start(new AbortController().signal);
    expect(joined.get("fake")?.chain.chainId).toBe(16);
    expect(joined.get("other")?.chain.chainId).toBeUndefined();
    if (plugin !== undefined) plugin.behaviour = { chainId: 65_536 };
    const said = await host.apply(hostSettings({ name: "fake", table: { payout: "new" } })).then(() => "", inWords);
    expect(said).toContain("chainId is not a whole number from 0 to 65535");
  });

  test("several chains of one plugin go by their own names", async () => {
    const { joined, host } = await started({ name: "a", plugin: "fake" }, { name: "b", plugin: "fake" });
    expect([...joined.keys()]).toEqual(["a", "b"]);
    expect(host.chains().map(({ name, plugin, state }) => [name, plugin, state])).toEqual([
      ["a", "fake", "running"],
      ["b", "fake", "running"],
    ]);
  });

  test("an unknown key of a table names file and key, and what was meant, among the host's keys too", async () => {
    const { host } = pluginHost();
    const said = await host
      .apply(hostSettings({ name: "fake", table: { payuot: "x", updat: 1, password: 5 } }))
      .then(() => "", inWords);
    expect(said).toContain('config.toml: chains.fake.payuot: unknown key; did you mean "payout"?');
    expect(said).toContain('config.toml: chains.fake.updat: unknown key; did you mean "update"?');
    expect(said).toContain("config.toml: chains.fake.password: has a bad value; expected a string");
  });

  test("a missing key of a chain without a table is named", async () => {
    const { host, plugins } = pluginHost();
    Object.assign(plugins.get("fake") ?? {}, { config: z.strictObject({ payout_address: z.string() }) });
    const said = await host.apply(hostSettings({ name: "fake" })).then(() => "", inWords);
    expect(said).toContain("config.toml: chains.fake.payout_address: is missing; expected a string");
  });

  test("only chains whose configuration changed are touched", async () => {
    const { host, plugins, steps } = await started({ name: "fake" }, { name: "other" }, { name: "third" });
    steps.length = 0;
    const applied = await host.apply(hostSettings({ name: "fake" }, { name: "other", table: { payout: "new" } }));
    expect(applied).toEqual({ added: [], removed: ["third"], changed: ["other"] });
    expect(steps).toEqual(["-other", "-third", "+other"]);
    expect(plugins.get("fake")?.calls).toEqual(["open", "start"]);
    // The new one is opened, and so checked, before the old one is stopped.
    expect(plugins.get("other")?.calls).toEqual(["open", "start", "open", "stop", "start"]);
    expect(plugins.get("third")?.calls).toEqual(["open", "start", "stop"]);
  });

  test("a configuration with one mistake changes nothing at all", async () => {
    const { host, plugins, steps } = await started({ name: "fake" });
    steps.length = 0;
    const next = hostSettings({ name: "other" }, { name: "fake", table: { payout: 5 } });
    await expect(host.apply(next)).rejects.toMatchObject({ code: "config-invalid" });
    expect(steps).toEqual([]);
    expect(plugins.get("fake")?.calls).toEqual(["open", "start"]);
    expect(plugins.get("other")?.calls).toEqual(["open", "stop"]);
    expect(plugins.get("other")?.hosts[0]?.signal.aborted).toBe(true);
    expect(host.chains().map(({ name }) => name)).toEqual(["fake"]);
  });

  test("a chain that rests is not even loaded, and can be enabled and disabled", async () => {
    const rests = { name: "fake", enabled: false, restsBecause: "stratum_v2.secondary_chains does not name it" };
    const { host, plugins, joined, log } = await started(rests);
    expect(plugins.get("fake")?.calls).toEqual([]);
    expect(log.lines.map(({ message }) => message)).toContain(
      "fake rests: stratum_v2.secondary_chains does not name it",
    );
    expect(host.chains()).toMatchObject([{ name: "fake", state: "disabled" }]);
    expect(await host.enable("fake")).toMatchObject({ name: "fake", state: "starting" });
    expect(joined.has("fake")).toBe(true);
    await host.enable("fake");
    expect(plugins.get("fake")?.calls).toEqual(["open", "start"]);
    expect(await host.disable("fake")).toMatchObject({ name: "fake", state: "disabled" });
    expect(joined.has("fake")).toBe(false);
    await host.disable("fake");
    expect(plugins.get("fake")?.calls).toEqual(["open", "start", "stop"]);
  });

  test("what was enabled or disabled by hand stays so over a reload, until the chain's own table changes", async () => {
    const { host } = await started({ name: "fake" }, { name: "other" });
    await host.disable("fake");
    await host.apply(hostSettings({ name: "fake" }, { name: "other", table: { payout: "new" } }));
    expect(host.chains()).toMatchObject([{ state: "disabled" }, { state: "starting" }]);
    await host.apply(
      hostSettings({ name: "fake", table: { payout: "new" } }, { name: "other", table: { payout: "new" } }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(host.chains()).toMatchObject([{ state: "running" }, { state: "running" }]);
  });

  test("restart opens the chain anew; one that cannot be opened leaves the old one running", async () => {
    const { host, plugins } = await started({ name: "fake" });
    const plugin = plugins.get("fake");
    await host.restart("fake");
    expect(plugin?.calls).toEqual(["open", "start", "open", "stop", "start"]);
    if (plugin !== undefined) plugin.refusal = new Error("no wallet");
    await expect(host.restart("fake")).rejects.toMatchObject({ code: "config-chain-refused" });
    expect(plugin?.hosts.at(-1)?.signal.aborted).toBe(false);
  });

  test("a chain that nobody configured is named with those that are", async () => {
    const { host } = await started({ name: "fake" });
    await expect(host.enable("namecoin")).rejects.toMatchObject({
      code: "chain-unknown",
      data: { chain: "namecoin", configured: "fake" },
    });
  });

  test("changes are made one after the other, in the order in which they were asked for", async () => {
    const { host, steps } = await started({ name: "fake" });
    steps.length = 0;
    await Promise.all([host.disable("fake"), host.enable("fake"), host.restart("fake"), host.disable("fake")]);
    expect(steps).toEqual(["-fake", "+fake", "-fake", "+fake", "-fake"]);
  });

  test("at the stop found blocks get time for their answers before the chains go", async () => {
    const { host, plugins, steps } = await started({ name: "fake" });
    steps.length = 0;
    await host.stop();
    expect(steps).toEqual(["drained", "-fake"]);
    expect(plugins.get("fake")?.calls).toEqual(["open", "start", "stop"]);
  });

  test("an error that nothing handled isolates the chain that it came from", async () => {
    const { host } = await started({ name: "fake" }, { name: "other" });
    expect([...host.codeFolders()]).toEqual([
      ["fake", ["/plugins/fake"]],
      ["other", ["/plugins/other"]],
    ]);
    host.blame("fake", new Error("forgotten"));
    expect(host.chains()).toMatchObject([{ state: "isolated" }, { state: "running" }]);
  });

  test("a plugin that changes its configuration is opened again with what the file says, and a reload of the same file changes nothing", async () => {
    const { host, plugins, clock } = pluginHost();
    const plugin = plugins.get("fake");
    const open = plugin?.open.bind(plugin);
    const seen: string[] = [];
    Object.assign(plugin ?? {}, {
      config: z.looseObject({ daemons: z.array(z.unknown()) }),
      open: (config: { daemons: { url: string }[] }, given: Host) => {
        seen.push(JSON.stringify(config));
        const chain = open?.(config, given);
        for (const daemon of config.daemons) daemon.url = "gone";
        config.daemons.length = 0;
        return chain;
      },
    });
    const table = () => ({ daemons: [{ url: "a" }, { url: "b" }], when: new Date(5) });
    await host.apply(hostSettings({ name: "fake", table: table() }));
    await host.start(new AbortController().signal);
    host.blame("fake", new Error("oops"));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(5000);
    await new Promise((resolve) => setImmediate(resolve));
    await host.restart("fake");
    expect(seen).toEqual(Array.from({ length: 3 }, () => JSON.stringify(table())));
    expect(await host.apply(hostSettings({ name: "fake", table: table() }))).toEqual({
      added: [],
      removed: [],
      changed: [],
    });
  });

  test("chains keep the order of the configuration, in which they are left out of a full coinbase, whoever was restarted", async () => {
    const { host, joined } = await started({ name: "fake" }, { name: "other" }, { name: "third" });
    await host.restart("fake");
    expect([...joined.keys()]).toEqual(["fake", "other", "third"]);
    await host.disable("other");
    await host.apply(hostSettings({ name: "fake", table: { payout: "you" } }, { name: "other" }, { name: "third" }));
    await host.enable("other");
    expect([...joined.keys()]).toEqual(["fake", "other", "third"]);
    // The order alone is a change that takes no start.
    const { changed } = await host.apply(
      hostSettings({ name: "third" }, { name: "fake", table: { payout: "you" } }, { name: "other" }),
    );
    expect(changed).toEqual([]);
    expect([...joined.keys()]).toEqual(["third", "fake", "other"]);
  });

  test("a configuration that is refused leaves the metrics of what goes on as they are", async () => {
    const { host, plugins, meter } = await started({ name: "fake" });
    Object.assign(plugins.get("other") ?? {}, { refusal: new Error("no wallet") });
    await expect(
      host.apply(hostSettings({ name: "fake", table: { payout: "you" } }, { name: "other" })),
    ).rejects.toThrow();
    expect(host.chains()).toMatchObject([{ name: "fake", state: "running" }]);
    expect(meter.byLabel("aux_chain_up")).toEqual({ fake: 1 });
  });

  test("an error of what a chain left behind is known as its plugin's after it was stopped or removed", async () => {
    const { host, log } = await started({ name: "fake" }, { name: "other" });
    await host.disable("fake");
    await host.apply(hostSettings({ name: "fake" }));
    expect([...host.codeFolders().keys()]).toEqual(["fake", "other"]);
    for (let i = 0; i < 1000; i++) host.blame("fake", new Error("left behind"));
    host.blame("other", new Error("left behind"));
    expect(host.chains()).toMatchObject([{ name: "fake", state: "disabled" }]);
    const lines = log.lines.filter(({ level }) => level === "error").map(({ message }) => message);
    expect(lines).toHaveLength(200);
    expect(lines[0]).toBe("fake: what its plugin left behind failed: left behind");
  });

  test("status is asked of the chain's plugin; a chain that rests cannot say", async () => {
    const { host } = await started({ name: "fake" }, { name: "other", enabled: false });
    const block = { work: { id: "11" } as never, blockHash: "11", height: 5 };
    await expect(host.status("fake", block)).resolves.toMatchObject({ state: "confirmed" });
    await expect(host.status("other", block)).rejects.toBeInstanceOf(Fault);
  });

  test("plugins are told with the chains that use them", async () => {
    const { host } = await started({ name: "a", plugin: "fake" }, { name: "b", plugin: "fake", enabled: false });
    expect((await host.plugins()).map(({ name, chains, origin }) => [name, chains, origin])).toEqual([
      ["fake", ["a", "b"], "built-in"],
      ["other", [], "built-in"],
      ["third", [], "built-in"],
    ]);
  });
});
