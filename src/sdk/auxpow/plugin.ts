/** A whole plugin made of a profile: what the plugins of single AuxPoW chains consist of. */
import type { z } from "zod";
import { type ChainPlugin, type ChainPolicy, PLUGIN_API } from "../../merge/plugin.ts";
import { type AuxPowSettings, auxPowConfig } from "./config.ts";
import { openAuxPowChain } from "./driver.ts";
import type { AuxPowProfile } from "./profile.ts";

/**
 * How the core treats an AuxPoW chain's work unless its table says otherwise. `newest`, since the driver itself keeps the better of two
 * templates: it alone knows whether the daemon that made it still has it. Two of the slowest polls (`poll_s` 60) fit before work expires, or it would be
 * gone before each of them.
 */
export const AUXPOW_POLICY: Partial<ChainPolicy> = { prefer: "newest", expiryMs: 120_000 };

/** The plugin of the chain that `profile` describes. */
export function auxPowPlugin(
  profile: AuxPowProfile,
  defaults: Partial<ChainPolicy> = {},
): ChainPlugin<z.ZodType<AuxPowSettings>> {
  const config = auxPowConfig(profile);
  return {
    name: profile.name,
    api: PLUGIN_API,
    coin: profile.coin,
    config,
    defaults: { ...AUXPOW_POLICY, ...defaults },
    open: (table, host) => openAuxPowChain(profile, table, host),
  };
}
