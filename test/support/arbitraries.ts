/** Random values for every data type of the SV2 tables, keyed by `Field.kind`, so that each row has its property tests. */
import fc from "fast-check";
import { toHex } from "../../src/kernel/bytes.ts";
import type { Field } from "../../src/sv2/primitives.ts";
import type { Fields, Message } from "../../src/sv2/table.ts";

/** Integers with the ends of the range over-represented. */
const integer = (max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, 1, max), fc.integer({ min: 0, max }));
const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength, size: "max" });
/** Text that fits `max` bytes of UTF-8: characters of one to four bytes, and the ones that break naive code. */
const text = (max: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom("a", "Z", "/", ".", " ", "\0", "\n", "é", "漢", "😀"), { maxLength: 80 })
    .map((characters) => cutTo(characters.join(""), max));

function cutTo(s: string, max: number): string {
  let out = "";
  for (const character of s) {
    if (new TextEncoder().encode(out + character).length > max) break;
    out += character;
  }
  return out;
}

/** Long byte strings stop early here: their length bytes are what matters, the golden vectors hold full ones. */
const BY_KIND: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bool: fc.boolean(),
  u8: integer(0xff),
  u16: integer(0xffff),
  u24: integer(0xffffff),
  u32: integer(0xffffffff),
  u64: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
  f32: fc.float(),
  u256: bytes(32, 32),
  pubkey: bytes(32, 32),
  signature: bytes(64, 64),
  str0_255: text(255),
  b0_32: bytes(0, 32),
  b0_255: bytes(0, 255),
  b0_64k: bytes(0, 600),
  b0_16m: bytes(0, 600),
};

/** Values that `field` can carry. Throws when a kind has no arbitrary, so that a new type cannot go untested. */
export function arbitraryOf(field: Field<unknown>): fc.Arbitrary<unknown> {
  if (field.of !== undefined) {
    const of = arbitraryOf(field.of);
    if (field.kind === "option") return fc.option(of, { nil: null });
    // Lists of byte strings stay short: the golden vectors hold long ones, and random bytes are slow to make.
    const maxLength = field.of.kind.startsWith("b0_") ? 6 : field.of.kind === "u256" ? 16 : 300;
    return fc.array(of, { maxLength, size: "medium" });
  }
  const found = BY_KIND[field.kind];
  if (found === undefined) throw new Error(`no arbitrary for fields of kind ${field.kind}`);
  return found;
}

/** Values of a message's row. */
export function arbitraryMessage(row: Message<Fields>): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(Object.entries(row.fields).map(([name, field]) => [name, arbitraryOf(field)])));
}

/** A decoded value as the vectors spell it: byte strings as hex, u64 as decimal strings. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  return value;
}

/** The value of a row that the vectors spell as `plain` does. */
export function unplain(row: Message<Fields>, value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row.fields).map(([name, field]) => [name, unplainField(field, value[name])]),
  );
}

function unplainField(field: Field<unknown>, value: unknown): unknown {
  if (field.kind === "option") return value === null ? null : unplainField(field.of as Field<unknown>, value);
  if (field.of !== undefined) return (value as unknown[]).map((one) => unplainField(field.of as Field<unknown>, one));
  if (field.kind === "u64") return BigInt(value as string);
  if (/^(u256|pubkey|signature|b0_)/.test(field.kind)) return Uint8Array.from(Buffer.from(value as string, "hex"));
  return value;
}
