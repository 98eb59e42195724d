/** `plugin list`: which plugins there are, which chains use them, and how those are. */
import { type Discovery, discover } from "../../host/discovery.ts";
import { diskPlugins } from "../../host/plugin-files.ts";
import type { ChainHealth } from "../../host/plugin-host.ts";
import { type PluginInfo, pluginInfos } from "../../host/plugin-info.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { askServer } from "../control-client.ts";
import { EXIT } from "../exit-codes.ts";
import { mergeSettingsOf } from "../settings.ts";
import { colours, jsonLine, type Terminal } from "../terminal.ts";

/** Asks the running server; without one, tells what is found on disk and what the configuration makes of it. Returns the exit code. */
export async function listPlugins(
  options: { readonly config?: string; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const loaded = loadConfig(options.config);
  const { plugins, chains, running } = await ask(loaded);
  if (options.json) {
    terminal.out(jsonLine({ running, plugins, chains }));
    return EXIT.ok.code;
  }
  const paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
  for (const plugin of plugins) {
    const version = plugin.version === undefined ? "" : ` ${plugin.version}`;
    terminal.out(
      `${paint.bold(plugin.name)}${version}  ${paint.dim(plugin.origin ?? "unusable")}  ${plugin.description}`,
    );
    terminal.out(paint.dim(`    ${plugin.folder}`));
    if (plugin.problem !== undefined) terminal.out(paint.red(`    cannot be used: ${plugin.problem}`));
    for (const chain of chains.filter(({ name }) => plugin.chains.includes(name))) {
      const trouble = chain.trouble === undefined ? "" : `: ${chain.trouble}`;
      terminal.out(
        `    chain ${chain.name}: ${paint[chain.state === "running" ? "green" : "yellow"](chain.state)}${trouble}`,
      );
    }
  }
  const lost = chains.filter(({ name }) => !plugins.some((plugin) => plugin.chains.includes(name)));
  for (const { name, plugin } of lost) terminal.out(paint.red(`chain ${name}: there is no plugin ${plugin}`));
  if (plugins.length === 0) terminal.out("no plugin was found");
  if (!running) terminal.out(paint.dim("No server runs with this configuration: this is what a start would find."));
  return EXIT.ok.code;
}

/** What is shown of a chain. */
type Shown = Pick<ChainHealth, "name" | "plugin" | "trouble"> & { readonly state: string };

async function ask(
  loaded: LoadedConfig,
): Promise<{ plugins: readonly PluginInfo[]; chains: readonly Shown[]; running: boolean }> {
  try {
    const [plugins, chains] = [
      await askServer<PluginInfo[]>(loaded, "GET", "/v1/plugins"),
      await askServer<ChainHealth[]>(loaded, "GET", "/v1/chains"),
    ];
    return { plugins, chains, running: true };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "control-unreachable") throw error;
  }
  const { chains, plugins: places } = mergeSettingsOf(loaded);
  const discovery: Discovery = await discover(diskPlugins, places);
  return {
    plugins: pluginInfos(discovery, chains),
    chains: chains.map(({ name, plugin, enabled, restsBecause }) => ({
      name,
      plugin,
      state: enabled ? "enabled" : "rests",
      trouble: restsBecause ?? problemOf(discovery, plugin),
    })),
    running: false,
  };
}

function problemOf({ problems }: Discovery, plugin: string): string | undefined {
  const problem = problems.find(({ name }) => name === plugin);
  return problem === undefined ? undefined : describe(problem.fault);
}
