/**
 * RSK (Rootstock): a tag in an output of Bitcoin's coinbase names the RSK block, and the parent's header, coinbase and branch prove
 * it (rskj `ProofOfWorkRule`, RSKIP-92, RSKIP-110). See README.md beside this file for what the node needs.
 */
import {
  type ChainPlugin,
  type ConnectWebSocket,
  connectWebSocket,
  type DaemonPorts,
  daemonsOf,
  PLUGIN_API,
  systemPorts,
} from "bllvm-stratum-v2/plugin";
import { RskChain } from "./chain.ts";
import { rskConfig } from "./config.ts";

/** What connections are made with; tests have others. */
export interface RskPorts extends DaemonPorts {
  readonly connectWebSocket: ConnectWebSocket;
}

/** The plugin on other ports than the machine's own. */
export function rskPlugin(ports: RskPorts): ChainPlugin<typeof rskConfig> {
  return {
    name: "rsk",
    api: PLUGIN_API,
    coin: { symbol: "RBTC", decimals: 18 },
    config: rskConfig,
    // A node keeps its last 20 works, and makes one a minute at least.
    defaults: { update: 1, expiryMs: 120_000, prefer: "newest" },
    open: (config, host) => {
      const nodes = daemonsOf(config.daemons, host, ports);
      return new RskChain({ host, nodes, connect: ports.connectWebSocket }, config);
    },
  };
}

/** The plugin. */
export const plugin = rskPlugin({ ...systemPorts, connectWebSocket });
