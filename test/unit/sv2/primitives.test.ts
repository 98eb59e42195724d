import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { Reader } from "../../../src/kernel/reader.ts";
import { Writer } from "../../../src/kernel/writer.ts";
import {
  b0_16m,
  b0_32,
  b0_64k,
  b0_255,
  bool,
  type Field,
  f32,
  option,
  pubkey,
  seq0_64k,
  seq0_255,
  signature,
  str0_255,
  u8,
  u16,
  u24,
  u32,
  u64,
  u256,
} from "../../../src/sv2/primitives.ts";
import { arbitraryOf } from "../../support/arbitraries.ts";

const encode = <V>(field: Field<V>, value: V): string => {
  const writer = new Writer();
  field.write(writer, value);
  return toHex(writer.finish());
};
const decode = <V>(field: Field<V>, hex: string): V => field.read(new Reader(fromHex(hex)));
const faultOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "none";
};

/** Bytes written out by hand from the sizes and the byte order of spec section 3.1. */
const WRITTEN: readonly [string, Field<never>, unknown, string][] = [
  ["BOOL true", bool, true, "01"],
  ["BOOL false", bool, false, "00"],
  ["U8", u8, 0xab, "ab"],
  ["U16", u16, 0x1234, "3412"],
  ["U24", u24, 0x123456, "563412"],
  ["U32", u32, 0xfedcba98, "98badcfe"],
  ["U64", u64, 0x0102030405060708n, "0807060504030201"],
  ["F32 1e12 as bitaxe sends it", f32, 1e12, "a5d46853"],
  ["U256", u256, new Uint8Array(32).fill(7), "07".repeat(32)],
  ["PUBKEY", pubkey, new Uint8Array(32).fill(2), "02".repeat(32)],
  ["SIGNATURE", signature, new Uint8Array(64).fill(3), "03".repeat(64)],
  ["STR0_255", str0_255, "añ", "0361c3b1"],
  ["B0_32", b0_32, Uint8Array.of(1, 2), "020102"],
  ["B0_255", b0_255, Uint8Array.of(1, 2), "020102"],
  ["B0_64K", b0_64k, Uint8Array.of(1, 2), "02000102"],
  ["B0_16M", b0_16m, Uint8Array.of(1, 2), "0200000102"],
  ["OPTION empty", option(u32), null, "00"],
  ["OPTION full", option(u32), 5, "0105000000"],
  ["SEQ0_255", seq0_255(u16), [1, 2], "0201000200"],
  ["SEQ0_64K", seq0_64k(u16), [1, 2], "020001000200"],
].map(([name, field, value, hex]) => [name, field, value, hex] as [string, Field<never>, unknown, string]);

describe("data types (spec 3.1)", () => {
  test.each(WRITTEN)("%s", (_, field, value, hex) => {
    expect(encode(field as Field<unknown>, value)).toBe(hex);
    expect(decode(field as Field<unknown>, hex)).toEqual(
      field === (f32 as unknown) ? Math.fround(value as number) : value,
    );
  });

  test.each(WRITTEN)("%s round trips for any value and faults on every truncation", (_, field) => {
    const any = field as Field<unknown>;
    fc.assert(
      fc.property(arbitraryOf(any), (value) => {
        const hex = encode(any, value);
        expect(decode(any, hex)).toEqual(value);
        expect(faultOf(() => decode(any, hex.slice(0, -2)))).toBe("bytes-truncated");
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  test("BOOL: only the least significant bit counts", () => {
    expect(decode(bool, "fe")).toBe(false);
    expect(decode(bool, "ff")).toBe(true);
    expect(decode(bool, "80")).toBe(false);
  });

  test("STR0_255: bytes that are not UTF-8 become U+FFFD and never a fault", () => {
    expect(decode(str0_255, "03ff61fe")).toBe("\ufffda\ufffd");
  });

  test("F32: NaN, infinities and negative numbers are read, for the message's rules to judge", () => {
    expect(decode(f32, "0000c07f")).toBeNaN();
    expect(decode(f32, "0000807f")).toBe(Number.POSITIVE_INFINITY);
    expect(decode(f32, "000080ff")).toBe(Number.NEGATIVE_INFINITY);
    expect(decode(f32, "000080bf")).toBe(-1);
    expect(Object.is(decode(f32, "00000080"), -0)).toBe(true);
  });

  test("B0_32 with 33 bytes and OPTION with two elements are faults", () => {
    expect(decode(b0_32, `20${"00".repeat(32)}`)).toHaveLength(32);
    expect(faultOf(() => decode(b0_32, `21${"00".repeat(33)}`))).toBe("field-too-long");
    expect(faultOf(() => decode(option(u8), "020101"))).toBe("field-too-long");
  });

  test("a list of 65535 elements that are not there allocates nothing and faults", () => {
    expect(faultOf(() => decode(seq0_64k(b0_16m), "ffff"))).toBe("bytes-truncated");
    expect(faultOf(() => decode(b0_16m, "ffffff00"))).toBe("bytes-truncated");
  });

  test("the ends of each length are carried", () => {
    expect(encode(b0_255, new Uint8Array(255)).slice(0, 2)).toBe("ff");
    expect(encode(b0_64k, new Uint8Array(0xffff)).slice(0, 4)).toBe("ffff");
    expect(encode(b0_16m, new Uint8Array(0x10000)).slice(0, 6)).toBe("000001");
    expect(encode(seq0_255(u8), new Array<number>(255).fill(1))).toHaveLength(2 * 256);
    expect(encode(seq0_64k(u8), new Array<number>(0xffff).fill(1))).toHaveLength(2 * (2 + 0xffff));
    expect(encode(str0_255, "é".repeat(127)).slice(0, 2)).toBe("fe");
  });

  test.each<[string, Field<never>, unknown]>(
    [
      ["bool", bool, 1],
      ["u8", u8, 256],
      ["u8", u8, -1],
      ["u16", u16, 0x10000],
      ["u16", u16, 1.5],
      ["u24", u24, 0x1000000],
      ["u32", u32, 2 ** 32],
      ["u32", u32, -1],
      ["u32", u32, Number.NaN],
      ["u64", u64, 2n ** 64n],
      ["u64", u64, -1n],
      ["f32", f32, "1"],
      ["u256", u256, new Uint8Array(31)],
      ["pubkey", pubkey, new Uint8Array(33)],
      ["signature", signature, new Uint8Array(63)],
      ["b0_32", b0_32, new Uint8Array(33)],
      ["b0_255", b0_255, new Uint8Array(256)],
      ["b0_64k", b0_64k, new Uint8Array(0x10000)],
      ["b0_16m", b0_16m, new Uint8Array(0x1000000)],
      ["str0_255", str0_255, "é".repeat(128)],
      ["seq0_255", seq0_255(u8), new Array<number>(256).fill(0)],
      ["seq0_64k", seq0_64k(u8), new Array<number>(0x10000).fill(0)],
    ].map(([name, field, value]) => [name, field, value] as [string, Field<never>, unknown]),
  )("%s refuses to write a value out of its range as a programming error", (_, field, value) => {
    expect(() => encode(field as Field<unknown>, value)).toThrow(TypeError);
  });

  test("byte strings are views into what was received", () => {
    const received = fromHex("020102");
    const value = b0_32.read(new Reader(received));
    expect(value.buffer).toBe(received.buffer);
  });
});
