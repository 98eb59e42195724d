import { chacha20 } from "@noble/ciphers/chacha.js";
import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../../../../../src/kernel/bytes.ts";
import { MAX_AEAD_BYTES, WasmAead } from "../../../../../src/sv2/noise/wasm/aead.ts";
import { instantiateChaCha, KEYSTREAM } from "../../../../../src/sv2/noise/wasm/chacha.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";
import vectors from "../../../../vectors/noise-chacha20-poly1305.json" with { type: "json" };

const { exports, memory } = instantiateChaCha(1);
const bytes = new Uint8Array(memory);

describe("Poly1305 in WebAssembly", () => {
  test.each(vectors.poly1305)("$message", ({ message, key, tag }) => {
    const data = fromHex(message);
    bytes.set(fromHex(key), 64);
    bytes.set(data, 1024);
    exports.poly1305(0, 64, 1024, data.length / 16);
    expect(toHex(bytes.subarray(0, 16))).toBe(tag);
  });
});

describe("ChaCha20 in WebAssembly", () => {
  test("RFC 8439 2.3.2: a block", () => {
    const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    bytes.set(fromHex(`${key}000000090000004a00000000`), 0);
    exports.keystream(1024, 0, 1);
    expect(toHex(bytes.subarray(1024, 1088))).toBe(
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    );
  });

  test("four blocks a call are four blocks of noble's stream, up to the last counters", () => {
    const random = seededRandom(21);
    for (const counter of [0, 1, 4, 1000, 0x7ffffffe, 0xfffffff0]) {
      const [key, nonce] = [random.bytes(32), random.bytes(12)];
      bytes.set(concat(key, nonce), 0);
      exports.keystream(1024, 0, counter);
      const expected = chacha20(key, nonce, new Uint8Array(KEYSTREAM), undefined, counter);
      expect(toHex(bytes.subarray(1024, 1024 + KEYSTREAM))).toBe(toHex(expected));
    }
  });
});

describe("the AEAD in WebAssembly", () => {
  test("refuses more than its memory holds", () => {
    const aead = new WasmAead();
    const [key, nonce, none] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(0)];
    const out = new Uint8Array(MAX_AEAD_BYTES + 17);
    expect(() => aead.encrypt(key, nonce, none, new Uint8Array(MAX_AEAD_BYTES + 1), out, 0)).toThrow(TypeError);
    expect(() => aead.encrypt(key, nonce, Uint8Array.of(1), new Uint8Array(MAX_AEAD_BYTES), out, 0)).toThrow(TypeError);
    aead.encrypt(key, nonce, none, new Uint8Array(MAX_AEAD_BYTES), out, 0);
    expect(
      aead.decrypt(key, nonce, none, out.subarray(0, MAX_AEAD_BYTES + 16), new Uint8Array(MAX_AEAD_BYTES), 0),
    ).toBe(true);
  });
});
