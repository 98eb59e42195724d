import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { Reader } from "../../../src/kernel/reader.ts";
import { Writer } from "../../../src/kernel/writer.ts";

describe("reader and writer", () => {
  test("integers are little-endian", () => {
    const bytes = new Writer(1)
      .u8(1)
      .u16(0x0203)
      .u24(0x040506)
      .u32(0x0708090a)
      .i32(-2)
      .u64(0x0b0c0d0e0f101112n)
      .f32(1.5)
      .f64(-2.5)
      .finish();
    expect(toHex(bytes)).toBe(
      "01" + "0302" + "060504" + "0a090807" + "feffffff" + "1211100f0e0d0c0b" + "0000c03f" + "00000000000004c0",
    );
    const reader = new Reader(bytes);
    expect([reader.u8(), reader.u16(), reader.u24(), reader.u32(), reader.i32()]).toEqual([
      1, 0x0203, 0x040506, 0x0708090a, -2,
    ]);
    expect([reader.u64(), reader.f32(), reader.f64()]).toEqual([0x0b0c0d0e0f101112n, 1.5, -2.5]);
    reader.end();
  });

  test("the highest bit of a u24 and a u32 is not a sign", () => {
    const reader = new Reader(fromHex("ffffffffffffff"));
    expect(reader.u24()).toBe(0xffffff);
    expect(reader.u32()).toBe(0xffffffff);
  });

  test.each([
    ["u8", 0],
    ["u16", 1],
    ["u24", 2],
    ["u32", 3],
    ["i32", 3],
    ["u64", 7],
    ["f32", 3],
    ["f64", 7],
  ] as const)("%s of %i bytes is a fault, and nothing is consumed", (kind, size) => {
    const reader = new Reader(new Uint8Array(size));
    expect(() => reader[kind]()).toThrow(Fault);
    expect(reader.remaining).toBe(size);
  });

  test("a byte string cannot reach outside the array it is read from", () => {
    const outer = Uint8Array.of(9, 1, 2, 3, 9);
    const reader = new Reader(outer.subarray(1, 4));
    expect(reader.bytes(2)).toEqual(Uint8Array.of(1, 2));
    expect(() => reader.bytes(2)).toThrow("went past the end of the data (wanted 2, remaining 1)");
    expect(() => reader.end()).toThrow("goes on after its last field (remaining 1)");
    expect(reader.rest()).toEqual(Uint8Array.of(3));
    reader.end();
  });

  test("what a writer returned does not change when more is written", () => {
    const writer = new Writer(4).u8(1);
    const first = writer.finish();
    writer.u32(0xffffffff).bytes(new Uint8Array(100));
    expect(first).toEqual(Uint8Array.of(1));
    expect(writer.length).toBe(105);
  });

  test("a writer can be used again, and does not keep a buffer that once had to be huge", () => {
    const writer = new Writer(4).u32(0xffffffff);
    const first = writer.finish();
    expect(writer.reset().length).toBe(0);
    expect(writer.u8(7).finish()).toEqual(Uint8Array.of(7));
    expect(first).toEqual(new Uint8Array(4).fill(0xff));
    writer.bytes(new Uint8Array(0x20000)).reset();
    expect(writer.u8(1).u32(0x01020304).finish()).toEqual(Uint8Array.of(1, 4, 3, 2, 1));
  });
});
