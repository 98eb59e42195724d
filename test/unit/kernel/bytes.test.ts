import { describe, expect, test } from "vitest";
import {
  concat,
  equal,
  fromDisplayHex,
  fromHex,
  fromUtf8,
  toDisplayHex,
  toHex,
  utf8,
} from "../../../src/kernel/bytes.ts";

describe("bytes", () => {
  test("the genesis hash is turned between internal and display order", () => {
    const display = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    const internal = fromDisplayHex(display);
    expect(toHex(internal)).toBe("6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000");
    expect(toDisplayHex(internal)).toBe(display);
  });

  test.each(["0", "0x00", "zz", "00 1", "é0"])("%j is not hex", (text) => {
    expect(() => fromHex(text)).toThrow(TypeError);
  });

  test("hex of either case is read", () => {
    expect(fromHex("DEadBEef")).toEqual(Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
  });

  test("concat and equal", () => {
    expect(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3));
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
  });

  test("invalid UTF-8 is read without an error", () => {
    expect(fromUtf8(Uint8Array.of(0x61, 0xff))).toBe("a\ufffd");
    expect(utf8("ü")).toEqual(Uint8Array.of(0xc3, 0xbc));
  });
});
