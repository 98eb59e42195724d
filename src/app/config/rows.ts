/**
 * Configuration as tables: a key is a row with its zod schema and its sentence. The schema of the whole file, the
 * commented example, the reference page and the error messages all derive from the rows.
 */
import { z } from "zod";

/** One key of a section. */
export interface KeyRow<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  /** What the key does, for the operator; becomes the comment in `config.toml.example`. */
  readonly doc: string;
  /** A TOML value to show for a key that has no default. */
  readonly example?: string;
}

/** A section: one TOML table, an array of tables, or tables that the operator names. */
export interface SectionRow<K extends Readonly<Record<string, KeyRow>> = Readonly<Record<string, KeyRow>>> {
  readonly doc: string;
  readonly keys: K;
  readonly kind: "table" | "array" | "named";
}

/** A key: `schema` with its default or `.optional()`, its sentence and, without a default, an example. */
export function key<S extends z.ZodType>(schema: S, doc: string, example?: string): KeyRow<S> {
  return example === undefined ? { schema, doc } : { schema, doc, example };
}

/** `[name]`: one TOML table. */
export function section<K extends Readonly<Record<string, KeyRow>>>(
  doc: string,
  keys: K,
): SectionRow<K> & { kind: "table" } {
  return { doc, keys, kind: "table" };
}

/** `[[name]]`: any number of TOML tables. */
export function sections<K extends Readonly<Record<string, KeyRow>>>(
  doc: string,
  keys: K,
): SectionRow<K> & { kind: "array" } {
  return { doc, keys, kind: "array" };
}

/** `[name.<a name of the operator's>]`: any number of TOML tables. */
export function namedTables<K extends Readonly<Record<string, KeyRow>>>(
  doc: string,
  keys: K,
): SectionRow<K> & { kind: "named" } {
  return { doc, keys, kind: "named" };
}

type Shape<K extends Readonly<Record<string, KeyRow>>> = { [N in keyof K]: K[N]["schema"] };

/** The zod schema of a section's table; a key that is not in it is an error. */
export function tableSchema<K extends Readonly<Record<string, KeyRow>>>(
  row: SectionRow<K>,
): z.ZodObject<Shape<K>, z.core.$strict> {
  return z.strictObject(shapeOf(row)) as unknown as z.ZodObject<Shape<K>, z.core.$strict>;
}

/** The zod schema of a table that holds keys of others too: they are passed on as they are. */
export function looseTableSchema<K extends Readonly<Record<string, KeyRow>>>(
  row: SectionRow<K>,
): z.ZodObject<Shape<K>, z.core.$loose> {
  return z.looseObject(shapeOf(row)) as unknown as z.ZodObject<Shape<K>, z.core.$loose>;
}

function shapeOf(row: SectionRow): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(row.keys).map(([name, { schema }]) => [name, schema]));
}

/** A duration in whole or fractional seconds between `least` and `most`. */
export function seconds(least: number, most: number): z.ZodNumber {
  return z.number().min(least).max(most);
}

/** A whole number between `least` and `most`. */
export function whole(least: number, most: number): z.ZodNumber {
  return z.number().int().min(least).max(most);
}

/** A percentage of 0 to 100 with up to four decimals, so that it is a whole number of millionths. */
export function percent(): z.ZodNumber {
  return z.number().min(0).max(100).multipleOf(0.0001, "a percentage with at most four decimals");
}

/** `host:port`, an IPv6 host in brackets. */
export const hostPort = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, "host:port, e.g. 0.0.0.0:3333 or [::]:3333");
