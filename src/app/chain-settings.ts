/** Which auxiliary chains are mined: `[chains.*]` tables, the seed's `secondary_chains` and `merge_mining_enabled` in one list. */
import { type ChainSettings, HOST_KEYS } from "../host/chain-settings.ts";
import type { ChainPolicy } from "../merge/plugin.ts";
import type { Config } from "./config/schema.ts";
import { isPoolAlone } from "./upstream-settings.ts";

/** Why a chain rests where no own template is ever mined. */
export const RESTS_IN_POOL_MODE = "the pool owns the coinbase, and there is no solo fallback";

type Table = Config["chains"][string];

/**
 * Every chain of the configuration, those that rest included: with `secondary_chains` exactly the chains named there are mined, a
 * chain without a table by its plugin's defaults; without it every chain whose table is not disabled. None is where all jobs are a pool's.
 */
export function chainsOf(config: Config): ChainSettings[] {
  const { stratum_v2, chains: tables } = config;
  const { merge_mining_enabled, secondary_chains } = stratum_v2;
  const names = [...(secondary_chains ?? []), ...Object.keys(tables)];
  return [...new Set(names)].map((name) => {
    const table = tables[name];
    const restsBecause = !merge_mining_enabled
      ? "stratum_v2.merge_mining_enabled is false"
      : secondary_chains?.includes(name) === false
        ? "stratum_v2.secondary_chains does not name it"
        : table?.enabled === false
          ? `chains.${name}.enabled is false`
          : isPoolAlone(config)
            ? RESTS_IN_POOL_MODE
            : undefined;
    return {
      name,
      plugin: table?.plugin ?? name,
      enabled: restsBecause === undefined,
      ...(restsBecause === undefined ? {} : { restsBecause }),
      policy: table === undefined ? {} : policyOf(table),
      table: table === undefined ? {} : pluginKeysOf(table),
    };
  });
}

function policyOf({ update, min_interval_s, expiry_s }: Table): Partial<ChainPolicy> {
  return {
    ...(update === undefined ? {} : { update }),
    ...(min_interval_s === undefined ? {} : { minIntervalMs: min_interval_s * 1000 }),
    ...(expiry_s === undefined ? {} : { expiryMs: expiry_s * 1000 }),
  };
}

function pluginKeysOf(table: Table): Record<string, unknown> {
  const ours: readonly string[] = HOST_KEYS;
  return Object.fromEntries(Object.entries(table).filter(([key]) => !ours.includes(key)));
}
