/** Which coin a configured chain pays, from its plugin: commands that write amounts need its decimals. */
import { discover, pluginOf } from "../host/discovery.ts";
import { diskPlugins } from "../host/plugin-files.ts";
import { Fault } from "../kernel/fault.ts";
import type { Coin } from "../ledger/payouts/coins.ts";
import type { ChainPlugin } from "../merge/plugin.ts";
import type { LoadedConfig } from "./config/load.ts";
import { pluginLoader } from "./parts.ts";
import { BITCOIN_COIN } from "./reports/coin-text.ts";
import { mergeSettingsOf } from "./settings.ts";

/** The coin of `bitcoin` or of a chain with a table. Throws `Fault` `chain-unknown` or `plugin-*`. */
export async function coinOf(loaded: LoadedConfig, chain: string): Promise<Coin> {
  if (chain === "bitcoin") return BITCOIN_COIN;
  const { chains, plugins } = mergeSettingsOf(loaded);
  const settings = chains.find(({ name }) => name === chain);
  if (settings === undefined) {
    throw new Fault("chain-unknown", { chain, configuration: loaded.file ?? "none was given (-c)" });
  }
  const found = pluginOf(await discover(diskPlugins, plugins), settings.plugin, chain);
  return coinOfTable(await pluginLoader().load(found), settings.table);
}

/** The coin of a plugin with a chain's table: a plugin that many coins share (auxpow) asks for the decimals there. */
export function coinOfTable({ coin, config }: Pick<ChainPlugin, "coin" | "config">, keys: unknown): Coin {
  const parsed = config.safeParse(keys);
  // Keys with a mistake in another one are better than the plugin's own decimals, which would be wrong by powers of ten.
  const table: unknown = parsed.success ? parsed.data : keys;
  const own = typeof table === "object" && table !== null && "decimals" in table ? table.decimals : undefined;
  return typeof own === "number" ? { symbol: coin.symbol, decimals: own } : coin;
}
