/** The keys of an AuxPoW chain's table, for one profile. */
import { z } from "zod";
import { type DaemonSettings, daemonsConfig } from "../daemon-config.ts";
import type { AuxPowProfile } from "./profile.ts";

/** An AuxPoW chain's table after its schema. */
export interface AuxPowSettings {
  /** Address that the blocks pay to; `undefined` where the daemon's wallet is paid. */
  readonly payout?: string | undefined;
  readonly daemons: readonly DaemonSettings[];
  readonly poll_s: number;
  readonly network?: string | undefined;
  readonly chain_id?: number | undefined;
  readonly strict_chain_id?: boolean | undefined;
  readonly maturity?: number | undefined;
}

/** The keys that all AuxPoW plugins have, without `payout`. */
export const auxPowKeys = {
  /** The chain's daemons in order of preference. */
  daemons: daemonsConfig,
  /** Seconds between two polls, the floor under whatever notices the daemon gives. */
  poll_s: z.number().min(0.1).max(60).default(2),
  /** The daemon's name of the network that it must be on (`main`, `test`, `regtest`); any when left out. */
  network: z.string().min(1).max(40).optional(),
  /** Chain ID, where it is not that of the main network. */
  chain_id: z.int().min(0).max(0xffff).optional(),
  strict_chain_id: z.boolean().optional(),
  /** Blocks after which the reward can be spent, where it is not that of the main network. */
  maturity: z.int().min(1).max(1_000_000).optional(),
} as const;

const missingPayout = (error: { readonly input?: unknown }): string =>
  error.input === undefined
    ? "payout is missing: set it to an address of this chain, or its blocks pay nobody"
    : "payout must be an address in quotes";

/** `payout`, required. */
export const payoutKey = z
  .string({ error: missingPayout })
  .trim()
  .min(1, "payout is empty")
  .max(200, "payout is too long for an address");

/** The sentence for a `payout` that would have no effect. */
export const PAYOUT_UNUSED =
  "payout has no effect with getauxblock, which pays to the daemon's own wallet: remove it, or use a daemon with createauxblock";

/** Why `payout` does not go with `profile`, or `undefined`. */
export function payoutFlaw(
  profile: Pick<AuxPowProfile, "method" | "addressFlaw">,
  payout: string | undefined,
): string | undefined {
  if (profile.method === "getauxblock") return payout === undefined ? undefined : PAYOUT_UNUSED;
  if (payout === undefined) return missingPayout({});
  const flaw = profile.addressFlaw?.(payout);
  return flaw === undefined ? undefined : `payout cannot be an address of this chain: ${flaw}`;
}

/** The schema of the table of a chain with `profile`. */
export function auxPowConfig(profile: Pick<AuxPowProfile, "method" | "addressFlaw">): z.ZodType<AuxPowSettings> {
  const payout = profile.method === "getauxblock" ? z.string().optional() : payoutKey;
  return z.strictObject({ payout, ...auxPowKeys }).superRefine((table, context) => {
    const message = payoutFlaw(profile, table.payout);
    if (message !== undefined) context.addIssue({ code: "custom", path: ["payout"], message });
  });
}
