/** A plugin host on a fake clock with plugins that remember what was done to them; merge mining is a map. */
import { chainScopes } from "../../src/app/chain-scope.ts";
import type { ChainSettings } from "../../src/host/chain-settings.ts";
import type { PluginFiles } from "../../src/host/plugin-files.ts";
import { type HostSettings, PluginHost } from "../../src/host/plugin-host.ts";
import { Bus } from "../../src/kernel/events.ts";
import type { MergeEvents } from "../../src/merge/found-aux.ts";
import type { JoiningChain } from "../../src/merge/guarded-chain.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { type TestPlugin, testPlugin } from "./chain-plugins.ts";
import { FakeClock } from "./fake-clock.ts";
import { recordingLog } from "./recording-log.ts";
import { seededRandom } from "./seeded-random.ts";

/** Plugins that are found. */
export const PLUGINS: readonly string[] = ["fake", "other", "third"];

/** All plugins of `PLUGINS` lie in one folder. */
const files: PluginFiles = {
  folders: async (folder) => (folder === "/plugins" ? PLUGINS : undefined),
  text: async (file) => {
    const name = file.split("/").at(-2);
    return JSON.stringify({
      name,
      version: "1.0.0",
      type: "module",
      main: "./index.js",
      "bllvm-stratum-v2": { plugin: name, api: 1 },
    });
  },
  isFile: async () => true,
  real: async (path) => path,
};

/** A host before its start. */
export function pluginHost() {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const plugins = new Map<string, TestPlugin>(PLUGINS.map((name) => [name, testPlugin(name)]));
  /** Chains that take part, in the order in which jobs take them. */
  const joined = new Map<string, JoiningChain>();
  /** `+name`, `-name`, `drained`. */
  const steps: string[] = [];
  const host = new PluginHost({
    clock,
    log,
    meter,
    random: seededRandom(1),
    bus: new Bus<MergeEvents>({ onError() {} }),
    mergeMining: {
      addChain(chain) {
        if (joined.has(chain.name)) throw new TypeError("it takes part already");
        joined.set(chain.name, chain);
        steps.push(`+${chain.name}`);
      },
      removeChain(name) {
        if (joined.delete(name)) steps.push(`-${name}`);
      },
      arrange(names) {
        const ordered = names.flatMap((name) => {
          const chain = joined.get(name);
          return chain === undefined ? [] : [[name, chain] as const];
        });
        joined.clear();
        for (const [name, chain] of ordered) joined.set(name, chain);
      },
      offer() {},
      drained: async () => void steps.push("drained"),
    },
    scopes: chainScopes(),
    files,
    loader: {
      load: async ({ name }) => {
        const plugin = plugins.get(name);
        if (plugin === undefined) throw new Error("no such plugin");
        return plugin;
      },
    },
  });
  return { host, clock, log, meter, plugins, joined, steps };
}

/** A configuration of these chains; what is not said is the default. */
export function hostSettings(...chains: readonly (Partial<ChainSettings> & { readonly name: string })[]): HostSettings {
  return {
    file: "config.toml",
    folder: "/etc",
    chains: chains.map((chain) => ({ plugin: chain.name, enabled: true, policy: {}, table: {}, ...chain })),
    plugins: { builtIn: "/plugins", compiled: "/dist/plugins", pluginsDir: undefined, npm: [] },
  };
}
