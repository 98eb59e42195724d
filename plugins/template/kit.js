// @ts-check
/**
 * The rehearsal: a pretend Examplecoin daemon that `bllvm-stratum-v2 plugin check` puts the plugin through its paces with. Most of it
 * comes from the kit; say here how your daemon differs (AuxPowRehearsalOptions), or write it out as docs/plugins.md shows.
 */
import { auxPowRehearsal } from "bllvm-stratum-v2/kit";

export const rehearsal = auxPowRehearsal({
  chainId: 77,
  strictChainId: true,
  // The keys of the table besides `daemons` and `poll_s`.
  config: { payout: "examplecoin-address" },
  // Mistakes that operators make, besides the common ones.
  badConfigs: [{ payout: "" }, { payout: 5 }],
});
