/** The rehearsal of Elastos: `bllvm-stratum-v2 plugin check plugins/elastos`. */
import { auxPowRehearsal } from "bllvm-stratum-v2/kit";

/** A pretend ela: it takes any text for an address, so the plugin itself must refuse what is none. */
export const rehearsal = auxPowRehearsal({
  chainId: 1224,
  strictChainId: false,
  style: "elastos",
  config: { payout: "EeEkSiRMZqg5rd9a2yPaWnvdPcikFtsrjE", network: "regnet" },
  badConfigs: [
    { payout: undefined },
    { payout: "nonsense" },
    { payout: "EeEkSiRMZqg5rd9a2yPaWnvdPcikFtsrjF" },
    { payout: "1BoatSLRHtKNngkdXEeobR76b53LETtpyT" },
  ],
});
