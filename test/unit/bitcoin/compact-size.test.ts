/** CompactSize: one spelling per number (Bitcoin Core's `ReadCompactSize`, serialize_tests.cpp noncanonical). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compactSize,
  compactSizeLength,
  MAX_COMPACT_SIZE,
  readCompactSize,
} from "../../../src/bitcoin/compact-size.ts";
import { fromHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { Reader } from "../../../src/kernel/reader.ts";

const read = (hex: string): number => readCompactSize(new Reader(fromHex(hex)));

describe("CompactSize", () => {
  test.each([
    [0, "00"],
    [0xfc, "fc"],
    [0xfd, "fdfd00"],
    [0xffff, "fdffff"],
    [0x10000, "fe00000100"],
    [MAX_COMPACT_SIZE, "fe00000002"],
  ])("%i is %s", (value, hex) => {
    expect(toHex(compactSize(value))).toBe(hex);
    expect(read(hex)).toBe(value);
  });

  test("writes what it will not read: up to 2^64 - 1", () => {
    expect(toHex(compactSize(0xffffffff))).toBe("feffffffff");
    expect(toHex(compactSize(0x100000000n))).toBe("ff0000000001000000");
    expect(toHex(compactSize(0xffffffffffffffffn))).toBe("ffffffffffffffffff");
  });

  // The nine spellings that Core's noncanonical test refuses, and the first value above MAX_SIZE.
  test.each([
    "fd0000",
    "fdfc00",
    "fe00000000",
    "feffff0000",
    "ff0000000000000000",
    "ffffffff0100000000",
    "fe01000002",
    "ffffffffffffffffff",
  ])("refuses %s", (hex) => {
    expect(() => read(hex)).toThrow(expect.objectContaining({ code: "compact-size-invalid" }));
  });

  test.each(["", "fd", "fd00", "fe000000", "ff00000000000000"])("refuses %j as cut off", (hex) => {
    expect(() => read(hex)).toThrow(expect.objectContaining({ code: "bytes-truncated" }));
  });

  test("round trips in the length it announces", () => {
    fc.assert(
      fc.property(fc.nat(MAX_COMPACT_SIZE), (value) => {
        const bytes = compactSize(value);
        expect(bytes.length).toBe(compactSizeLength(value));
        expect(readCompactSize(new Reader(bytes))).toBe(value);
      }),
    );
  });

  test("any bytes give a value that is written back the same, or a fault", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9 }), (bytes) => {
        const reader = new Reader(bytes);
        try {
          const value = readCompactSize(reader);
          expect(toHex(compactSize(value))).toBe(toHex(bytes.subarray(0, reader.offset)));
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
    );
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53, -1n, 2n ** 64n])("has no spelling for %s", (value) => {
    expect(() => compactSize(value)).toThrow(TypeError);
  });
});
