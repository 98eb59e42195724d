/** One source of a module's configuration, before anything is checked, and how several become one. */

/** A table of TOML as it was parsed. */
export type Table = { readonly [key: string]: unknown };

/** One source. */
export interface Layer {
  /** As messages call it: a file's path, or a variable. */
  readonly name: string;
  readonly table: Table;
}

/** The merged table, and the layer that each of its values came from. */
export interface Merged {
  readonly table: Table;
  /** The name of the layer that the value at `path`, or the nearest thing around it, came from. */
  originOf(path: readonly PropertyKey[]): string | undefined;
}

/** Whether `value` is a table of TOML: not a list, not a date. */
export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Later layers win. Tables are merged key by key; lists, also lists of tables, are replaced as a whole. */
export function mergeLayers(layers: readonly Layer[]): Merged {
  const origins = new Map<string, string>();
  let table: Table = {};
  for (const layer of layers) table = merged(table, layer.table, layer.name, [], origins);
  return {
    table,
    originOf(path) {
      for (let length = path.length; length > 0; length--) {
        const origin = origins.get(keyOf(path.slice(0, length)));
        if (origin !== undefined) return origin;
      }
      return undefined;
    },
  };
}

function merged(
  below: Table,
  above: Table,
  name: string,
  path: readonly string[],
  origins: Map<string, string>,
): Table {
  const out: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const at = [...path, key];
    origins.set(keyOf(at), name);
    const under = Object.hasOwn(below, key) ? below[key] : undefined;
    const next = isTable(value) ? merged(isTable(under) ? under : {}, value, name, at, origins) : value;
    // `__proto__` is a key of a table like any other.
    Object.defineProperty(out, key, { value: next, enumerable: true, configurable: true, writable: true });
  }
  return out;
}

function keyOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

/** The table `{ a: { b: value } }` of the path `["a", "b"]`. */
export function tableAt(path: readonly string[], value: unknown): Table {
  const [key, ...rest] = path;
  if (key === undefined) throw new TypeError("a path has a key");
  return { [key]: rest.length === 0 ? value : tableAt(rest, value) };
}

/** The value at `path`; `undefined` where there is none. */
export function valueAt(table: Table, path: readonly string[]): unknown {
  let value: unknown = table;
  for (const key of path) value = isTable(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}
