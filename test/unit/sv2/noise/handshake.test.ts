import { schnorr } from "@noble/curves/secp256k1.js";
import { describe, expect, test } from "vitest";
import { concat, equal, toHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { type NoiseCrypto, nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import type { EllswiftKey } from "../../../../src/sv2/noise/curve.ts";
import { ACT_1_SIZE, ACT_2_SIZE, NoiseInitiator, NoiseResponder } from "../../../../src/sv2/noise/handshake.ts";
import { StaticIdentity } from "../../../../src/sv2/noise/static-identity.ts";
import { PROTOCOL_NAME, SymmetricState } from "../../../../src/sv2/noise/symmetric.ts";
import { WasmCurve } from "../../../../src/sv2/noise/wasm/secp256k1.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const crypto = nobleCrypto();
const random = seededRandom(51);
const authoritySecretKey = random.bytes(32);
const authorityPublicKey = schnorr.getPublicKey(authoritySecretKey);
const clock = new FakeClock();
const identity = new StaticIdentity({ crypto, clock, random }, { authoritySecretKey, certValiditySec: 3600 });
const responder = (by = crypto): NoiseResponder =>
  new NoiseResponder({ crypto: by, identity, ephemeral: () => by.generateKey(random) });
const initiator = (key?: Uint8Array, at = clock, by = crypto): NoiseInitiator =>
  new NoiseInitiator({ crypto: by, clock: at, random }, { authorityPublicKey: key });

const curve = new WasmCurve();
/** For tests of many handshakes. */
const quick: NoiseCrypto = {
  ...crypto,
  generateKey: (from) => curve.generateKey(from),
  sharedX: (keys, theirs) => curve.sharedX(keys, theirs),
};

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof Fault ? `${error.act} ${error.code}` : String(error);
  }
  return "nothing was thrown";
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

describe("the handshake", () => {
  test("starts from the chaining key that SRI prints for the protocol's name", () => {
    expect(PROTOCOL_NAME).toBe("Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256");
    // HKDF of the initial ck: HMAC(HMAC(ck, ""), 1), with ck from SRI's noise-sv2/src/lib.rs:91.
    const keys: Uint8Array[] = [];
    const recording: NoiseCrypto = {
      ...crypto,
      hmacSha256: (key, ...parts) => {
        keys.push(key.slice());
        return crypto.hmacSha256(key, ...parts);
      },
    };
    new SymmetricState({ crypto: recording }).split();
    expect(toHex(keys[0] as Uint8Array)).toBe("2eb47881208e9eee1f669f67c66ee70ea9ea88090d503fe830dc4bc83e29bf10");
  });

  test("takes acts of 64 and 234 bytes and agrees on two keys", () => {
    const [client, server] = [initiator(authorityPublicKey), responder()];
    expect([server.expects, client.expects]).toEqual([64, 0]);
    expect(server.start()).toBeUndefined();
    expect(server.result()).toBeUndefined();
    const act1 = client.start();
    expect([act1.length, client.expects]).toEqual([ACT_1_SIZE, ACT_2_SIZE]);
    const act2 = server.read(act1);
    expect([act2.length, server.expects]).toEqual([234, 0]);
    expect(client.read(act2)).toBeUndefined();
    expect(client.expects).toBe(0);

    const frame = Uint8Array.from({ length: 30 }, (_, i) => i);
    const [c, s] = [client.result(), server.result()];
    const up = c?.encrypt.encryptFrame(frame) as Uint8Array;
    const down = s?.encrypt.encryptFrame(frame) as Uint8Array;
    expect(equal(up, down)).toBe(false);
    expect(toHex(s?.decrypt.decryptHeader(up.subarray(0, 22)) as Uint8Array)).toBe("000102030405");
    expect(toHex(c?.decrypt.decryptHeader(down.subarray(0, 22)) as Uint8Array)).toBe("000102030405");
  });

  test("every connection has other keys and other acts", () => {
    const act1 = initiator().start();
    const [a, b] = [responder(), responder()];
    expect(equal(a.read(act1), b.read(act1))).toBe(false);
    const frame = new Uint8Array(6);
    expect(a.result()?.encrypt.encryptFrame(frame)).not.toEqual(b.result()?.encrypt.encryptFrame(frame));
  });

  test.each([0, 1, 63, 65, 234])("the responder refuses an act of %i bytes", (size) => {
    expect(codeOf(() => responder().read(new Uint8Array(size)))).toBe("drop noise-act-size");
  });

  test.each([0, 64, 170, 233, 235])("the initiator refuses an act of %i bytes", (size) => {
    const client = initiator();
    client.start();
    expect(codeOf(() => client.read(new Uint8Array(size)))).toBe("drop noise-act-size");
  });

  test("a changed bit in any byte of act 2 is noticed, with and without an authority key", () => {
    for (let at = 0; at < ACT_2_SIZE; at++) {
      const client = initiator(at % 2 === 0 ? authorityPublicKey : undefined, clock, quick);
      const act2 = responder(quick).read(client.start());
      expect(codeOf(() => client.read(flipped(act2, at)))).toBe("drop noise-mac");
      expect(client.result()).toBeUndefined();
    }
  });

  test("a changed bit in any byte of act 1 is noticed by the initiator", () => {
    for (let at = 0; at < ACT_1_SIZE; at++) {
      const client = initiator(undefined, clock, quick);
      const act2 = responder(quick).read(flipped(client.start(), at));
      expect(codeOf(() => client.read(act2))).toBe("drop noise-mac");
    }
  });

  test("any 64 bytes are an act 1, and its sender is none the wiser", () => {
    for (const act of [new Uint8Array(64), new Uint8Array(64).fill(0xff), random.bytes(64)]) {
      const server = responder();
      expect(server.read(act)).toHaveLength(234);
      expect(codeOf(() => server.result()?.decrypt.decryptHeader(random.bytes(22)))).toBe("drop noise-mac");
    }
  });

  test("a server of another authority is refused, and taken by a client that knows none", () => {
    const stranger = schnorr.getPublicKey(random.bytes(32));
    const client = initiator(stranger);
    expect(codeOf(() => client.read(responder().read(client.start())))).toBe("drop certificate-signature");
    expect(client.result()).toBeUndefined();
    const trusting = initiator();
    trusting.read(responder().read(trusting.start()));
    expect(trusting.result()).toBeDefined();
  });

  test("a certificate that is over or has not begun is refused, but by a client that knows no authority", () => {
    for (const [sec, code] of [
      [3600 + 11, "drop certificate-expired"],
      [-3600 - 11, "drop certificate-not-yet-valid"],
    ] as const) {
      const off = new FakeClock(clock.nowMs() + 1000 * sec);
      const client = initiator(authorityPublicKey, off);
      expect(codeOf(() => client.read(responder().read(client.start())))).toBe(code);
      const trusting = initiator(undefined, off);
      trusting.read(responder().read(trusting.start()));
      expect(trusting.certificate?.version).toBe(0);
    }
  });

  test("both Diffie-Hellman steps count: a server without its static key cannot finish", () => {
    const { s, certificate, notValidAfter } = identity.current();
    const impostor = new NoiseResponder({
      crypto,
      identity: { current: () => ({ s: { ...s, privateKey: random.bytes(32) }, certificate, notValidAfter }) },
      ephemeral: () => crypto.generateKey(random),
    });
    const client = initiator(authorityPublicKey);
    expect(codeOf(() => client.read(impostor.read(client.start())))).toBe("drop noise-mac");
  });

  test("private keys and shared secrets are overwritten when they have served", () => {
    const handed: EllswiftKey[] = [];
    const shared: Uint8Array[] = [];
    const watching: NoiseCrypto = {
      ...crypto,
      generateKey: (from) => {
        const key = crypto.generateKey(from);
        handed.push(key);
        return key;
      },
      sharedX: (keys, theirs) => {
        const secrets = crypto.sharedX(keys, theirs);
        shared.push(...secrets);
        return secrets;
      },
    };
    const server = new NoiseResponder({ crypto: watching, identity, ephemeral: () => watching.generateKey(random) });
    const client = new NoiseInitiator({ crypto: watching, clock, random });
    client.read(server.read(client.start()));
    expect([handed.length, shared.length]).toEqual([2, 4]);
    const zeros = "00".repeat(32);
    expect([...handed.map(({ privateKey }) => privateKey), ...shared].map(toHex)).toEqual(Array(6).fill(zeros));
    expect(toHex(identity.current().s.privateKey)).not.toBe(zeros);
  });

  test("acts out of turn are mistakes of the caller", () => {
    const client = initiator();
    expect(() => client.read(new Uint8Array(234))).toThrow(TypeError);
    const act1 = client.start();
    expect(() => client.start()).toThrow(TypeError);
    const server = responder();
    client.read(server.read(act1));
    expect(() => server.read(act1)).toThrow(TypeError);
    expect(() => client.read(new Uint8Array(234))).toThrow(TypeError);
    expect(() => client.start()).toThrow(TypeError);
  });

  test("a handshake that failed is over: it neither reads nor starts again", () => {
    const client = initiator();
    const act2 = responder().read(client.start());
    expect(codeOf(() => client.read(flipped(act2, 100)))).toBe("drop noise-mac");
    expect(client.expects).toBe(0);
    expect(() => client.read(act2)).toThrow(TypeError);
    expect(() => client.start()).toThrow(TypeError);
    expect(client.result()).toBeUndefined();
  });

  test("no fault carries key material", () => {
    const client = initiator(authorityPublicKey);
    const act2 = responder().read(client.start());
    try {
      client.read(flipped(act2, 70));
    } catch (error) {
      const text = JSON.stringify({ ...(error as Fault).data, message: String(error) });
      expect(text).not.toMatch(/[0-9a-f]{16}/);
      expect(text).not.toContain(String(concat(act2.subarray(0, 4))));
    }
  });
});
