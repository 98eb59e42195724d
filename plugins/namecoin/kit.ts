/** The rehearsal of Namecoin: `bllvm-stratum-v2 plugin check plugins/namecoin`. */
import { auxPowRehearsal } from "bllvm-stratum-v2/kit";

/** A pretend namecoind. */
export const rehearsal = auxPowRehearsal({
  chainId: 1,
  strictChainId: true,
  config: { payout: "mtJJfCA4T1N6SpZrh27EUgu1QFPnmNPpiZ", network: "regtest" },
  takes: (address) => address === "mtJJfCA4T1N6SpZrh27EUgu1QFPnmNPpiZ",
  badConfigs: [{ payout: undefined }, { chain_id: 65_536 }],
});
