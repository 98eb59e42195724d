/**
 * Bitcoin's hashes: SHA-256 twice for headers, transactions and merkle nodes, RIPEMD-160 of SHA-256 for addresses.
 * Digests are in internal byte order, as they stand in headers and transactions.
 */
import { ripemd160 } from "@noble/hashes/legacy.js";
import { absorbAgain, absorbEnd, absorbPair, absorbRest, newState, resetState, squeeze } from "./sha256.ts";

// One scratch state for all calls: each call resets it first and copies the digest out before it returns.
const state = newState();

/** SHA-256 of `bytes` as a new `Uint8Array(32)`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(32);
  resetState(state);
  absorbRest(state, bytes, 0, 0);
  squeeze(state, out);
  return out;
}

/** SHA-256 of the SHA-256 of `bytes` as a new `Uint8Array(32)`, internal byte order. */
export function sha256d(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(32);
  sha256dInto(out, bytes);
  return out;
}

/** As `sha256d`, written to `out[0..31]`; `out` may be the memory of `bytes`. */
export function sha256dInto(out: Uint8Array, bytes: Uint8Array): void {
  resetState(state);
  absorbRest(state, bytes, 0, 0);
  absorbAgain(state);
  squeeze(state, out);
}

/** Double SHA-256 of `left` ‖ `right`, 32 bytes each, written to `out[0..31]`; `out` may be one of them. */
export function sha256dPairInto(out: Uint8Array, left: Uint8Array, right: Uint8Array): void {
  resetState(state);
  absorbPair(state, left, right);
  absorbEnd(state, 64);
  absorbAgain(state);
  squeeze(state, out);
}

/** RIPEMD-160 of the SHA-256 of `bytes`, `Uint8Array(20)`: key and script hashes in addresses. */
export function hash160(bytes: Uint8Array): Uint8Array {
  return ripemd160(sha256(bytes));
}
