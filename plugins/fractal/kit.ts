/** The rehearsal of Fractal Bitcoin: `bllvm-stratum-v2 plugin check plugins/fractal`. */
import { auxPowRehearsal } from "bllvm-stratum-v2/kit";

/** A pretend fractald. */
export const rehearsal = auxPowRehearsal({
  chainId: 0x2024,
  strictChainId: true,
  config: { payout: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" },
  badConfigs: [{ payout: undefined }],
});
