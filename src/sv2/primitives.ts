/**
 * The data types of the spec (section 3.1) as values that read and write themselves. A message row is a record of these
 * in wire order; its TypeScript type, its codec, its reference page and its tests all follow from them.
 *
 * Whoever reads judges a peer: a violation is a `Fault` (drop). Whoever writes is us: a value that the type cannot carry
 * is a mistake in this program, a `TypeError`. Byte strings that were read are views into the received payload.
 */
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import type { Reader } from "../kernel/reader.ts";
import type { Writer } from "../kernel/writer.ts";

/** One data type of the wire whose values have the TypeScript type `V`. */
export interface Field<V> {
  /** The spec's name in lower case, e.g. `u32`, `b0_64k`; test arbitraries are keyed by it. */
  readonly kind: string;
  /** For `option` and the sequences: the type of the elements. */
  readonly of?: Field<unknown>;
  /** The next value. Throws `Fault` (drop) when the bytes are not one. */
  read(reader: Reader): V;
  /** Appends `value`. Throws `TypeError` when the type cannot carry it. */
  write(writer: Writer, value: V): void;
}

/** TypeScript type of the values of a field. */
export type FieldValue<F> = F extends Field<infer V> ? V : never;

function refuse(kind: string, value: unknown): never {
  throw new TypeError(`${kind} cannot carry ${String(value)}`);
}

/** BOOL: one byte. Only the least significant bit counts when reading; the others are written as 0. */
export const bool: Field<boolean> = {
  kind: "bool",
  read: (reader) => (reader.u8() & 1) === 1,
  write(writer, value) {
    if (typeof value !== "boolean") refuse("bool", value);
    writer.u8(value ? 1 : 0);
  },
};

/** U8: 0 to 255. */
export const u8: Field<number> = {
  kind: "u8",
  read: (reader) => reader.u8(),
  write(writer, value) {
    if ((value & 0xff) !== value) refuse("u8", value);
    writer.u8(value);
  },
};

/** U16: 0 to 65535, little-endian. */
export const u16: Field<number> = {
  kind: "u16",
  read: (reader) => reader.u16(),
  write(writer, value) {
    if ((value & 0xffff) !== value) refuse("u16", value);
    writer.u16(value);
  },
};

/** U24: 0 to 2^24 - 1, little-endian. */
export const u24: Field<number> = {
  kind: "u24",
  read: (reader) => reader.u24(),
  write(writer, value) {
    if ((value & 0xffffff) !== value) refuse("u24", value);
    writer.u24(value);
  },
};

/** U32: 0 to 2^32 - 1, little-endian. */
export const u32: Field<number> = {
  kind: "u32",
  read: (reader) => reader.u32(),
  write(writer, value) {
    if (value >>> 0 !== value) refuse("u32", value);
    writer.u32(value);
  },
};

/** U64: a bigint from 0 to 2^64 - 1, little-endian. */
export const u64: Field<bigint> = {
  kind: "u64",
  read: (reader) => reader.u64(),
  write(writer, value) {
    if (BigInt.asUintN(64, value) !== value) refuse("u64", value);
    writer.u64(value);
  },
};

/**
 * F32: IEEE 754 binary32, little-endian (spec 5.3.2; the type table of section 3.1 forgets it). NaN, infinities and
 * negative numbers pass: what they mean is for the message's rules to judge.
 */
export const f32: Field<number> = {
  kind: "f32",
  read: (reader) => reader.f32(),
  write(writer, value) {
    if (typeof value !== "number") refuse("f32", value);
    writer.f32(value);
  },
};

/** A byte string of exactly `size` bytes without a length in front. */
function fixed(kind: string, size: number): Field<Uint8Array> {
  return {
    kind,
    read: (reader) => reader.bytes(size),
    write(writer, value) {
      if (value.length !== size) refuse(kind, `${value.length} bytes, it takes ${size}`);
      writer.bytes(value);
    },
  };
}

/** U256: `Uint8Array(32)`, a little-endian number; hashes are in internal byte order. */
export const u256: Field<Uint8Array> = fixed("u256", 32);

/** PUBKEY: `Uint8Array(32)`, the x coordinate of a secp256k1 point (BIP 340). */
export const pubkey: Field<Uint8Array> = fixed("pubkey", 32);

/** SIGNATURE: `Uint8Array(64)`, a BIP 340 signature. */
export const signature: Field<Uint8Array> = fixed("signature", 64);

/** Reads and writes the length in front of strings and sequences. */
interface Length {
  readonly read: (reader: Reader) => number;
  readonly write: (writer: Writer, length: number) => void;
}

const LENGTH_8: Length = { read: (r) => r.u8(), write: (w, n) => void w.u8(n) };
const LENGTH_16: Length = { read: (r) => r.u16(), write: (w, n) => void w.u16(n) };
const LENGTH_24: Length = { read: (r) => r.u24(), write: (w, n) => void w.u24(n) };

/** A byte string of at most `max` bytes behind its length. */
function bytes(kind: string, length: Length, max: number): Field<Uint8Array> {
  return {
    kind,
    read(reader) {
      const size = length.read(reader);
      if (size > max) throw new Fault("field-too-long", { kind, length: size, max });
      return reader.bytes(size);
    },
    write(writer, value) {
      if (value.length > max) refuse(kind, `${value.length} bytes, at most ${max}`);
      length.write(writer, value.length);
      writer.bytes(value);
    },
  };
}

/** B0_32: 0 to 32 bytes. More are `Fault("field-too-long")`. */
export const b0_32: Field<Uint8Array> = bytes("b0_32", LENGTH_8, 32);

/** B0_255: 0 to 255 bytes. */
export const b0_255: Field<Uint8Array> = bytes("b0_255", LENGTH_8, 0xff);

/** B0_64K: 0 to 65535 bytes. */
export const b0_64k: Field<Uint8Array> = bytes("b0_64k", LENGTH_16, 0xffff);

/** B0_16M: 0 to 2^24 - 1 bytes. */
export const b0_16m: Field<Uint8Array> = bytes("b0_16m", LENGTH_24, 0xffffff);

/**
 * STR0_255: UTF-8 text of 0 to 255 bytes. Bytes that are not UTF-8 become U+FFFD instead of a fault, because a name in
 * another encoding is no reason to lose a miner. Such a text can be too long to be written again: U+FFFD takes three bytes.
 */
export const str0_255: Field<string> = {
  kind: "str0_255",
  read: (reader) => fromUtf8(b0_255.read(reader)),
  write(writer, value) {
    const encoded = utf8(value);
    if (encoded.length > 0xff) refuse("str0_255", `${encoded.length} bytes, at most 255`);
    writer.u8(encoded.length).bytes(encoded);
  },
};

/** OPTION[T] = SEQ0_1[T]: `null` when empty. A length above 1 is `Fault("field-too-long")`. */
export function option<V>(of: Field<V>): Field<V | null> {
  return {
    kind: "option",
    of,
    read(reader) {
      const count = reader.u8();
      if (count === 0) return null;
      if (count > 1) throw new Fault("field-too-long", { kind: "option", length: count, max: 1 });
      return of.read(reader);
    },
    write(writer, value) {
      if (value === null) {
        writer.u8(0);
      } else {
        writer.u8(1);
        of.write(writer, value);
      }
    },
  };
}

/** A list behind its length. Every element takes at least a byte, so the payload's size bounds what is allocated. */
function sequence<V>(kind: string, length: Length, max: number, of: Field<V>): Field<readonly V[]> {
  return {
    kind,
    of,
    read(reader) {
      const values: V[] = [];
      for (let left = length.read(reader); left > 0; left--) values.push(of.read(reader));
      return values;
    },
    write(writer, values) {
      if (values.length > max) refuse(kind, `${values.length} elements, at most ${max}`);
      length.write(writer, values.length);
      for (const value of values) of.write(writer, value);
    },
  };
}

/** SEQ0_255[T]: 0 to 255 elements. */
export function seq0_255<V>(of: Field<V>): Field<readonly V[]> {
  return sequence("seq0_255", LENGTH_8, 0xff, of);
}

/** SEQ0_64K[T]: 0 to 65535 elements. */
export function seq0_64k<V>(of: Field<V>): Field<readonly V[]> {
  return sequence("seq0_64k", LENGTH_16, 0xffff, of);
}
