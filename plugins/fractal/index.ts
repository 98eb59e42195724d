/**
 * Fractal Bitcoin: of three blocks, 30 s apart, one is merge-mined. The others have difficulties of their own, so work is
 * there nearly always; when the daemon has none, that is the chain's rhythm and no fault.
 */
import { auxPowPlugin, NAMECOIN_LIKE } from "bllvm-stratum-v2/plugin";

/**
 * The plugin. Chain ID 0x2024, strict: it lies where miners roll version bits (BIP320), so about one parent in 8192 is refused
 * by the chain; the server counts those and does not submit them.
 */
export const plugin = auxPowPlugin({
  ...NAMECOIN_LIKE,
  name: "fractal",
  coin: { symbol: "FB", decimals: 8 },
  chainId: 0x2024,
  // RPC_MISC_ERROR and RPC_INTERNAL_ERROR: what its block template answers when it cannot make a block of this kind now.
  noWork: [-1, -32603],
});
