/** Namecoin, the first chain that was merge-mined: `createauxblock` and `submitauxblock` of namecoind. */
import { auxPowPlugin, NAMECOIN_LIKE } from "bllvm-stratum-v2/plugin";

/** The plugin. Facts: namecoin-core `src/kernel/chainparams.cpp`, chain ID 1, strict on the main network. */
export const plugin = auxPowPlugin({
  ...NAMECOIN_LIKE,
  name: "namecoin",
  coin: { symbol: "NMC", decimals: 8 },
  chainId: 1,
});
