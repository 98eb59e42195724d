/**
 * SIGNATURE_NOISE_MESSAGE, the certificate with which a pool's authority vouches for a server's static key (SV2
 * specification 4.5.2 and 4.5.3): version U16, valid_from U32, not_valid_after U32, then a BIP340 signature over the SHA-256 of these
 * 10 bytes and the static key's 32-byte x coordinate.
 */
import { schnorr } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Random } from "../../kernel/random.ts";
import { Reader } from "../../kernel/reader.ts";
import { Writer } from "../../kernel/writer.ts";

/** Bytes of a certificate. */
export const CERTIFICATE_SIZE = 74;
/** The only version there is. */
export const CERTIFICATE_VERSION = 0;
/** Seconds that a verifier's clock may be wrong, as in SRI (stratum issue 2015). */
export const CLOCK_LEEWAY_SEC = 10;

/** A certificate in plain values. */
export interface Certificate {
  /** 0. */
  readonly version: number;
  /** Seconds since the Unix epoch, U32. */
  readonly validFrom: number;
  /** Seconds since the Unix epoch, U32. */
  readonly notValidAfter: number;
  /** BIP340 signature: 64 bytes. */
  readonly signature: Uint8Array;
}

/** When a certificate is to be valid. */
export type Validity = Pick<Certificate, "validFrom" | "notValidAfter">;

/** The signed hash: SHA-256 of 42 bytes. */
function signedHash(certificate: Omit<Certificate, "signature">, staticKey: Uint8Array): Uint8Array {
  const { version, validFrom, notValidAfter } = certificate;
  return sha256(new Writer(42).u16(version).u32(validFrom).u32(notValidAfter).bytes(staticKey).finish());
}

/**
 * The 74 bytes that vouch for `staticKey` (32-byte x coordinate), signed with the authority's secret key (32 bytes).
 * Noble's BIP340 is over `bigint` and not constant time; it runs once in weeks, at a time that no peer chooses.
 */
export function signCertificate(
  validity: Validity,
  staticKey: Uint8Array,
  authoritySecretKey: Uint8Array,
  random: Random,
): Uint8Array {
  const body = { version: CERTIFICATE_VERSION, ...validity };
  const signature = schnorr.sign(signedHash(body, staticKey), authoritySecretKey, random.bytes(32));
  const { version, validFrom, notValidAfter } = body;
  return concat(new Writer(10).u16(version).u32(validFrom).u32(notValidAfter).finish(), signature);
}

/** Reads 74 bytes. Throws `Fault` when there are fewer or more. */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  const reader = new Reader(bytes);
  const certificate = {
    version: reader.u16(),
    validFrom: reader.u32(),
    notValidAfter: reader.u32(),
    signature: reader.bytes(64),
  };
  reader.end();
  return certificate;
}

/**
 * Checks that the authority (x-only key, 32 bytes) vouches for `staticKey` (32-byte x coordinate) at `nowMs` since the Unix
 * epoch. Throws `Fault`: `certificate-version`, `certificate-not-yet-valid`, `certificate-expired` or
 * `certificate-signature`.
 */
export function verifyCertificate(
  certificate: Certificate,
  staticKey: Uint8Array,
  authorityPublicKey: Uint8Array,
  nowMs: number,
): void {
  const { version, validFrom, notValidAfter, signature } = certificate;
  if (version !== CERTIFICATE_VERSION) throw new Fault("certificate-version", { version });
  const now = Math.floor(nowMs / 1000);
  if (now + CLOCK_LEEWAY_SEC < validFrom) throw new Fault("certificate-not-yet-valid", { now, validFrom });
  if (now - CLOCK_LEEWAY_SEC > notValidAfter) throw new Fault("certificate-expired", { now, notValidAfter });
  if (!schnorr.verify(signature, signedHash(certificate, staticKey), authorityPublicKey)) {
    throw new Fault("certificate-signature");
  }
}
