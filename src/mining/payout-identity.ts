/**
 * What a user identity says about who the coinbase pays, in the forms that SRI's pool has (sv2-apps, `payout.rs`): an address alone
 * or with a worker behind a dot, `sri/solo/…`, `sri/donate/…`, and all else for the pool.
 *
 * Stricter than SRI's in two ways, since a block cannot be paid twice: an address of another network is refused (it would be paid to
 * nobody), and so is what was plainly meant as an address and is none (a mistyped one would pay the pool without a word).
 */
import { addressOfScript, scriptOfAddress } from "../bitcoin/address.ts";
import type { NetworkName } from "../bitcoin/network.ts";
import { Fault } from "../kernel/fault.ts";

/** Who is paid for the blocks of a channel. An `address` is spelled as Bitcoin Core spells it: bech32 in lower case. */
export type PayoutIdentity =
  | { readonly kind: "pool" }
  | { readonly kind: "solo"; readonly address: string; readonly script: Uint8Array }
  /** `percent`: the pool's part, 1 to 99; the address gets the rest. */
  | { readonly kind: "donate"; readonly percent: number; readonly address: string; readonly script: Uint8Array }
  /** `reason`: what is wrong with it, one clause. */
  | { readonly kind: "invalid"; readonly reason: string };

/** Bytes of the longest `user_identity` (STR0_255); an identity of more characters than that never came over the wire. */
const MAX_IDENTITY = 255;

const POOL: PayoutIdentity = { kind: "pool" };

/** Reads `identity` for blocks on `network`. Never throws. */
export function payoutIdentity(identity: string, network: NetworkName): PayoutIdentity {
  if (identity.length > MAX_IDENTITY) return invalid(`it has more than ${MAX_IDENTITY} characters`);
  if (identity === "") return POOL;
  const dot = identity.indexOf(".");
  const head = dot < 0 ? identity : identity.slice(0, dot);
  const read = scriptOf(head, network);
  if ("script" in read) return { kind: "solo", ...read };
  const [prefix, mode, ...rest] = identity.split("/");
  if (prefix === "sri" && mode !== undefined) return sriIdentity(mode, rest, network);
  if (read.elsewhere || looksLikeAddress(head)) return invalid(read.reason);
  return POOL;
}

/** `sri/<mode>/<rest…>`. */
function sriIdentity(mode: string, rest: readonly string[], network: NetworkName): PayoutIdentity {
  if (mode === "solo") {
    const [address = ""] = rest;
    const read = scriptOf(address, network);
    return "script" in read ? { kind: "solo", ...read } : invalid(read.reason);
  }
  if (mode !== "donate") return invalid("behind sri/ stands neither solo nor donate");
  const [percentage = "", address] = rest;
  // `sri/donate/<worker>`: without an address there is nobody else to pay.
  if (address === undefined) return POOL;
  const percent = /^\d{1,3}$/.test(percentage) ? Number(percentage) : 0;
  if (percent < 1 || percent > 99) return invalid("the pool's part is no whole number of percent from 1 to 99");
  const read = scriptOf(address, network);
  return "script" in read ? { kind: "donate", percent, ...read } : invalid(read.reason);
}

/** The script of an address, or why it is none; `elsewhere` when it belongs to another network. */
function scriptOf(
  address: string,
  network: NetworkName,
):
  | { readonly address: string; readonly script: Uint8Array }
  | { readonly reason: string; readonly elsewhere: boolean } {
  if (address === "") return { reason: "there is no address where one belongs", elsewhere: false };
  try {
    const script = scriptOfAddress(address, network);
    return { address: addressOfScript(script, network) ?? address, script };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { cause, belongsTo } = error.data;
    if (belongsTo === undefined) return { reason: `the address is not valid: ${cause}`, elsewhere: false };
    return { reason: `the address belongs to ${belongsTo} and blocks here are of ${network}`, elsewhere: true };
  }
}

/** A bech32 prefix of Bitcoin and as many characters as the shortest address of version 0 has behind it, give or take a few. */
const BECH32_LIKE = /^(bc|tb|bcrt)1[0-9a-z]{30,}$/i;
/** Base58 of the length and with the first characters of P2PKH and P2SH addresses. */
const BASE58_LIKE = /^[123mn][1-9A-HJ-NP-Za-km-z]{25,34}$/;

/** Whether nobody writes `text` who does not mean an address: names of miners are not of mixed case with digits, 26 characters long. */
function looksLikeAddress(text: string): boolean {
  if (BECH32_LIKE.test(text)) return true;
  return BASE58_LIKE.test(text) && /[1-9]/.test(text.slice(1)) && /[A-Z]/.test(text) && /[a-z]/.test(text);
}

function invalid(reason: string): PayoutIdentity {
  return { kind: "invalid", reason };
}
