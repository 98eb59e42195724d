/**
 * Who may mine, by user identity (SV2 has no passwords: spec 5.3.2 leaves the meaning of `user_identity` to the pool).
 * Three policies; the error codes are SRI's. Whether an identity can be paid at all, where coinbases pay identities, is judged apart
 * from them (`mining/open-channel.ts`).
 */
import { scriptOfAddress } from "../bitcoin/address.ts";
import type { NetworkName } from "../bitcoin/network.ts";
import { Fault } from "../kernel/fault.ts";
import { payoutIdentity } from "../mining/payout-identity.ts";
import type { Authoriser } from "../mining/ports.ts";
import { OPEN_MINING_CHANNEL_ERROR } from "../sv2/codes.ts";

type Answer = ReturnType<Authoriser["authorise"]>;

const ALLOWED: Answer = { allowed: true };
const UNKNOWN_USER: Answer = { allowed: false, errorCode: OPEN_MINING_CHANNEL_ERROR.unknownUser };
const INVALID_IDENTITY: Answer = { allowed: false, errorCode: OPEN_MINING_CHANNEL_ERROR.invalidUserIdentity };

/** Lets everybody mine, also without a name. */
export function openAuthoriser(): Authoriser {
  return { authorise: () => ALLOWED };
}

/**
 * Lets in who is listed: an entry is a whole user identity, or `name.*` for `name` and every `name.worker`. Others are
 * refused with `unknown-user`. Case counts. Costs one look-up for each dot of an identity, whatever the list's length.
 */
export function allowListAuthoriser(entries: readonly string[]): Authoriser {
  const exact = new Set<string>();
  const families = new Set<string>();
  for (const entry of entries) {
    if (entry.endsWith(".*")) families.add(entry.slice(0, -2));
    else exact.add(entry);
  }
  return {
    authorise(userIdentity) {
      if (exact.has(userIdentity) || families.has(userIdentity)) return ALLOWED;
      for (let dot = userIdentity.indexOf("."); dot >= 0; dot = userIdentity.indexOf(".", dot + 1)) {
        if (families.has(userIdentity.slice(0, dot))) return ALLOWED;
      }
      return UNKNOWN_USER;
    },
  };
}

/**
 * Lets in whose identity names an address of `network` that coinbases pay (`mining/payout-identity.ts`), in whole or in part. Others are
 * refused with `invalid-user-identity`. A worker's name (extension 0x0002) has that identity up to its first dot.
 */
export function directPayoutAuthoriser(network: NetworkName): Authoriser {
  const pays = (identity: string): boolean => {
    const { kind } = payoutIdentity(identity, network);
    return kind === "solo" || kind === "donate";
  };
  return {
    authorise(userIdentity) {
      const [account = ""] = userIdentity.split(".", 1);
      return pays(userIdentity) || pays(account) ? ALLOWED : INVALID_IDENTITY;
    },
  };
}

/**
 * Lets in whose identity is an address of `network`, alone or with `.worker` behind it; no address holds a dot. Others
 * are refused with `invalid-user-identity`, addresses of another network too: they would be paid to nobody.
 */
export function payoutAddressAuthoriser(network: NetworkName): Authoriser {
  return {
    authorise(userIdentity) {
      const [address = ""] = userIdentity.split(".", 1);
      try {
        scriptOfAddress(address, network);
        return ALLOWED;
      } catch (error) {
        if (error instanceof Fault && error.code === "address-invalid") return INVALID_IDENTITY;
        throw error;
      }
    },
  };
}
