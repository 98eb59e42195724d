/** SHA-256 against NIST's examples (FIPS 180-4) and against noble for every length around the block borders. */
import { ripemd160 } from "@noble/hashes/legacy.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hash160, sha256, sha256d, sha256dInto, sha256dPairInto } from "../../../src/bitcoin/hash.ts";
import { concat, toHex, utf8 } from "../../../src/kernel/bytes.ts";

const nobleTwice = (bytes: Uint8Array): Uint8Array => nobleSha256(nobleSha256(bytes));

describe("sha256", () => {
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ])("gives NIST's digest of %j", (text, digest) => {
    expect(toHex(sha256(utf8(text)))).toBe(digest);
  });

  test("agrees with noble for every length to 300, once and twice", () => {
    for (let length = 0; length <= 300; length++) {
      const bytes = new Uint8Array(length).map((_, i) => i * 31 + length);
      expect(toHex(sha256(bytes))).toBe(toHex(nobleSha256(bytes)));
      expect(toHex(sha256d(bytes))).toBe(toHex(nobleTwice(bytes)));
    }
  });

  test("agrees with noble on random bytes, views with an offset included", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(40), (bytes, skip) => {
        const view = bytes.subarray(Math.min(skip, bytes.length));
        expect(toHex(sha256d(view))).toBe(toHex(nobleTwice(view)));
      }),
    );
  });

  test("agrees with noble on a mebibyte", () => {
    const bytes = new Uint8Array(1 << 20).fill(0x61);
    expect(toHex(sha256(bytes))).toBe(toHex(nobleSha256(bytes)));
  });
});

describe("in place", () => {
  test("a pair hashes like its concatenation, also onto either of its halves", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (left, right) => {
          const expected = toHex(nobleTwice(concat(left, right)));
          const out = new Uint8Array(32);
          sha256dPairInto(out, left, right);
          expect(toHex(out)).toBe(expected);
          const a = Uint8Array.from(left);
          sha256dPairInto(a, a, right);
          expect(toHex(a)).toBe(expected);
          const b = Uint8Array.from(right);
          sha256dPairInto(b, left, b);
          expect(toHex(b)).toBe(expected);
        },
      ),
    );
  });

  test("writes over its own input", () => {
    const bytes = new Uint8Array(32).fill(7);
    const expected = toHex(nobleTwice(bytes));
    sha256dInto(bytes, bytes);
    expect(toHex(bytes)).toBe(expected);
  });
});

test("hash160 is RIPEMD-160 of SHA-256", () => {
  const key = utf8("not a key");
  expect(toHex(hash160(key))).toBe(toHex(ripemd160(nobleSha256(key))));
});
