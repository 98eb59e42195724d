/**
 * What differs between the chains that are merge-mined by AuxPoW. They all descend from Namecoin's `getauxblock`, and each
 * changed something: names of calls and fields, byte orders, what "accepted" looks like. One driver, one profile per chain.
 */

import type { RpcParams } from "../../daemon/rpc.ts";

/** How one AuxPoW chain's daemon wants to be treated. */
export interface AuxPowProfile {
  /** Name of the plugin. */
  readonly name: string;
  /** Its coin: `decimals` 8 when the base unit is 10^-8 of it. */
  readonly coin: { readonly symbol: string; readonly decimals: number };
  /** The chain's ID (`nAuxpowChainId`), 0 to 65535. */
  readonly chainId: number;
  /** Whether the chain refuses a parent with its own ID in the upper half of the version (`fStrictChainId`). */
  readonly strictChainId: boolean;
  /**
   * `createauxblock` with an address, then `submitauxblock`; `getauxblock` for both, which pays to the daemon's wallet; `named` the first pair with
   * parameters by name (Elastos.ELA).
   */
  readonly method: "createauxblock" | "getauxblock" | "named";
  /** Where the target comes from: `bits`, or `_target` or `target` in either byte order, for daemons without bits. */
  readonly target: "bits" | "little-endian" | "big-endian";
  /** What is added to the answer's height to have that of the block to be found: 0, or 1 where it is the tip's (Elastos.ELA). */
  readonly heightOffset: number;
  /** Which output of the block's coinbase pays us: 0, or 1 (Elastos.ELA). */
  readonly rewardOutput: number;
  /** What an accepted submission is answered with: `true`, or `null` (and then `true` is understood as well). */
  readonly success: "true" | "null";
  /** Whether other calls print block hashes in the reverse order of the work's (Elastos.ELA). */
  readonly reversedHashes: boolean;
  /** Blocks after which the reward can be spent. */
  readonly maturity: number;
  /** Answers to a submission that may mean anything (`false`, or words): the driver finds out what happened. */
  readonly vague: readonly string[];
  /** RPC error codes that mean that there is nothing to merge-mine just now. */
  readonly noWork: readonly number[];
  /** An output that the parent's coinbase must have, given as hex under this key of the work (Syscoin: `coinbasescript`). */
  readonly extraOutput?: {
    readonly key: string;
    /** Bytes that no other output of the coinbase may hold. */
    readonly forbid: Uint8Array;
  };
  /** The call whose `chain` names the daemon's network. */
  readonly networkCall: string;
  /** Whether `waitfornewblock` is worth a try. */
  readonly waits: boolean;
  /** Why an address cannot be one of this chain, for daemons that take any text; `undefined` when it can. */
  readonly addressFlaw?: (address: string) => string | undefined;
}

/** No parameters, as the daemon wants them. */
export function noParams({ method }: Pick<AuxPowProfile, "method">): RpcParams {
  return method === "named" ? {} : [];
}

/** What Namecoin, the first of them, does; profiles state how they differ. */
export const NAMECOIN_LIKE = {
  coin: { symbol: "AUX", decimals: 8 },
  strictChainId: true,
  method: "createauxblock",
  target: "bits",
  heightOffset: 0,
  rewardOutput: 0,
  success: "true",
  reversedHashes: false,
  maturity: 100,
  vague: [],
  noWork: [],
  networkCall: "getblockchaininfo",
  waits: true,
} as const satisfies Omit<AuxPowProfile, "name" | "chainId">;
