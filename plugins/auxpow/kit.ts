/** The rehearsal of the general AuxPoW plugin: `bllvm-stratum-v2 plugin check plugins/auxpow`. */
import { auxPowRehearsal } from "bllvm-stratum-v2/kit";

/** A pretend daemon that has its own ways in everything that the table can describe, short of Elastos'. */
export const rehearsal = auxPowRehearsal({
  chainId: 117,
  strictChainId: true,
  success: null,
  tellsTip: false,
  maturity: 32,
  config: {
    payout: "uTi5ZrVEWkMzGYgYcPYLtgRCpaKqJMvnHR",
    chain_id: 117,
    target: "little-endian",
    success: "null",
    maturity: 32,
  },
  badConfigs: [
    { payout: undefined },
    { chain_id: undefined },
    { method: "getauxblock" },
    { method: "getwork" },
    { output_key: "coinbasescript" },
    { output_forbids: "7379" },
  ],
});
