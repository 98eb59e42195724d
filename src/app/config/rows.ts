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

/** A section: a TOML table, or an array of tables when `many`. */
export interface SectionRow<K extends Readonly<Record<string, KeyRow>> = Readonly<Record<string, KeyRow>>> {
  readonly doc: string;
  readonly keys: K;
  readonly many: boolean;
}

/** A key: `schema` with its default or `.optional()`, its sentence and, without a default, an example. */
export function key<S extends z.ZodType>(schema: S, doc: string, example?: string): KeyRow<S> {
  return example === undefined ? { schema, doc } : { schema, doc, example };
}

/** `[name]`: one TOML table. */
export function section<K extends Readonly<Record<string, KeyRow>>>(
  doc: string,
  keys: K,
): SectionRow<K> & { many: false } {
  return { doc, keys, many: false };
}

/** `[[name]]`: any number of TOML tables. */
export function sections<K extends Readonly<Record<string, KeyRow>>>(
  doc: string,
  keys: K,
): SectionRow<K> & { many: true } {
  return { doc, keys, many: true };
}

type Shape<K extends Readonly<Record<string, KeyRow>>> = { [N in keyof K]: K[N]["schema"] };

/** The zod schema of a section's table; a key that is not in it is an error. */
export function tableSchema<K extends Readonly<Record<string, KeyRow>>>(
  row: SectionRow<K>,
): z.ZodObject<Shape<K>, z.core.$strict> {
  const shape = Object.fromEntries(Object.entries(row.keys).map(([name, { schema }]) => [name, schema]));
  return z.strictObject(shape) as unknown as z.ZodObject<Shape<K>, z.core.$strict>;
}

/** A duration in whole or fractional seconds between `least` and `most`. */
export function seconds(least: number, most: number): z.ZodNumber {
  return z.number().min(least).max(most);
}

/** A whole number between `least` and `most`. */
export function whole(least: number, most: number): z.ZodNumber {
  return z.number().int().min(least).max(most);
}
