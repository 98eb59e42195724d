/** Plugins as `plugin list` and the control API tell them. */
import { describe, type Fault } from "../kernel/fault.ts";
import type { Discovery, FoundPlugin } from "./discovery.ts";

/** A plugin as the API tells it. */
export interface PluginInfo {
  readonly name: string;
  readonly version: string | undefined;
  readonly origin: FoundPlugin["origin"] | undefined;
  readonly folder: string;
  readonly description: string;
  /** Names of the configured chains that it is the plugin of. */
  readonly chains: readonly string[];
  /** Why it cannot be used. */
  readonly problem: string | undefined;
}

/** What was found, for people. */
export function pluginInfos(
  { plugins, problems }: Discovery,
  chains: readonly { readonly name: string; readonly plugin: string }[],
): PluginInfo[] {
  const chainsOf = (name: string): string[] =>
    chains.filter(({ plugin }) => plugin === name).map((chain) => chain.name);
  const good = [...plugins.values()].map(({ name, version, origin, folder, description }) => {
    const problem = problems.find((each) => each.name === name);
    return { name, version, origin, folder, description, chains: chainsOf(name), problem: sentence(problem?.fault) };
  });
  const bad = problems
    .filter(({ name }) => !plugins.has(name))
    .map(({ name, folder, fault }) => ({
      name,
      version: undefined,
      origin: undefined,
      folder,
      description: "",
      chains: chainsOf(name),
      problem: sentence(fault),
    }));
  return [...good, ...bad].sort((a, b) => a.name.localeCompare(b.name));
}

function sentence(fault: Fault | undefined): string | undefined {
  return fault === undefined ? undefined : describe(fault);
}
