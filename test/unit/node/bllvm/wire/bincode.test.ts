import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../../../src/kernel/bytes.ts";
import * as types from "../../../../../src/node/bllvm/wire/bincode.ts";
import { dataEnum, inOrder, map, option, struct, unitEnum, vec } from "../../../../../src/node/bllvm/wire/compound.ts";
import { everywhere } from "../../../../../src/node/bllvm/wire/schema.ts";
import { WireReader, WireWriter } from "../../../../../src/node/bllvm/wire/wire-bytes.ts";

const { bool, bytes, f64, hash, i32, i64, string, u128, u32, u64, u8, usize } = types;
type Any = types.Field<unknown>;
const INVALID = expect.objectContaining({ code: "bllvm-message-invalid" });
const read = (field: types.Field<unknown>, hex: string): unknown => field.read(new WireReader(fromHex(hex), "s3"));
function write(field: types.Field<unknown>, value: unknown): string {
  const writer = new WireWriter("s3");
  field.write(writer, value);
  return toHex(writer.finish());
}

const outcome = dataEnum("Outcome", { Fine: {}, Bad: { why: string } });
const colour = unitEnum("Colour", inOrder("Red", "Green"));
const point = struct("Point", { x: u8, y: u32 });

describe("bincode 1.3: fixed width, little-endian", () => {
  test.each<[string, Any, unknown, string]>([
    ["bool", bool as Any, true, "01"],
    ["u8", u8 as Any, 0xfe, "fe"],
    ["u32", u32 as Any, 0xfffffffe, "feffffff"],
    ["u64", u64 as Any, 0x0102030405060708n, "0807060504030201"],
    ["usize is eight bytes", usize as Any, 5n, "0500000000000000"],
    ["i32", i32 as Any, -2, "feffffff"],
    ["i64", i64 as Any, -2n, "feffffffffffffff"],
    ["i64, the least", i64 as Any, -(1n << 63n), "0000000000000080"],
    ["u128", u128 as Any, (1n << 127n) | 5n, "05000000000000000000000000000080"],
    ["f64", f64 as Any, 1.5, "000000000000f83f"],
    ["f64, infinity", f64 as Any, Number.POSITIVE_INFINITY, "000000000000f07f"],
    ["a hash without a length", hash as Any, new Uint8Array(32).fill(3), "03".repeat(32)],
    ["bytes behind a u64", bytes as Any, Uint8Array.of(7), "010000000000000007"],
    ["text, counted in bytes", string as Any, "é", "0200000000000000c3a9"],
    ["text that starts with U+FEFF", string as Any, "\ufeff", "0300000000000000efbbbf"],
    ["no value", option(u8) as Any, null, "00"],
    ["a value", option(u8) as Any, 9, "0109"],
    ["a list", vec(u8) as Any, [1, 2], "02000000000000000102"],
    ["a map", map(string, u8) as Any, new Map([["a", 1]]), "010000000000000001000000000000006101"],
    ["a struct without names", point as Any, { x: 1, y: 2 }, "0102000000"],
    ["a unit variant", colour as Any, "Green", "01000000"],
    ["a variant with data", outcome as Any, { name: "Bad", value: { why: "x" } }, "01000000010000000000000078"],
    ["a variant without", outcome as Any, { name: "Fine", value: {} }, "00000000"],
  ])("%s", (_, field, value, hex) => {
    expect(write(field, value)).toBe(hex);
    expect(read(field, hex)).toEqual(value);
    expect(field.least).toBeLessThanOrEqual(hex.length / 2);
  });

  test("of keys that come twice in a map the last counts", () => {
    const twice = "0200000000000000" + "01000000000000006101" + "01000000000000006102";
    expect(read(map(string, u8) as Any, twice)).toEqual(new Map([["a", 2]]));
  });
});

describe("what bincode refuses, and so do we", () => {
  test.each<[string, Any, string]>([
    ["a bool of 2", bool as Any, "02"],
    ["an option of 2", option(u8) as Any, "0200"],
    ["a variant that is not there", outcome as Any, "02000000"],
    ["a unit variant that is not there", colour as Any, "02000000"],
    ["a variant at the end of u32", colour as Any, "ffffffff"],
    ["text that is not UTF-8", string as Any, "0100000000000000ff"],
    ["text that ends within a character", string as Any, "0100000000000000c3"],
    ["an encoded surrogate", string as Any, "0300000000000000eda080"],
  ])("%s", (_, field, hex) => {
    expect(() => read(field, hex)).toThrow(INVALID);
  });
});

describe("what a type cannot carry is our own mistake", () => {
  test.each<[Any, unknown]>([
    [bool as Any, 1],
    [u8 as Any, 256],
    [u8 as Any, -1],
    [u32 as Any, 2 ** 32],
    [u32 as Any, 1.5],
    [u32 as Any, 1n],
    [u64 as Any, 1],
    [u64 as Any, -1n],
    [u64 as Any, 1n << 64n],
    [i32 as Any, 2 ** 31],
    [i64 as Any, 1n << 63n],
    [u128 as Any, 1n << 128n],
    [f64 as Any, "1"],
    [hash as Any, new Uint8Array(31)],
    [bytes as Any, "00"],
    [string as Any, 5],
    [option(u8) as Any, undefined],
    [vec(u8) as Any, "ab"],
    [map(string, u8) as Any, { a: 1 }],
    [point as Any, { x: 1 }],
    [point as Any, null],
    [colour as Any, "Blue"],
    [colour as Any, "toString"],
    [outcome as Any, { name: "Worse", value: {} }],
    [outcome as Any, { name: "Bad", value: undefined }],
  ])("%o", (field, value) => {
    expect(() => write(field, value)).toThrow(TypeError);
  });

  test("a text with an unpaired surrogate is written with U+FFFD, as a node could not read it", () => {
    expect(write(string as Any, "\ud800")).toBe("0300000000000000efbfbd");
  });

  test("lists of nothing and indexes used twice are mistakes of a table", () => {
    expect(() => vec(struct("Unit", {}))).toThrow(TypeError);
    expect(() => unitEnum("Twice", { A: everywhere(0), B: everywhere(0) })).toThrow(/both 0/);
  });
});
