/** Namecoin's addresses on regtest: base58 as Bitcoin's test networks have it, bech32 with a prefix of its own. */

import { bech32, bech32m } from "@scure/base";
import { scriptOfAddress } from "../../bitcoin/address.ts";
import { Fault } from "../../kernel/fault.ts";

/** Human-readable part (namecoin-core src/kernel/chainparams.cpp, regtest). */
const HRP = "ncrt";
const BITCOIN_HRP = "bcrt";

/** The scriptPubKey that pays to `address`; `undefined` when it is none of this network. */
export function scriptOfNamecoinAddress(address: string): Uint8Array | undefined {
  const lower = address.toLowerCase();
  if (lower.startsWith(`${BITCOIN_HRP}1`)) return undefined;
  try {
    return scriptOfAddress(lower.startsWith(`${HRP}1`) ? asBitcoins(address) : address, "regtest");
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/** The same witness program as an address of Bitcoin's regtest; `address` itself when it is spelt wrongly. */
function asBitcoins(address: string): string {
  for (const encoding of [bech32, bech32m]) {
    const decoded = encoding.decodeUnsafe(address, 90);
    if (decoded !== undefined) return encoding.encode(BITCOIN_HRP, decoded.words);
  }
  return address;
}
