/** Headers of real blocks, and the nonce search against a plain hash. */
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HeaderHasher, headerHash, parseHeader, serializeHeader, writeHeader } from "../../../src/bitcoin/header.ts";
import { hashToBigint, meetsTarget, targetFromCompact } from "../../../src/bitcoin/target.ts";
import { fromHex, toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import vectors from "../../vectors/bitcoin-blocks.json" with { type: "json" };

const real = vectors.blocks.map((block) => ({ ...block, header: fromHex(block.hex.slice(0, 160)) }));

describe("headers of real blocks", () => {
  test.each(real)("$source: hash, proof of work, bytes", ({ header, hash }) => {
    expect(toDisplayHex(headerHash(header))).toBe(hash);
    const parsed = parseHeader(header);
    expect(meetsTarget(headerHash(header), targetFromCompact(parsed.nBits))).toBe(true);
    expect(toHex(serializeHeader(parsed))).toBe(toHex(header));
  });

  test("block 170 field by field", () => {
    const header = parseHeader(real[1]?.header ?? new Uint8Array());
    expect(header).toMatchObject({ version: 1, time: 1231731025, nBits: 0x1d00ffff, nonce: 1889418792 });
    expect(toDisplayHex(header.prevHash)).toBe("000000002a22cfee1f2c846adbd12b3e183d4f97683f85dad08a79780a84bd55");
    expect(toDisplayHex(header.merkleRoot)).toBe("7dac2c5666815c17a3b36427de37bb9d2e2c5ccec3f8633eb91a4205cb4c10ff");
  });
});

describe("bytes", () => {
  const anyHeader = fc.uint8Array({ minLength: 80, maxLength: 80 });

  test("any 80 bytes are a header that writes back the same", () => {
    fc.assert(
      fc.property(anyHeader, (bytes) => {
        const into = new Uint8Array(84);
        writeHeader(into, parseHeader(bytes), 4);
        expect(toHex(into.subarray(4))).toBe(toHex(bytes));
      }),
    );
  });

  test("no other length is a header", () => {
    expect(() => parseHeader(new Uint8Array(79))).toThrow(expect.objectContaining({ code: "bytes-truncated" }));
    expect(() => parseHeader(new Uint8Array(81))).toThrow(expect.objectContaining({ code: "bytes-trailing" }));
    expect(() => headerHash(new Uint8Array(81))).toThrow(TypeError);
    expect(() => new HeaderHasher(new Uint8Array(79))).toThrow(TypeError);
  });

  test("the midstate gives the hash of noble for any nonce", () => {
    fc.assert(
      fc.property(anyHeader, fc.nat(0xffffffff), (bytes, nonce) => {
        const hasher = new HeaderHasher(bytes);
        new DataView(bytes.buffer, bytes.byteOffset).setUint32(76, nonce, true);
        const out = new Uint8Array(32);
        hasher.hashInto(out, nonce);
        expect(toHex(out)).toBe(toHex(sha256(sha256(bytes))));
      }),
    );
  });
});

describe("nonce search", () => {
  const header = serializeHeader({
    version: 0x20000000,
    prevHash: new Uint8Array(32).fill(1),
    merkleRoot: new Uint8Array(32).fill(2),
    time: 1_700_000_000,
    nBits: 0x207fffff,
    nonce: 0,
  });
  const hashAt = (nonce: number): bigint => {
    const bytes = Uint8Array.from(header);
    new DataView(bytes.buffer).setUint32(76, nonce, true);
    return hashToBigint(headerHash(bytes));
  };

  test("finds the first nonce that meets the target", () => {
    const target = 2n ** 248n;
    let expected = 0;
    while (hashAt(expected) > target) expected++;
    const hasher = new HeaderHasher(header);
    expect(hasher.search(0, 100_000, target)).toBe(expected);
    expect(hasher.search(0, expected, target)).toBeUndefined();
    expect(hasher.search(expected + 1, 100_000, target)).toBeGreaterThan(expected);
    // A target equal to the hash is met, one less is not.
    expect(hasher.search(expected, 1, hashAt(expected))).toBe(expected);
    expect(hasher.search(expected, 1, hashAt(expected) - 1n)).toBeUndefined();
  });

  test("ends at the last nonce", () => {
    expect(new HeaderHasher(header).search(2 ** 32 - 3, 1000, 1n)).toBeUndefined();
  });
});
