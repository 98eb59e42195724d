/**
 * Syscoin: AuxPoW with an output of its own. Since Nexus (height 2,010,345) the parent's coinbase must hold the script that
 * `createauxblock` gives as `coinbasescript`: OP_RETURN "sys", a block hash and a height. No other OP_RETURN may hold "sys".
 */
import { auxPowPlugin, NAMECOIN_LIKE, utf8 } from "bllvm-stratum-v2/plugin";

/** The plugin. Facts: syscoin `src/validation.cpp` ("missing-syscoin-tag", "multiple-syscoin-tags"), chain ID 16. */
export const plugin = auxPowPlugin({
  ...NAMECOIN_LIKE,
  name: "syscoin",
  coin: { symbol: "SYS", decimals: 8 },
  chainId: 16,
  extraOutput: { key: "coinbasescript", forbid: utf8("sys") },
});
