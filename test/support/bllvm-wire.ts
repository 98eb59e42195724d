/** What tests of the module IPC share: the golden frames, the values behind them, and random values of every row. */
import fc from "fast-check";
import { fromHex } from "../../src/kernel/bytes.ts";
import type { Field, Fields } from "../../src/node/bllvm/wire/bincode.ts";
import type { ModuleMessage } from "../../src/node/bllvm/wire/codec.ts";
import { FRAME_HEADER_SIZE } from "../../src/node/bllvm/wire/frames.ts";
import type { Schema } from "../../src/node/bllvm/wire/schema.ts";
import vectors from "../vectors/bllvm-ipc.json" with { type: "json" };

/** A frame of the vectors: the whole frame, and its payload. */
export interface GoldenFrame {
  readonly name: string;
  readonly schema: Schema;
  readonly frame: Uint8Array;
  readonly payload: Uint8Array;
}

/** All frames of the vectors. */
export const GOLDEN: readonly GoldenFrame[] = vectors.flatMap(({ name, frame }) => {
  if (name === undefined || frame === undefined) return [];
  const bytes = fromHex(frame);
  const schema = name.startsWith("n1.") ? "n1" : "s3";
  return [{ name, schema, frame: bytes, payload: bytes.subarray(FRAME_HEADER_SIZE) } as const];
});

/** Integers of `bits`, with the ends of the range over-represented. */
const big = (min: bigint, max: bigint): fc.Arbitrary<bigint> =>
  fc.oneof(fc.constantFrom(0n, 1n, min, max), fc.bigInt({ min, max }));
const small = (min: number, max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, 1, min, max), fc.integer({ min, max }));
const U64 = (1n << 64n) - 1n;

/** Text with characters of one to four bytes, and the ones that break naive code; U+FEFF is one that decoders like to swallow. */
const text = fc
  .array(fc.constantFrom("a", "Z", "/", " ", "\0", "\n", "é", "漢", "😀", "\ufeff"), { maxLength: 12 })
  .map((characters) => characters.join(""));

const BY_KIND: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bool: fc.boolean(),
  u8: small(0, 0xff),
  u32: small(0, 0xffffffff),
  i32: small(-0x80000000, 0x7fffffff),
  u64: big(0n, U64),
  usize: big(0n, U64),
  i64: big(-(1n << 63n), (1n << 63n) - 1n),
  u128: big(0n, (1n << 128n) - 1n),
  f64: fc.double(),
  Hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  "Vec<u8>": fc.uint8Array({ maxLength: 40 }),
  String: text,
};

/** Records of `fields`. */
export function arbitraryRecord(fields: Fields, schema: Schema): fc.Arbitrary<Record<string, unknown>> {
  const values = Object.entries(fields).map(([name, field]) => [name, arbitraryOf(field, schema)]);
  return fc.record(Object.fromEntries(values));
}

/** Whether a value of `fields` can be written: JSON values cannot. */
export const writable = (fields: Fields): boolean => Object.values(fields).every(({ kind }) => kind !== "Value");

/** Values that `field` carries in `schema`. Throws when a kind has no arbitrary, so that a new type cannot go untested. */
export function arbitraryOf(field: Field<unknown>, schema: Schema): fc.Arbitrary<unknown> {
  if (field.schemas?.includes(schema) === false) return fc.constant(null);
  if (field.variants !== undefined) {
    const variants = Object.entries(field.variants).filter(([, row]) => row.index[schema] !== null);
    return fc.oneof(
      ...variants
        .filter(([, row]) => writable(row.fields))
        .map(([name, row]) => fc.record({ name: fc.constant(name), value: arbitraryRecord(row.fields, schema) })),
    );
  }
  if (field.units !== undefined) {
    return fc.constantFrom(...Object.keys(field.units).filter((name) => field.units?.[name]?.[schema] !== null));
  }
  if (field.fields !== undefined) return arbitraryRecord(field.fields, schema);
  if (field.of !== undefined) {
    const of = arbitraryOf(field.of, schema);
    if (field.kind.startsWith("Option<")) return fc.option(of, { nil: null });
    if (field.kind.startsWith("HashMap<")) return fc.array(fc.tuple(text, of), { maxLength: 5 }).map((e) => new Map(e));
    return fc.array(of, { maxLength: 5 });
  }
  const found = BY_KIND[field.kind];
  if (found === undefined) throw new Error(`no arbitrary for fields of kind ${field.kind}`);
  return found;
}

/** A message with `request`, to be encoded. */
export function requestOf(name: string, value: unknown): ModuleMessage {
  return { type: "Request", correlationId: 1n, request: { name, value } } as unknown as ModuleMessage;
}

/** A good answer with `payload`, to be encoded. */
export function responseOf(name: string, value: unknown): ModuleMessage {
  return {
    type: "Response",
    correlationId: 1n,
    success: true,
    payload: { name, value },
    error: null,
  } as unknown as ModuleMessage;
}

/** An event, to be encoded. */
export function eventOf(name: string, value: unknown): ModuleMessage {
  return { type: "Event", eventType: name, event: { name, value } } as unknown as ModuleMessage;
}
