/** The rehearsal of Syscoin: `bllvm-stratum-v2 plugin check plugins/syscoin`. */
import { auxPowRehearsal } from "bllvm-stratum-v2/kit";

/** A pretend syscoind that wants its output in the parent's coinbase: OP_RETURN "sys", a block hash, a height. */
export const rehearsal = auxPowRehearsal({
  chainId: 16,
  strictChainId: true,
  config: { payout: "sys1qw508d6qejxtdg4y5r3zarvary0c5xw7kyhctdx" },
  output: {
    key: "coinbasescript",
    script: (height) => {
      const script = new Uint8Array(41);
      script.set([0x6a, 0x27, 0x73, 0x79, 0x73]);
      script.fill(0xab, 5, 37);
      new DataView(script.buffer).setUint32(37, height, true);
      return script;
    },
  },
  badConfigs: [{ payout: undefined }],
});
