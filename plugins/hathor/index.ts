/**
 * Hathor: a block's hash stands behind "Hath" in Bitcoin's coinbase, and the block carries the proof in place of a nonce
 * (HathorNetwork/rfcs 0006). See README.md beside this file for what the node needs.
 */
import {
  type ChainPlugin,
  type ConnectWebSocket,
  connectWebSocket,
  type HttpClient,
  nodeHttpClient,
  PLUGIN_API,
} from "bllvm-stratum-v2/plugin";
import { HathorChain } from "./chain.ts";
import { hathorConfig } from "./config.ts";

/** What connections are made with; tests have others. */
export interface HathorPorts {
  readonly http: () => HttpClient;
  readonly connectWebSocket: ConnectWebSocket;
}

/** The plugin on other ports than the machine's own. */
export function hathorPlugin(ports: HathorPorts): ChainPlugin<typeof hathorConfig> {
  return {
    name: "hathor",
    api: PLUGIN_API,
    coin: { symbol: "HTR", decimals: 2 },
    config: hathorConfig,
    // Every template differs a little, so `newest` keeps the block's time and its parents fresh.
    defaults: { update: 1, expiryMs: 120_000, prefer: "newest" },
    open: (config, host) => new HathorChain({ host, http: ports.http(), connect: ports.connectWebSocket }, config),
  };
}

/** The plugin. */
export const plugin = hathorPlugin({ http: nodeHttpClient, connectWebSocket });
