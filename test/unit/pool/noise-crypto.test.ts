import { schnorr } from "@noble/curves/secp256k1.js";
import { describe, expect, test, vi } from "vitest";
import { toHex } from "../../../src/kernel/bytes.ts";
import { nodeCrypto, opensslAead, opensslHash, wasmCrypto } from "../../../src/pool/noise-crypto.ts";
import { type NoiseCrypto, nobleCrypto } from "../../../src/sv2/noise/crypto.ts";
import { describeNoiseCrypto, open, seal } from "../../support/noise-crypto-table.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const noble = nobleCrypto();
/** What `nodeCrypto` falls back to where WebAssembly is switched off. */
const openssl: NoiseCrypto = { ...noble, ...opensslHash, ...opensslAead };

describeNoiseCrypto("node: WebAssembly and OpenSSL", wasmCrypto());
describeNoiseCrypto("node: OpenSSL and noble", openssl);

describe("implementations against each other on random input", () => {
  const wasm = wasmCrypto();

  test("the one that runs is the one with WebAssembly, and without WebAssembly the other, which is logged", () => {
    const log = recordingLog();
    const [a, b] = [seededRandom(5), seededRandom(5)];
    // For the same randomness WebAssembly and noble find the same key and the same encoding.
    expect(nodeCrypto({ log }).generateKey(a)).toEqual(noble.generateKey(b));
    expect(log.lines).toEqual([]);
    vi.stubGlobal("WebAssembly", undefined);
    try {
      const crypto = nodeCrypto({ log });
      expect(log.lines.map(({ level }) => level)).toEqual(["warn"]);
      expect(crypto.generateKey(a)).toEqual(noble.generateKey(b));
      expect(toHex(crypto.sha256())).toBe(toHex(noble.sha256()));
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test.each([
    ["WebAssembly", wasm],
    ["OpenSSL", openssl],
  ] as const)("%s encrypts and hashes as noble does, sizes around every edge", (_, crypto) => {
    const random = seededRandom(6);
    const sizes = [
      0, 1, 15, 16, 17, 63, 64, 65, 191, 192, 193, 255, 256, 257, 447, 448, 449, 1023, 2047, 2048, 2049, 5000,
    ];
    for (const size of sizes) {
      for (const adSize of [0, 1, 16, 32, 33]) {
        const [k, nonce, ad, text] = [random.bytes(32), random.bytes(12), random.bytes(adSize), random.bytes(size)];
        const sealed = seal(noble, k, nonce, ad, text);
        expect(toHex(seal(crypto, k, nonce, ad, text))).toBe(toHex(sealed));
        expect(toHex(open(crypto, k, nonce, ad, sealed) as Uint8Array)).toBe(toHex(text));
        sealed[size] = (sealed[size] as number) ^ 0x80;
        expect(open(crypto, k, nonce, ad, sealed)).toBeUndefined();
      }
      const [k, text] = [random.bytes(32), random.bytes(size)];
      expect(toHex(crypto.sha256(text))).toBe(toHex(noble.sha256(text)));
      expect(toHex(crypto.hmacSha256(k, text))).toBe(toHex(noble.hmacSha256(k, text)));
    }
  });

  test("WebAssembly's keys are noble's: encodings decode to the same, secrets are the same", () => {
    const random = seededRandom(7);
    for (let i = 0; i < 60; i++) {
      const [a, b] = [wasm.generateKey(random), noble.generateKey(random)];
      expect(toHex(noble.decodeEllswift(a.ellswift))).toBe(toHex(schnorr.getPublicKey(a.privateKey)));
      expect(toHex(wasm.decodeEllswift(b.ellswift))).toBe(toHex(schnorr.getPublicKey(b.privateKey)));
      const theirs = i % 2 === 0 ? b.ellswift : random.bytes(64);
      const keys = [a.privateKey, b.privateKey];
      expect(wasm.sharedX(keys, theirs).map(toHex)).toEqual(noble.sharedX(keys, theirs).map(toHex));
    }
  });

  test("HMAC keys fill a block at most", () => {
    expect(toHex(wasm.hmacSha256(new Uint8Array(64)))).toBe(toHex(noble.hmacSha256(new Uint8Array(64))));
    expect(() => wasm.hmacSha256(new Uint8Array(65))).toThrow(TypeError);
  });

  test("one instance keeps nothing between calls", () => {
    const random = seededRandom(8);
    const [a, b, c] = [wasm.generateKey(random), wasm.generateKey(random), wasm.generateKey(random)];
    const before = wasm.sharedX([a.privateKey, b.privateKey], c.ellswift).map(toHex);
    wasm.sharedX([c.privateKey], a.ellswift);
    wasm.generateKey(random);
    wasm.decodeEllswift(b.ellswift);
    expect(wasm.sharedX([a.privateKey, b.privateKey], c.ellswift).map(toHex)).toEqual(before);
    expect(wasm.sharedX([b.privateKey, a.privateKey], c.ellswift).map(toHex)).toEqual(before.toReversed());
  });
});
