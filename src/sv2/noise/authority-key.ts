/**
 * The authority's keys as text (SV2 specification 4.7): the public key as base58check of `01 00` and its 32-byte x
 * coordinate, the secret key as SRI writes it, base58check of the raw 32 bytes, and the URL that carries the public key.
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

/** Where a server listens and, if known, which authority vouches for it. */
export interface Sv2Url {
  /** Host name or IP address, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** x-only key (32 bytes); without it the server's certificate cannot be checked. */
  readonly authorityPublicKey?: Uint8Array;
}

const URL_FORM = "stratum2+tcp://host:port/authority-key";

/** `stratum2+tcp://host:port/key`, the key left out when there is none. */
export function printSv2Url({ host, port, authorityPublicKey: key }: Sv2Url): string {
  const path = key === undefined ? "" : `/${encodeAuthorityPublicKey(key)}`;
  return `stratum2+tcp://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
}

/** Reads such a URL; `tcp://` is taken for `stratum2+tcp://`. Throws `Fault("sv2-url-invalid")`, or `authority-key-invalid` when only the key is wrong. */
export function parseSv2Url(text: string): Sv2Url {
  const match = /^(?:stratum2\+)?tcp:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^\s/:[\]@?#]+)):(\d{1,5})(?:\/([^/?#]*))?$/.exec(
    text,
  );
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port >= 1 && port <= 65535)) {
    throw new Fault("sv2-url-invalid", { expected: URL_FORM, found: text.slice(0, 200) });
  }
  const key = match?.[4];
  return key === undefined || key === ""
    ? { host, port }
    : { host, port, authorityPublicKey: decodeAuthorityPublicKey(key) };
}
