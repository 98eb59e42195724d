/**
 * The types of bincode 1.3 with its default options, as values that read and write themselves: integers little-endian and
 * of fixed width, `usize` eight bytes, lengths u64. A field's `kind` is the Rust type, so that a table can be compared with
 * the node's sources word for word.
 *
 * Whoever reads judges the node: a violation is `Fault("bllvm-message-invalid")` (drop). Whoever writes is us: a value that
 * the type cannot carry is a mistake in this program, a `TypeError`. Byte strings that were read are views into the payload.
 */
import { utf8 } from "../../../kernel/bytes.ts";
import type { Columns, Schema } from "./schema.ts";
import type { WireReader, WireWriter } from "./wire-bytes.ts";

/** One type of the wire whose values have the TypeScript type `V`. */
export interface Field<V> {
  /** The Rust type, e.g. `u32`, `Vec<Hash>`, `OutPoint`. */
  readonly kind: string;
  /** Bytes that a value takes at least, in any schema. */
  readonly least: number;
  /** What it is made of, for whoever compares or makes values: the type of elements, ... */
  readonly of?: Field<unknown>;
  /** ... the fields of a struct, ... */
  readonly fields?: Fields;
  /** ... the variants of an enum with their fields, ... */
  readonly variants?: VariantTable;
  /** ... the variants of an enum that has none with fields. */
  readonly units?: Readonly<Record<string, Columns>>;
  /** The schemas that have it at all, where that is not left to the row. */
  readonly schemas?: readonly Schema[];
  /** The next value. Throws `Fault` (drop) when the bytes are not one. */
  read(reader: WireReader): V;
  /** Appends `value`. Throws `TypeError` when the type cannot carry it. */
  write(writer: WireWriter, value: V): void;
}

/** Fields by name, in wire order. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** Rows of an enum with an index in each schema. */
export type VariantTable = Readonly<Record<string, { readonly index: Columns; readonly fields: Fields }>>;

/** TypeScript type of the values of a field. */
export type FieldValue<F> = F extends Field<infer V> ? V : never;

/** TypeScript type of a record of fields. */
export type RecordOf<F extends Fields> = { readonly [K in keyof F]: FieldValue<F[K]> };

/** Fails for a value that `kind` cannot carry. */
export function refuse(kind: string, value: unknown): never {
  const what = typeof value === "object" && value !== null ? "this object" : String(value).slice(0, 80);
  throw new TypeError(`${kind} cannot carry ${what}`);
}

/** A type of fixed size whose values `fits` accepts. */
function scalar<V>(
  kind: string,
  least: number,
  fits: (value: V) => boolean,
  read: (reader: WireReader) => V,
  write: (writer: WireWriter, value: V) => void,
): Field<V> {
  return {
    kind,
    least,
    read,
    write(writer, value) {
      if (!fits(value)) refuse(kind, value);
      write(writer, value);
    },
  };
}

const isU64 = (value: bigint): boolean => typeof value === "bigint" && BigInt.asUintN(64, value) === value;

/** bool: one byte, 0 or 1; anything else is a fault, as in bincode. */
export const bool: Field<boolean> = scalar(
  "bool",
  1,
  (value) => typeof value === "boolean",
  (reader) => {
    const byte = reader.u8();
    return byte > 1 ? reader.invalid({ kind: "bool", byte }) : byte === 1;
  },
  (writer, value) => void writer.u8(value ? 1 : 0),
);

/** u8: 0 to 255. */
export const u8: Field<number> = scalar(
  "u8",
  1,
  (value) => (value & 0xff) === value,
  (reader) => reader.u8(),
  (writer, value) => void writer.u8(value),
);

/** u32: 0 to 2^32 - 1. */
export const u32: Field<number> = scalar(
  "u32",
  4,
  (value) => value >>> 0 === value,
  (reader) => reader.u32(),
  (writer, value) => void writer.u32(value),
);

/** i32: -2^31 to 2^31 - 1. */
export const i32: Field<number> = scalar(
  "i32",
  4,
  (value) => (value | 0) === value,
  (reader) => reader.i32(),
  (writer, value) => void writer.i32(value),
);

/** u64: a bigint from 0 to 2^64 - 1. */
export const u64: Field<bigint> = scalar(
  "u64",
  8,
  isU64,
  (reader) => reader.u64(),
  (writer, value) => void writer.u64(value),
);

/** usize: a u64, whatever machine the node runs on. */
export const usize: Field<bigint> = { ...u64, kind: "usize" };

/** i64: a bigint from -2^63 to 2^63 - 1. */
export const i64: Field<bigint> = scalar(
  "i64",
  8,
  (value) => typeof value === "bigint" && BigInt.asIntN(64, value) === value,
  (reader) => BigInt.asIntN(64, reader.u64()),
  (writer, value) => void writer.u64(value),
);

/** u128: a bigint from 0 to 2^128 - 1. */
export const u128: Field<bigint> = scalar(
  "u128",
  16,
  (value) => typeof value === "bigint" && BigInt.asUintN(128, value) === value,
  (reader) => reader.u64() | (reader.u64() << 64n),
  (writer, value) => void writer.u64(value).u64(value >> 64n),
);

/** f64: IEEE 754 binary64. NaN and infinities pass: what they mean is for the reader of the value to judge. */
export const f64: Field<number> = scalar(
  "f64",
  8,
  (value) => typeof value === "number",
  (reader) => reader.f64(),
  (writer, value) => void writer.f64(value),
);

/** Hash, `[u8; 32]`: `Uint8Array(32)` in internal byte order, without a length in front. */
export const hash: Field<Uint8Array> = scalar(
  "Hash",
  32,
  (value) => value instanceof Uint8Array && value.length === 32,
  (reader) => reader.bytes(32),
  (writer, value) => void writer.bytes(value),
);

/** Vec<u8>: bytes behind their length. */
export const bytes: Field<Uint8Array> = scalar(
  "Vec<u8>",
  8,
  (value) => value instanceof Uint8Array,
  (reader) => reader.sized("Vec<u8>"),
  (writer, value) => void writer.u64(BigInt(value.length)).bytes(value),
);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * String: UTF-8 behind its length in bytes. Bytes that are not UTF-8 are a fault: a Rust `String` never holds them, so they
 * mean that the message is of another schema. Of a JavaScript string an unpaired surrogate is written as U+FFFD.
 */
export const string: Field<string> = scalar(
  "String",
  8,
  (value) => typeof value === "string",
  (reader) => {
    const encoded = reader.sized("String");
    try {
      return decoder.decode(encoded);
    } catch {
      return reader.invalid({ kind: "String", why: "not UTF-8" });
    }
  },
  (writer, value) => bytes.write(writer, utf8(value)),
);
