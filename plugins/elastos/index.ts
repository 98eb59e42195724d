/**
 * Elastos (ELA): parameters by name, the height of the tip instead of the next block's, bits without leading zeros, our
 * reward in the second output, and hashes that its other calls print in the reverse order.
 */
import { auxPowPlugin, fromBase58check, NAMECOIN_LIKE } from "bllvm-stratum-v2/plugin";

/** First byte of an address that one key (`E…`) or several (`8…`) can spend from. */
const SPENDABLE: readonly (number | undefined)[] = [0x21, 0x12];

/** Why `address` cannot be paid. The daemon itself takes any text, and answers with a block that pays somebody else. */
export function addressFlaw(address: string): string | undefined {
  const bytes = fromBase58check(address);
  if (bytes === undefined) return "its checksum is wrong, one character may be mistyped";
  if (bytes.length !== 21) return `it carries ${bytes.length} bytes instead of 21`;
  return SPENDABLE.includes(bytes[0]) ? undefined : "it is not of the kind that begins with E or 8";
}

/** The plugin. Facts: Elastos.ELA `servers/interfaces.go`, `pow/service.go`; recorded answers of 2026-07. */
export const plugin = auxPowPlugin({
  ...NAMECOIN_LIKE,
  name: "elastos",
  coin: { symbol: "ELA", decimals: 8 },
  chainId: 1224,
  strictChainId: false,
  method: "named",
  heightOffset: 1,
  rewardOutput: 1,
  reversedHashes: true,
  // One sentence for an unknown hash, a wrong proof and a block that it has already.
  vague: ["adding block failed"],
  networkCall: "getmininginfo",
  waits: false,
  addressFlaw,
});
