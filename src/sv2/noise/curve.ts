/**
 * What the handshake wants of the curve secp256k1 (SV2 specification 4.3.1): keys with their ElligatorSwift encoding and
 * x-only Diffie-Hellman. `nobleCurve` is the implementation to read and the judge in tests; `wasm/secp256k1.ts` is the
 * one that runs.
 */
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { fromHex } from "../../kernel/bytes.ts";
import type { Random } from "../../kernel/random.ts";
import { decodeEllswift, encodeEllswift } from "./ellswift.ts";

/** A key pair of the handshake. */
export interface EllswiftKey {
  /** The scalar: 32 bytes, big-endian, 1 to group order - 1. Secret. */
  readonly privateKey: Uint8Array;
  /** The public key, ElligatorSwift-encoded: 64 bytes. */
  readonly ellswift: Uint8Array;
}

/** Keys and Diffie-Hellman over secp256k1 with ElligatorSwift public keys. */
export interface EllswiftCurve {
  /** A fresh key pair. */
  generateKey(random: Random): EllswiftKey;
  /**
   * x coordinates (32 bytes, big-endian) of each of `privateKeys` times the public key `theirs` (64 bytes). One call for
   * several keys costs less than several calls, as the peer's point is decoded and prepared once.
   */
  sharedX(privateKeys: readonly Uint8Array[], theirs: Uint8Array): Uint8Array[];
  /** The x coordinate (32 bytes, big-endian) that 64 bytes of ElligatorSwift stand for: the key as BIP340 writes it. */
  decodeEllswift(ellswift: Uint8Array): Uint8Array;
}

const GROUP_ORDER = fromHex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

/** Whether `bytes` is a private key: 32 bytes, a number from 1 to group order - 1. Takes the same time for every number. */
export function isPrivateKey(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  let anyBit = 0;
  let borrow = 0;
  for (let i = 31; i >= 0; i--) {
    const byte = bytes[i] as number;
    anyBit |= byte;
    borrow = (byte - (GROUP_ORDER[i] as number) - borrow) >>> 31;
  }
  return anyBit !== 0 && borrow === 1;
}

/** A random private key. */
export function randomPrivateKey(random: Random): Uint8Array {
  for (;;) {
    const bytes = random.bytes(32);
    if (isPrivateKey(bytes)) return bytes;
  }
}

/** Throws `TypeError` unless `bytes` is a private key; the message does not quote it. */
export function assertPrivateKey(bytes: Uint8Array): void {
  if (!isPrivateKey(bytes)) throw new TypeError("a private key is 32 bytes between 1 and the group order");
}

/** The curve over `bigint`: readable, slow, and not constant time as `bigint` arithmetic is not. */
export const nobleCurve: EllswiftCurve = {
  generateKey(random) {
    const privateKey = randomPrivateKey(random);
    return { privateKey, ellswift: encodeEllswift(schnorr.getPublicKey(privateKey), random) };
  },
  sharedX(privateKeys, theirs) {
    for (const privateKey of privateKeys) assertPrivateKey(privateKey);
    const point = new Uint8Array(33);
    point[0] = 2;
    point.set(decodeEllswift(theirs), 1);
    return privateKeys.map((privateKey) => secp256k1.getSharedSecret(privateKey, point).slice(1));
  },
  decodeEllswift,
};
