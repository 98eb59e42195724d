/**
 * What bincode makes of other types: options, lists, maps, structs, enums. No type here can contain itself, so a message is
 * never nested deeper than its table says; what a message can grow is lists, and `WireReader` bounds those.
 */
import { type Field, type Fields, type RecordOf, refuse, type VariantTable } from "./bincode.ts";
import { type Columns, everywhere, SCHEMAS, type Schema } from "./schema.ts";
import type { WireReader, WireWriter } from "./wire-bytes.ts";

/** Option<T>: `null` or the value. Another tag than 0 or 1 is a fault. */
export function option<V>(of: Field<V>): Field<V | null> {
  const kind = `Option<${of.kind}>`;
  return {
    kind,
    least: 1,
    of: of as Field<unknown>,
    read(reader) {
      const tag = reader.u8();
      if (tag > 1) return reader.invalid({ kind, tag });
      return tag === 0 ? null : of.read(reader);
    },
    write(writer, value) {
      if (value === undefined) refuse(kind, value);
      writer.u8(value === null ? 0 : 1);
      if (value !== null) of.write(writer, value);
    },
  };
}

/** The elements' size bounds what a count can make us allocate, so a type without any has no list. */
function sized(kind: string, least: number): number {
  if (least === 0) throw new TypeError(`${kind}: elements without bytes cannot be bounded`);
  return least;
}

/** Vec<T>: a list behind its count. `Vec<u8>` is `bytes`. */
export function vec<V>(of: Field<V>): Field<readonly V[]> {
  const kind = `Vec<${of.kind}>`;
  const least = sized(kind, of.least);
  return {
    kind,
    least: 8,
    of: of as Field<unknown>,
    read(reader) {
      const values: V[] = [];
      for (let left = reader.count(kind, least); left > 0; left--) values.push(of.read(reader));
      return values;
    },
    write(writer, values) {
      if (!Array.isArray(values)) refuse(kind, values);
      writer.u64(BigInt(values.length));
      for (const value of values) of.write(writer, value);
    },
  };
}

/** HashMap<String, V>: pairs behind their count, in any order; of pairs with the same key the last counts, as in Rust. */
export function map<V>(key: Field<string>, of: Field<V>): Field<ReadonlyMap<string, V>> {
  const kind = `HashMap<${key.kind}, ${of.kind}>`;
  const least = sized(kind, key.least + of.least);
  return {
    kind,
    least: 8,
    of: of as Field<unknown>,
    read(reader) {
      const values = new Map<string, V>();
      for (let left = reader.count(kind, least); left > 0; left--) values.set(key.read(reader), of.read(reader));
      return values;
    },
    write(writer, values) {
      if (!(values instanceof Map)) refuse(kind, values);
      writer.u64(BigInt(values.size));
      for (const [name, value] of values) {
        key.write(writer, name);
        of.write(writer, value);
      }
    },
  };
}

/** Reads and writes the fields of a record one after the other. */
interface Sequence {
  readonly least: number;
  read(reader: WireReader): Record<string, unknown>;
  write(writer: WireWriter, value: Readonly<Record<string, unknown>>): void;
}

function sequence(kind: string, fields: Fields): Sequence {
  const entries = Object.entries(fields);
  return {
    least: entries.reduce((sum, [, field]) => sum + field.least, 0),
    read(reader) {
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries) value[name] = field.read(reader);
      return value;
    },
    write(writer, value) {
      if (typeof value !== "object" || value === null) refuse(kind, value);
      for (const [name, field] of entries) field.write(writer, value[name]);
    },
  };
}

/** A struct (or a tuple, whose elements get names): its fields in order. */
export function struct<const F extends Fields>(kind: string, fields: F): Field<RecordOf<F>> {
  const { least, read, write } = sequence(kind, fields);
  return { kind, least, fields, read: read as Field<RecordOf<F>>["read"], write: write as Field<RecordOf<F>>["write"] };
}

/** TypeScript type of the values of a table enum: a union that `name` discriminates. */
export type Variant<T extends VariantTable> = {
  readonly [N in keyof T & string]: { readonly name: N; readonly value: RecordOf<T[N]["fields"]> };
}[keyof T & string];

/** Names by index and indexes by name in one schema. */
function numbered<N extends string>(rows: Readonly<Record<N, Columns>>, schema: Schema): (N | undefined)[] {
  const names: (N | undefined)[] = [];
  for (const name of Object.keys(rows) as N[]) {
    const index = rows[name][schema];
    if (index === null) continue;
    if (names[index] !== undefined) throw new TypeError(`${schema}: ${name} and ${names[index]} are both ${index}`);
    names[index] = name;
  }
  return names;
}

/** A unit enum: the u32 index of a name. An index that the schema lacks is a fault, such a name a `TypeError`. */
export function unitEnum<const T extends Readonly<Record<string, Columns>>>(
  kind: string,
  rows: T,
): Field<keyof T & string> {
  type Name = keyof T & string;
  const indexes = new Map(Object.entries(rows));
  const names = new Map(SCHEMAS.map((schema) => [schema, numbered<Name>(rows, schema)]));
  return {
    kind,
    least: 4,
    units: rows,
    read(reader) {
      const index = reader.u32();
      return names.get(reader.schema)?.[index] ?? reader.invalid({ kind, index });
    },
    write(writer, name) {
      const index = indexes.get(name)?.[writer.schema] ?? refuse(`${kind} of ${writer.schema}`, name);
      writer.u32(index);
    },
  };
}

/** An enum whose rows have an index in each schema: the u32 index, then the variant's fields. */
export function tableEnum<const T extends VariantTable>(kind: string, table: T): Field<Variant<T>> {
  const rows = Object.entries(table);
  const names = unitEnum(kind, Object.fromEntries(rows.map(([name, row]) => [name, row.index])));
  const bodies = new Map(rows.map(([name, row]) => [name, sequence(`${kind}::${name}`, row.fields)]));
  return {
    kind,
    least: 4,
    variants: table,
    read(reader) {
      const name = names.read(reader);
      return { name, value: bodies.get(name)?.read(reader) } as Variant<T>;
    },
    write(writer, { name, value }) {
      names.write(writer, name);
      bodies.get(name)?.write(writer, value);
    },
  };
}

/** Names numbered in their order, the same in every schema. */
export function inOrder<const N extends readonly string[]>(...names: N): Readonly<Record<N[number], Columns>> {
  return Object.fromEntries(names.map((name, index) => [name, everywhere(index)])) as Record<N[number], Columns>;
}

/** An enum with the same variants in every schema: `dataEnum("SubmitBlockResult", { Accepted: {}, Rejected: { reason } })`. */
export function dataEnum<const T extends Readonly<Record<string, Fields>>>(
  kind: string,
  variants: T,
): Field<Variant<{ readonly [N in keyof T & string]: { readonly index: Columns; readonly fields: T[N] } }>> {
  const rows = Object.entries(variants).map(([name, fields], index) => [name, { index: everywhere(index), fields }]);
  return tableEnum(kind, Object.fromEntries(rows));
}

/** A type that differs by schema. Both must carry the same TypeScript values. */
export function bySchema<V>(pick: (schema: Schema) => Field<V>, kinds: readonly Field<V>[]): Field<V> {
  const [first] = kinds;
  if (first === undefined) throw new TypeError("a type by schema needs its types");
  return {
    ...first,
    least: Math.min(...kinds.map(({ least }) => least)),
    read: (reader) => pick(reader.schema).read(reader),
    write: (writer, value) => pick(writer.schema).write(writer, value),
  };
}

/**
 * An optional last field that only `schemas` have, and of those not even the early nodes: bytes that end before it are
 * read as `null`. A schema without it takes nothing but `null`.
 */
export function lateOption<V>(schemas: readonly Schema[], of: Field<V>): Field<V | null> {
  const field = option(of);
  return {
    ...field,
    least: 0,
    schemas,
    read: (reader) => (schemas.includes(reader.schema) && reader.remaining > 0 ? field.read(reader) : null),
    write(writer, value) {
      if (schemas.includes(writer.schema)) field.write(writer, value);
      else if (value !== null) refuse(`${writer.schema} without ${field.kind}`, value);
    },
  };
}

/** `serde_json::Value`, which bincode writes but nobody can read again: its bytes are passed over, and it cannot be written. */
export const jsonValue: Field<null> = {
  kind: "Value",
  least: 1,
  read(reader) {
    reader.rest();
    return null;
  },
  write: (_writer, value) => refuse("bincode", value),
};
