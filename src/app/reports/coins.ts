/** Which coin each configured chain pays, from the chains' plugins. */
import { discover, pluginOf } from "../../host/discovery.ts";
import type { PluginLoader } from "../../host/loader.ts";
import { diskPlugins } from "../../host/plugin-files.ts";
import type { Coin } from "../../ledger/payouts/coins.ts";
import { coinOfTable } from "../coin-of.ts";
import type { MergeSettings } from "../settings.ts";
import { BITCOIN_COIN, type Coins } from "./coin-text.ts";

/**
 * Coins of Bitcoin and of every chain of the configuration, those that rest included. Modules of plugins are loaded, no chain is opened. A chain whose plugin is
 * gone or broken is left out: its amounts are told in base units, and the report says so.
 */
export async function coinsOf(settings: MergeSettings, loader: PluginLoader): Promise<Coins> {
  const coins = new Map<string, Coin>([["bitcoin", BITCOIN_COIN]]);
  if (settings.chains.length === 0) return coins;
  const found = await discover(diskPlugins, settings.plugins).catch(() => undefined);
  if (found === undefined) return coins;
  for (const chain of settings.chains) {
    try {
      const plugin = await loader.load(pluginOf(found, chain.plugin, chain.name));
      coins.set(chain.name, coinOfTable(plugin, chain.table));
    } catch {
      // What is wrong with it is said by doctor and plugin list.
    }
  }
  return coins;
}
