import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compress, constantBlock, INITIAL } from "../../../src/bitcoin/sha256-compress.ts";
import { toHex } from "../../../src/kernel/bytes.ts";
import { compressByLoop } from "../../bench/hashing.ts";

const words = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 16, maxLength: 16 });
const digest = (state: Int32Array): string =>
  [...state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");

describe("the compression function of SHA-256", () => {
  test('"abc" of FIPS 180-4, and what noble makes of 55 bytes', () => {
    const state = Int32Array.from(INITIAL);
    compress(state, Int32Array.of(0x61626380, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24));
    expect(digest(state)).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i < 55 ? i : 0));
    bytes[55] = 0x80;
    const view = new DataView(bytes.buffer);
    view.setUint32(60, 55 * 8);
    const other = Int32Array.from(INITIAL);
    compress(
      other,
      Int32Array.from({ length: 16 }, (_, i) => view.getInt32(4 * i)),
    );
    expect(digest(other)).toBe(toHex(sha256(bytes.subarray(0, 55))));
  });

  test("is the standard's loop, leaves the block as it is, and knows constant blocks", () => {
    fc.assert(
      fc.property(words, fc.array(fc.integer(), { minLength: 8, maxLength: 8 }), (block, from) => {
        const given = Int32Array.from(block);
        const [written, looped, constant] = [0, 1, 2].map(() => Int32Array.from(from)) as [
          Int32Array,
          Int32Array,
          Int32Array,
        ];
        compress(written, given);
        compressByLoop(looped, given);
        compress(constant, new Int32Array(16), constantBlock(given));
        expect(digest(written)).toBe(digest(looped));
        expect(digest(constant)).toBe(digest(looped));
        expect([...given]).toEqual(block);
      }),
    );
  });
});
