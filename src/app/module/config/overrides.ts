/**
 * `MODULE_CONFIG_*`: what the bllvm node hands a module of its configuration. It reads the module's config.toml, flattens one level of
 * it into texts, and puts `[modules.NAME]` of its own file over that. What it makes of our tables cannot be read back (a table
 * becomes one text), so the file is read by us, and a variable counts only where it says something else than the file does.
 */
import { isDeepStrictEqual } from "node:util";
import { parse } from "smol-toml";
import type { z } from "zod";
import { nearest } from "../../../merge/config-mistakes.ts";
import type { KeyRow, SectionRow } from "../../config/rows.ts";
import { SECTIONS } from "../../config/schema.ts";
import { FLAT_KEYS, withoutFlatKeys } from "./flat-keys.ts";
import { type Layer, type Table, tableAt, valueAt } from "./layer.ts";

const PREFIX = "MODULE_CONFIG_";
/** Longer texts are no value of ours. */
const MAX_TEXT = 64 << 10;
/** What the node says beside our keys. */
const NODES_OWN = /^(DATABASE_BACKEND|VERSION|NODE_P2P_LISTEN_[A-Z]+)$/;

/** Variables as layers, one each, in no order that matters, and sentences about those that say nothing we know. */
export interface Overrides {
  readonly layers: readonly Layer[];
  readonly warnings: readonly string[];
}

/** A key that a variable can set. */
interface Settable {
  readonly path: readonly string[];
  readonly schema: z.ZodType | undefined;
}

/**
 * Reads the variables of `env`. `file` is the module folder's config.toml, `raw` the same before its flat keys were put in their tables: the
 * node repeats those, and a repetition must not win over files that come later.
 */
export function overridesOf(
  env: Readonly<Record<string, string | undefined>>,
  { table: file, raw }: { readonly table: Table; readonly raw: Table },
): Overrides {
  const layers: Layer[] = [];
  const warnings: string[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || text === undefined) continue;
    const name = variable.slice(PREFIX.length).toUpperCase();
    // A table of the file as one text.
    if (NODES_OWN.test(name) || TABLES.has(name)) continue;
    if (text.length > MAX_TEXT) {
      warnings.push(`${variable} has no effect: its text is longer than ${MAX_TEXT} characters`);
      continue;
    }
    const settable = settableOf(name);
    if (settable === undefined) {
      const near = nearest(name, [...SETTABLE.keys()]);
      warnings.push(
        `${variable} has no effect: there is no such key${near === undefined ? "" : `; did you mean ${PREFIX}${near}?`}`,
      );
      continue;
    }
    const { path, schema } = settable;
    const table = tableAt(path, textAsValue(text, schema));
    const flat = withoutFlatKeys(table);
    if (valueAt(raw, path) === undefined) warnings.push(...flat.warnings.map((warning) => `${variable}: ${warning}`));
    if (Object.keys(flat.table).length > 0 && !repeats(flat.table, file)) {
      layers.push({ name: variable, table: flat.table });
    }
  }
  return { layers, warnings };
}

/** Whether all of `table` stands in `file` already. */
function repeats(table: Table, file: Table): boolean {
  return leaves(table, []).every(([path, value]) => isDeepStrictEqual(valueAt(file, path), value));
}

function leaves(table: Table, path: readonly string[]): (readonly [path: readonly string[], value: unknown])[] {
  return Object.entries(table).flatMap(([key, value]) => {
    const at = [...path, key];
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? leaves(value as Table, at)
      : [[at, value] as const];
  });
}

/** Sections by the name that the node gives to a whole one. */
const TABLES: ReadonlySet<string> = new Set(
  Object.keys(SECTIONS).flatMap((name) => [name.toUpperCase(), name.replaceAll(".", "_").toUpperCase()]),
);

/** Keys by the names that variables may call them, upper case: `STRATUM_V2.LISTEN_ADDR`, `STRATUM_V2_LISTEN_ADDR`, `LISTEN_ADDR`. */
const SETTABLE: ReadonlyMap<string, Settable> = new Map([
  ...sections().flatMap(([section, row]) =>
    row.kind !== "table"
      ? []
      : Object.entries(row.keys).flatMap(([key, { schema }]) => {
          const settable: Settable = { path: [...section.split("."), key], schema };
          const dotted = settable.path.join(".").toUpperCase();
          return [dotted, dotted.replaceAll(".", "_")].map((name) => [name, settable] as const);
        }),
  ),
  ...FLAT_KEYS.map((key): [string, Settable] => {
    const keys: Readonly<Record<string, KeyRow>> = SECTIONS.stratum_v2.keys;
    const old: Readonly<Record<string, z.ZodType>> = { max_connections: SECTIONS.limits.keys.connections.schema };
    return [key.toUpperCase(), { path: [key], schema: keys[key]?.schema ?? old[key] }];
  }),
]);

function sections(): (readonly [string, SectionRow])[] {
  return Object.entries(SECTIONS as Readonly<Record<string, SectionRow>>);
}

/** Tables that the operator names: `CHAINS.NAMECOIN.PAYOUT`. Names of chains are lower case, and keys too. */
function settableOf(name: string): Settable | undefined {
  const known = SETTABLE.get(name);
  if (known !== undefined) return known;
  const [section = "", chain = "", key = "", ...rest] = name.toLowerCase().split(".");
  const row = sections().find(([of, { kind }]) => of === section && kind === "named")?.[1];
  if (row === undefined || chain === "" || key === "" || rest.length > 0) return undefined;
  const own = row.keys[key]?.schema;
  // A chain's further keys are its plugin's; other sections have none.
  return own === undefined && section !== "chains" ? undefined : { path: [section, chain, key], schema: own };
}

/** A text as a value of the schema's type. One that is none stays a text: the schema's own words say what was expected. */
function textAsValue(text: string, schema: z.ZodType | undefined): unknown {
  const trimmed = text.trim();
  switch (schema === undefined ? "guess" : typeOf(schema)) {
    case "boolean":
      return /^true$/i.test(trimmed) ? true : /^false$/i.test(trimmed) ? false : text;
    case "number":
      return numberOf(trimmed) ?? text;
    case "array":
      return listOf(trimmed);
    case "guess":
      if (trimmed === "true" || trimmed === "false") return trimmed === "true";
      return numberOf(trimmed) ?? unquoted(text);
    default:
      return unquoted(text);
  }
}

function numberOf(text: string): number | undefined {
  return /^[+-]?\d[\d_]*(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text.replaceAll("_", "")) : undefined;
}

/** Items joined by commas, with the quotes of TOML or without, in brackets or without. */
function listOf(text: string): unknown {
  const inner = /^\[([\s\S]*)\]$/.exec(text)?.[1] ?? text;
  if (inner.trim() === "") return [];
  return tomlOf(`[${inner}]`) ?? inner.split(",").map((item) => unquoted(item.trim()));
}

function unquoted(text: string): unknown {
  return /^("[\s\S]*"|'[\s\S]*')$/.test(text) ? (tomlOf(text) ?? text) : text;
}

function tomlOf(text: string): unknown {
  try {
    return parse(`value = ${text}`).value;
  } catch {
    return undefined;
  }
}

/** What the value of a schema is, below its default and its `optional`. */
function typeOf(schema: z.ZodType): string {
  const { def } = schema as unknown as {
    readonly def: { readonly type: string; readonly innerType?: z.ZodType; readonly options?: readonly z.ZodType[] };
  };
  if (def.innerType !== undefined) return typeOf(def.innerType);
  const [option] = def.options ?? [];
  if (def.type === "union" && option !== undefined) return typeOf(option);
  if (def.type === "literal") {
    const { values = [] } = def as { readonly values?: readonly unknown[] };
    return typeof values[0];
  }
  return def.type;
}
