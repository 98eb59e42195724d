/**
 * The authority's keys as text (SV2 specification 4.7): the public key as base58check of `01 00` and its 32-byte x
 * coordinate, the secret key as SRI writes it, base58check of the raw 32 bytes.
 */
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { createBase58check } from "@scure/base";
import { concat } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Random } from "../../kernel/random.ts";
import { isPrivateKey, randomPrivateKey } from "./curve.ts";

const base58check = createBase58check(sha256);

/** U16 1, little-endian: the key's version. */
const VERSION = Uint8Array.of(1, 0);

/** Longest text that is looked at; 38 bytes and a checksum are 58 characters at most. */
const MAX_TEXT = 100;

function decode(text: string, expected: string): Uint8Array {
  if (text.length > MAX_TEXT) throw new Fault("authority-key-invalid", { expected, characters: text.length });
  try {
    return base58check.decode(text);
  } catch {
    // The cause would quote the text, which may be a secret key.
    throw new Fault("authority-key-invalid", { expected, found: "no base58 text with a right checksum" });
  }
}

/** The text of an x-only public key (32 bytes). */
export function encodeAuthorityPublicKey(key: Uint8Array): string {
  return base58check.encode(concat(VERSION, key));
}

/**
 * The x-only key (32 bytes) in `text`. Throws `Fault("authority-key-invalid")`, also for the checksum-less form of 2024's
 * template providers and for a number that is no point of the curve.
 */
export function decodeAuthorityPublicKey(text: string): Uint8Array {
  const expected = "a public key, base58check of 01 00 and 32 bytes";
  const bytes = decode(text, expected);
  if (bytes.length !== 34 || bytes[0] !== VERSION[0] || bytes[1] !== VERSION[1]) {
    throw new Fault("authority-key-invalid", { expected, found: `${bytes.length} bytes of another kind` });
  }
  const key = bytes.slice(2);
  if (!secp256k1.utils.isValidPublicKey(concat(Uint8Array.of(2), key), true)) {
    throw new Fault("authority-key-invalid", { expected, found: "a number that is no point of secp256k1" });
  }
  return key;
}

/** The text of a secret key (32 bytes), as SRI's tools write and read it. Secret. */
export function encodeAuthoritySecretKey(key: Uint8Array): string {
  return base58check.encode(key);
}

/** The secret key (32 bytes) in `text`. Throws `Fault("authority-key-invalid")`, which does not quote the text. */
export function decodeAuthoritySecretKey(text: string): Uint8Array {
  const expected = "a secret key, base58check of 32 bytes";
  const key = decode(text, expected);
  if (!isPrivateKey(key)) {
    throw new Fault("authority-key-invalid", { expected, found: `${key.length} bytes that are no secret key` });
  }
  return key;
}

/** A random secret key (32 bytes). */
export function generateAuthoritySecretKey(random: Random): Uint8Array {
  return randomPrivateKey(random);
}

/** The x-only public key (32 bytes) of a secret key. */
export function authorityPublicKey(secretKey: Uint8Array): Uint8Array {
  return schnorr.getPublicKey(secretKey);
}
