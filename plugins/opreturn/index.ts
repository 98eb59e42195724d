/**
 * Tags in the coinbase that are no merge mining: CORE's "Satoshi Plus" delegation, exSat's synchroniser name, or anything else that
 * wants OP_RETURN and some bytes. The operator gives the bytes, or an address that does. Other chains' rules hold for them too: a tag
 * that would break one is left out of the job.
 */
import { type ChainPlugin, type HttpClient, nodeHttpClient, PLUGIN_API } from "bllvm-stratum-v2/plugin";
import { TagChain } from "./chain.ts";
import { tagConfig } from "./config.ts";

/** The plugin with another way to send requests, for tests. */
export function tagPlugin(http: () => HttpClient): ChainPlugin<typeof tagConfig> {
  return {
    name: "opreturn",
    api: PLUGIN_API,
    // A tag pays nothing; the contract wants a name for what it would pay.
    coin: { symbol: "TAG", decimals: 0 },
    config: tagConfig,
    // A tag is worth no job of its own: it goes along with the next one.
    defaults: { update: 0, expiryMs: 300_000, prefer: "newest" },
    open: (config, host) => new TagChain({ host, http: http() }, config),
  };
}

/** The plugin. */
export const plugin = tagPlugin(nodeHttpClient);
