/** Base58check texts, for plugins of chains whose daemons take any text for an address. */
import { createBase58check } from "@scure/base";
import { sha256 } from "../bitcoin/hash.ts";

const coder = createBase58check((bytes: Uint8Array) => Uint8Array.from(sha256(bytes)));

/** The bytes of a base58check `text` (checksum of two SHA-256), version byte first; `undefined` when it is none. */
export function fromBase58check(text: string): Uint8Array | undefined {
  if (text.length > 128) return undefined;
  try {
    return coder.decode(text);
  } catch {
    return undefined;
  }
}
