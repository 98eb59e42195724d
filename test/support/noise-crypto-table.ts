/** The table that every implementation of `NoiseCrypto` has to pass: vectors of others, never a round trip alone. */
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex, utf8 } from "../../src/kernel/bytes.ts";
import { MAC_SIZE, type NoiseCrypto } from "../../src/sv2/noise/crypto.ts";
import { ecdh } from "../../src/sv2/noise/handshake.ts";
import ellswift from "../vectors/bip324-ellswift.json" with { type: "json" };
import chacha from "../vectors/noise-chacha20-poly1305.json" with { type: "json" };
import { seededRandom } from "./seeded-random.ts";

const ORDER = secp256k1.Point.Fn.ORDER;
const key = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, "0"));
const lambda = 0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n;

/**
 * A scalar at whose last step the WebAssembly comb meets two equal or opposite points, the only one of those that can meet
 * at the last two positions (all 2 million tried): the way out for them is tested with it.
 */
export const EXCEPTIONAL_SCALAR = 0xf2179ca01ecc5de3b6856c6d574c072768749261b18f7739358dfcc8c08862b0n;

/** Scalars at the edges of what splitting and recoding a scalar has to get right. */
export const EDGE_SCALARS: readonly bigint[] = [
  ...[EXCEPTIONAL_SCALAR, EXCEPTIONAL_SCALAR + 1n, ORDER - EXCEPTIONAL_SCALAR],
  ...[1n, 2n, 3n, 26n, ORDER - 1n, ORDER - 2n, ORDER >> 1n, (ORDER >> 1n) + 1n],
  ...[lambda, lambda + 1n, lambda - 1n, ORDER - lambda, (2n * lambda) % ORDER, (lambda * lambda) % ORDER],
  ...[64n, 104n, 127n, 128n, 129n, 130n, 255n].flatMap((bits) => [(1n << bits) - 1n, 1n << bits, (1n << bits) + 1n]),
];

const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return String(error);
  }
  throw new Error("nothing was thrown");
};

/** Bytes of `size` in a frame of their own, so that a write outside of them is noticed. */
function framed(size: number): { readonly into: Uint8Array; text(): Uint8Array; check(): void } {
  const into = new Uint8Array(size + 20).fill(0xa5);
  return {
    into,
    text: () => into.slice(7, 7 + size),
    check: () => {
      expect(toHex(into.subarray(0, 7))).toBe("a5".repeat(7));
      expect(toHex(into.subarray(7 + size))).toBe("a5".repeat(13));
    },
  };
}

/** Encrypts with `crypto`; the result is a new array. */
export function seal(
  crypto: NoiseCrypto,
  k: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  const out = framed(text.length + MAC_SIZE);
  crypto.encrypt(k, nonce, ad, text, out.into, 7);
  out.check();
  return out.text();
}

/** Decrypts with `crypto`; `undefined` if the MAC is wrong, and then nothing was written. */
export function open(
  crypto: NoiseCrypto,
  k: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const out = framed(sealed.length - MAC_SIZE);
  const right = crypto.decrypt(k, nonce, ad, sealed, out.into, 7);
  out.check();
  if (right) return out.text();
  expect(out.into.every((byte) => byte === 0xa5)).toBe(true);
  return undefined;
}

/** Declares the tests of one implementation. */
export function describeNoiseCrypto(name: string, crypto: NoiseCrypto): void {
  describe(name, () => {
    test("SHA-256: FIPS 180-4's examples, in one part and in several", () => {
      const expected = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
      const [first, second] = [utf8("abcdbcdecdefdefgefghfghighijhi"), utf8("jkijkljklmklmnlmnomnopnopq")];
      expect(toHex(crypto.sha256(concat(first, second)))).toBe(expected);
      expect(toHex(crypto.sha256(first, new Uint8Array(0), second))).toBe(expected);
      expect(toHex(crypto.sha256())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    });

    test("HMAC-SHA256: RFC 4231, cases 1 to 3", () => {
      const cases = [
        ["0b".repeat(20), toHex(utf8("Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
        [
          toHex(utf8("Jefe")),
          toHex(utf8("what do ya want for nothing?")),
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ],
        ["aa".repeat(20), "dd".repeat(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
      ] as const;
      for (const [k, data, expected] of cases) {
        const bytes = fromHex(data);
        expect(toHex(crypto.hmacSha256(fromHex(k), bytes))).toBe(expected);
        expect(toHex(crypto.hmacSha256(fromHex(k), bytes.subarray(0, 3), bytes.subarray(3)))).toBe(expected);
      }
    });

    test.each(chacha.aead)("ChaCha20-Poly1305: $name", (vector) => {
      const [k, nonce, ad] = [fromHex(vector.key), fromHex(vector.nonce), fromHex(vector.ad)];
      const sealed = fromHex(vector.ciphertext);
      expect(toHex(seal(crypto, k, nonce, ad, fromHex(vector.plaintext)))).toBe(vector.ciphertext);
      expect(toHex(open(crypto, k, nonce, ad, sealed) as Uint8Array)).toBe(vector.plaintext);
      for (const at of [0, sealed.length >> 1, sealed.length - 1]) {
        const tampered = sealed.slice();
        tampered[at] = (tampered[at] as number) ^ 1;
        expect(open(crypto, k, nonce, ad, tampered)).toBeUndefined();
      }
      expect(open(crypto, k, nonce, concat(ad, Uint8Array.of(0)), sealed)).toBeUndefined();
      expect(open(crypto, k, fromHex("000000000000000000000001"), ad, sealed)).toBeUndefined();
    });

    test.each(ellswift.decode)("BIP324 decodes $ellswift", (vector) => {
      expect(toHex(crypto.decodeEllswift(fromHex(vector.ellswift)))).toBe(vector.x);
    });

    test.each(ellswift.xdh)("BIP324 ECDH of $privateKey", (vector) => {
      const [ours, theirs] = [fromHex(vector.ours), fromHex(vector.theirs)];
      const [x] = crypto.sharedX([fromHex(vector.privateKey)], theirs) as [Uint8Array];
      const [initiator, responder] = vector.initiating ? [ours, theirs] : [theirs, ours];
      expect(toHex(ecdh(crypto, x, initiator, responder))).toBe(vector.secret);
    });

    test("a generated key's encoding stands for the private key's point, as noble's BIP340 computes it", () => {
      const random = seededRandom(1);
      for (let i = 0; i < 20; i++) {
        const { privateKey, ellswift: encoded } = crypto.generateKey(random);
        expect(toHex(crypto.decodeEllswift(encoded))).toBe(toHex(schnorr.getPublicKey(privateKey)));
      }
    });

    test("two generated keys differ, and all bytes of an encoding vary", () => {
      const random = seededRandom(2);
      const keys = Array.from({ length: 24 }, () => crypto.generateKey(random));
      expect(new Set(keys.map(({ privateKey }) => toHex(privateKey))).size).toBe(24);
      for (let i = 0; i < 64; i++) expect(new Set(keys.map((k) => k.ellswift[i])).size).toBeGreaterThan(12);
    });

    test("Diffie-Hellman agrees with noble's for scalars at the edges, one or several in a call", () => {
      const { ellswift: theirs } = crypto.generateKey(seededRandom(3));
      const point = concat(Uint8Array.of(2), crypto.decodeEllswift(theirs));
      const expected = (scalar: bigint): string => toHex(secp256k1.getSharedSecret(key(scalar), point).slice(1));
      for (let i = 0; i < EDGE_SCALARS.length; i += 2) {
        const scalars = EDGE_SCALARS.slice(i, i + 2);
        expect(crypto.sharedX(scalars.map(key), theirs).map(toHex)).toEqual(scalars.map(expected));
      }
      expect(crypto.sharedX([], theirs)).toEqual([]);
    });

    test("refuses what is no private key and no encoding, without quoting it", () => {
      const { privateKey, ellswift: theirs } = crypto.generateKey(seededRandom(4));
      for (const bad of [new Uint8Array(32), key(ORDER), key((1n << 256n) - 1n), privateKey.slice(1)]) {
        expect(() => crypto.sharedX([privateKey, bad], theirs)).toThrow(TypeError);
        expect(messageOf(() => crypto.sharedX([bad], theirs))).not.toContain(toHex(bad.subarray(0, 8)));
      }
      expect(() => crypto.decodeEllswift(theirs.subarray(1))).toThrow(TypeError);
      expect(() => crypto.sharedX([privateKey], theirs.subarray(1))).toThrow(TypeError);
    });
  });
}
