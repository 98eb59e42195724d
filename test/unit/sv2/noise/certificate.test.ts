import { schnorr } from "@noble/curves/secp256k1.js";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import {
  CERTIFICATE_SIZE,
  CLOCK_LEEWAY_SEC,
  decodeCertificate,
  signCertificate,
  verifyCertificate,
} from "../../../../src/sv2/noise/certificate.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import bip340 from "../../../vectors/bip340-schnorr.json" with { type: "json" };

describe("BIP340, as certificates use it", () => {
  test.each(bip340.vectors)("vector $index $comment", (vector) => {
    const [signature, message, publicKey] = [vector.signature, vector.message, vector.publicKey].map(fromHex) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    expect(schnorr.verify(signature, message, publicKey)).toBe(vector.valid);
    if (vector.secretKey === null || vector.auxRand === null) return;
    expect(toHex(schnorr.sign(message, fromHex(vector.secretKey), fromHex(vector.auxRand)))).toBe(vector.signature);
  });
});

describe("a certificate", () => {
  const random = seededRandom(31);
  const [authority, stranger, s] = [random.bytes(32), random.bytes(32), random.bytes(32)];
  const authorityKey = schnorr.getPublicKey(authority);
  const staticKey = schnorr.getPublicKey(s);
  const [validFrom, notValidAfter] = [1_795_000_000, 1_795_003_600];
  const bytes = signCertificate({ validFrom, notValidAfter }, staticKey, authority, random);
  const verify = (now: number, key = authorityKey, of = bytes, peer = staticKey): string => {
    try {
      verifyCertificate(decodeCertificate(of), peer, key, now * 1000);
      return "valid";
    } catch (error) {
      return error instanceof Fault ? `${error.act} ${error.code}` : String(error);
    }
  };
  const changed = (at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

  test("has 74 bytes: version, validity, signature", () => {
    expect(bytes).toHaveLength(CERTIFICATE_SIZE);
    expect(toHex(bytes.subarray(0, 10))).toBe("0000c086fd6ad094fd6a");
    expect(decodeCertificate(bytes)).toMatchObject({ version: 0, validFrom, notValidAfter });
    expect(() => decodeCertificate(bytes.subarray(1))).toThrow(Fault);
  });

  test("is valid from its first to its last second, and 10 s of clock error around them", () => {
    expect(verify(validFrom)).toBe("valid");
    expect(verify(notValidAfter)).toBe("valid");
    expect(verify(validFrom - CLOCK_LEEWAY_SEC)).toBe("valid");
    expect(verify(notValidAfter + CLOCK_LEEWAY_SEC)).toBe("valid");
    expect(verify(validFrom - CLOCK_LEEWAY_SEC - 1)).toBe("drop certificate-not-yet-valid");
    expect(verify(notValidAfter + CLOCK_LEEWAY_SEC + 1)).toBe("drop certificate-expired");
  });

  test("that ends with the epoch of U32 does not wrap", () => {
    const last = signCertificate({ validFrom: 0, notValidAfter: 0xffffffff }, staticKey, authority, random);
    expect(verify(0, authorityKey, last)).toBe("valid");
    expect(verify(0xffffffff, authorityKey, last)).toBe("valid");
  });

  test("of another authority, for another key or with any bit changed is refused", () => {
    const now = validFrom + 60;
    expect(verify(now, schnorr.getPublicKey(stranger))).toBe("drop certificate-signature");
    expect(verify(now, authorityKey, bytes, schnorr.getPublicKey(stranger))).toBe("drop certificate-signature");
    expect(verify(now, authorityKey, changed(0))).toBe("drop certificate-version");
    expect(verify(now, authorityKey, changed(2))).toBe("drop certificate-signature");
    expect(verify(now, authorityKey, changed(6))).toBe("drop certificate-signature");
    for (let at = 10; at < CERTIFICATE_SIZE; at += 9) {
      expect(verify(now, authorityKey, changed(at))).toBe("drop certificate-signature");
    }
  });

  test("with an authority key that is no point is refused, not a crash", () => {
    expect(verify(validFrom, new Uint8Array(32).fill(0xff))).toBe("drop certificate-signature");
  });
});
