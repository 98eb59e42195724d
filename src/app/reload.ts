/** Reads the configuration file again while miners mine: chains follow it at once, for the rest it says what takes a restart. */
import type { ReloadedConfig } from "../host/control-api.ts";
import type { PluginHost } from "../host/plugin-host.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { LoadedConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { mergeSettingsOf } from "./settings.ts";

/** Keys that a running server follows; `chains.` stands for all tables below it. */
const FOLLOWED = [
  "chains.",
  "stratum_v2.merge_mining_enabled",
  "stratum_v2.secondary_chains",
  "merge_mining.plugins_dir",
];

/** What a reloader works with. */
export interface ReloaderDeps {
  readonly log: Log;
  readonly host: Pick<PluginHost, "apply">;
  /** Reads the file; `undefined` when the server was started without one. */
  readonly load: (() => LoadedConfig) | undefined;
}

/** Takes the configuration file over. */
export class Reloader {
  readonly #deps: ReloaderDeps;
  readonly #started: Config;

  /** `started`: the configuration that the server was started with. */
  constructor(deps: ReloaderDeps, started: Config) {
    this.#deps = deps;
    this.#started = started;
  }

  /** Throws `Fault` `config-*` or `plugin-*` for a file that cannot be taken over, and then everything goes on as before. */
  async reload(): Promise<ReloadedConfig> {
    const { log, host, load } = this.#deps;
    if (load === undefined) throw new Fault("config-no-file");
    try {
      const loaded = load();
      const applied = await host.apply(
        mergeSettingsOf({ ...loaded, config: withPoolsOf(this.#started, loaded.config) }),
      );
      const needRestart = changedKeys(this.#started, loaded.config).filter(
        (key) => !FOLLOWED.some((followed) => (followed.endsWith(".") ? key.startsWith(followed) : key === followed)),
      );
      const told = { ...applied, needRestart };
      log.info(`configuration read again: ${sentence(told)}`, told);
      if (needRestart.length > 0) log.warn(`these keys changed and take a restart: ${needRestart.join(", ")}`);
      return told;
    } catch (error) {
      log.error(`the configuration was not taken over, everything goes on as before: ${describe(error)}`, { error });
      throw error;
    }
  }
}

/** `config` with the pools that are connected: whether chains rest for them follows no change that takes a restart. */
function withPoolsOf({ pools, upstream, stratum_v2 }: Config, config: Config): Config {
  return { ...config, pools, upstream, stratum_v2: { ...config.stratum_v2, pool_url: stratum_v2.pool_url } };
}

function sentence({ added, removed, changed }: ReloadedConfig): string {
  const parts = Object.entries({ added, removed, changed })
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what} ${names.join(", ")}`);
  return parts.length === 0 ? "no chain changed" : parts.join("; ");
}

/** Keys that differ, dotted, in the order of `after`. */
export function changedKeys(before: unknown, after: unknown, prefix = ""): string[] {
  if (!isTable(before) || !isTable(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [prefix];
  }
  const keys = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...keys].flatMap((key) => changedKeys(before[key], after[key], prefix === "" ? key : `${prefix}.${key}`));
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
