import { schnorr } from "@noble/curves/secp256k1.js";
import { describe, expect, test } from "vitest";
import { equal, toHex } from "../../../../src/kernel/bytes.ts";
import { decodeCertificate, verifyCertificate } from "../../../../src/sv2/noise/certificate.ts";
import { nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import {
  BACKDATED_SEC,
  CERTIFICATE_VALIDITY_SEC,
  RENEW_BEFORE_SEC,
  StaticIdentity,
} from "../../../../src/sv2/noise/static-identity.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const crypto = nobleCrypto();
const authoritySecretKey = seededRandom(71).bytes(32);
const authority = schnorr.getPublicKey(authoritySecretKey);

function setUp(options: { certValiditySec?: number; renewBeforeSec?: number } = {}) {
  const clock = new FakeClock();
  const identity = new StaticIdentity({ crypto, clock, random: seededRandom(72) }, { authoritySecretKey, ...options });
  return { clock, identity, now: () => Math.floor(clock.nowMs() / 1000) };
}

describe("the server's identity", () => {
  test("has a certificate of the authority, an hour old and valid for a month", () => {
    const { clock, identity, now } = setUp();
    const { s, certificate, notValidAfter } = identity.current();
    const decoded = decodeCertificate(certificate);
    expect(decoded).toMatchObject({ version: 0, validFrom: now() - 3600, notValidAfter: now() + 30 * 86_400 });
    expect(notValidAfter).toBe(decoded.notValidAfter);
    expect(() => verifyCertificate(decoded, crypto.decodeEllswift(s.ellswift), authority, clock.nowMs())).not.toThrow();
    expect(toHex(crypto.decodeEllswift(s.ellswift))).toBe(toHex(schnorr.getPublicKey(s.privateKey)));
    expect([BACKDATED_SEC, CERTIFICATE_VALIDITY_SEC, RENEW_BEFORE_SEC]).toEqual([3600, 2_592_000, 604_800]);
  });

  test("is kept until a week before its end, then it is another", () => {
    const { clock, identity } = setUp();
    const first = identity.current();
    clock.advance((30 - 7) * 86_400_000 - 1000);
    expect(identity.current()).toBe(first);
    clock.advance(1000);
    const second = identity.current();
    expect(equal(second.s.ellswift, first.s.ellswift)).toBe(false);
    expect(second.notValidAfter).toBe(first.notValidAfter + 23 * 86_400);
    expect(identity.current()).toBe(second);
    // Handshakes that began with the first may still need it.
    expect(first.s.privateKey.some((byte) => byte !== 0)).toBe(true);
  });

  test("short validities are renewed at half their time unless told otherwise", () => {
    for (const [options, kept] of [
      [{ certValiditySec: 3600 }, 1800],
      [{ certValiditySec: 3600, renewBeforeSec: 60 }, 3540],
      [{ certValiditySec: 3600, renewBeforeSec: 0 }, 3600],
    ] as const) {
      const { clock, identity } = setUp(options);
      const first = identity.current();
      clock.advance(kept * 1000 - 1000);
      expect(identity.current()).toBe(first);
      clock.advance(1000);
      expect(identity.current()).not.toBe(first);
    }
  });

  test("is made anew when the clock was set to before its beginning", () => {
    const { clock, identity, now } = setUp();
    const first = identity.current();
    clock.jumpTo(clock.nowMs() - 3_600_000);
    expect(identity.current()).toBe(first);
    clock.jumpTo(clock.nowMs() - 1000);
    const second = identity.current();
    expect(second).not.toBe(first);
    expect(decodeCertificate(second.certificate).validFrom).toBe(now() - 3600);
  });

  test("stays within U32 at both ends of time", () => {
    const { clock, identity } = setUp();
    clock.jumpTo(5000);
    expect(decodeCertificate(identity.current().certificate).validFrom).toBe(0);
    clock.jumpTo(0xffffffff * 1000 - 1000);
    expect(identity.current().notValidAfter).toBe(0xffffffff);
  });

  test("refuses settings that make no sense", () => {
    expect(() => setUp({ certValiditySec: 60, renewBeforeSec: 60 })).toThrow(TypeError);
    expect(() => setUp({ certValiditySec: Number.NaN })).toThrow(TypeError);
    expect(() => setUp({ renewBeforeSec: -1 })).toThrow(TypeError);
    const deps = { crypto, clock: new FakeClock(), random: seededRandom(1) };
    expect(() => new StaticIdentity(deps, { authoritySecretKey: new Uint8Array(32) })).toThrow(TypeError);
  });
});
