/** A chain as it was configured, before its plugin is even looked for. Plain data, so that two configurations can be compared. */
import type { ChainPolicy } from "../merge/plugin.ts";

/** One `[chains.<name>]` table, or a chain that is configured by a program. */
export interface ChainSettings {
  /** The table's name: a lower-case letter, then up to 31 of `a-z 0-9 -`. In logs, metrics and the API. */
  readonly name: string;
  /** Name of the plugin; usually the same. */
  readonly plugin: string;
  /** `false` for a chain that rests: it can be enabled at run time. */
  readonly enabled: boolean;
  /** Why a chain that is not enabled rests, as a clause for the log. */
  readonly restsBecause?: string;
  /** What the operator chose; the plugin's defaults and the host's fill in the rest. */
  readonly policy: Partial<ChainPolicy>;
  /** The other keys of the table, as they came out of the file: checked by the plugin's schema. */
  readonly table: Readonly<Record<string, unknown>>;
}

/** Keys of a chain's table that are the host's; all others are the plugin's. */
export const HOST_KEYS = ["plugin", "enabled", "update", "min_interval_s", "expiry_s"] as const;

/** What holds for a chain when neither the operator nor its plugin says otherwise. */
export const POLICY_DEFAULTS: ChainPolicy = { update: 1, minIntervalMs: 1000, expiryMs: 60_000, prefer: "newest" };

/** Where plugins are looked for. */
export interface PluginPlaces {
  /** Folder of the built-in plugins: `plugins` of the package. */
  readonly builtIn: string;
  /** Folder with the compiled modules of the built-in plugins, one folder each. */
  readonly compiled: string;
  /** `merge_mining.plugins_dir`, absolute; `undefined` for none. */
  readonly pluginsDir: string | undefined;
  /** `node_modules` folders in which `bllvm-stratum-v2-plugin-*` is looked for; those that do not exist are passed over. */
  readonly npm: readonly string[];
}
