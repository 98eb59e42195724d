/**
 * Keys that stand outside of any table: the first Stratum V2 modules of the bllvm node had a flat file, and the node's own
 * `[modules.NAME]` tables are flat. A file that worked with those must not keep this one from starting.
 */
import { SECTIONS } from "../../config/schema.ts";
import { isTable, type Table, valueAt } from "./layer.ts";

/** What became of a flat key. */
type Fate =
  | { readonly path: readonly string[]; readonly value?: (old: unknown) => unknown }
  /** A clause that ends "has no effect: …". */
  | { readonly why: string };

/** Room for a name in the tag of a coinbase, as the schema has it, without the two strokes. */
const MAX_POOL_NAME = 58;

/** Keys of blvm-stratum-v2's own file (`src/config.rs`), beside those of `[stratum_v2]`. */
const OLD_KEYS: Readonly<Record<string, (value: unknown) => Fate>> = {
  max_connections: () => ({ path: ["limits", "connections"] }),
  pool_name: (name) =>
    typeof name === "string" && name.length > 0 && name.length <= MAX_POOL_NAME
      ? { path: ["bitcoin", "pool_tag"], value: () => `/${name.replaceAll("/", "-")}/` }
      : { why: `it is no text of 1 to ${MAX_POOL_NAME} characters; bitcoin.pool_tag is what names the pool in blocks` },
  difficulty_target: () => ({
    why: "every channel's difficulty follows its hashrate; [vardiff] sets the shares wanted and the bounds",
  }),
  extra_extranonce: () => ({ why: "every channel gets an extranonce of its own" }),
};

/** Keys of the node's own `[stratum_v2]` table that are about the node's part in it. */
const NODE_KEYS: Readonly<Record<string, string>> = {
  transport_preference: "miners connect over TCP",
  p2p_stratum_demux: "it is about the node's own port",
};

/** Where a flat key belongs, or why it has no place; `undefined` for one that is no flat key. */
function fateOf(key: string, value: unknown): Fate | undefined {
  if (Object.hasOwn(SECTIONS.stratum_v2.keys, key)) return { path: ["stratum_v2", key] };
  return Object.hasOwn(OLD_KEYS, key) ? OLD_KEYS[key]?.(value) : undefined;
}

/** Names of all flat keys. */
export const FLAT_KEYS: readonly string[] = [...Object.keys(SECTIONS.stratum_v2.keys), ...Object.keys(OLD_KEYS)];

/**
 * `table` with its flat keys in their tables. A key that stands in its table too stays as it is there. `warnings` are sentences about what has no
 * effect, without the file's name.
 */
export function withoutFlatKeys(table: Table): { readonly table: Table; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const out: Record<string, unknown> = {};
  const moved: { path: readonly [string, string]; value: unknown }[] = [];
  for (const [key, value] of Object.entries(table)) {
    const fate = fateOf(key, value);
    if (fate === undefined) out[key] = value;
    else if ("why" in fate) warnings.push(`${key} has no effect: ${fate.why}`);
    else {
      const [section = "", name = ""] = fate.path;
      moved.push({ path: [section, name], value: fate.value === undefined ? value : fate.value(value) });
    }
  }
  const server = out.stratum_v2;
  if (isTable(server)) {
    const kept = Object.entries(server).filter(([key]) => !Object.hasOwn(NODE_KEYS, key));
    for (const [key, why] of Object.entries(NODE_KEYS)) {
      if (Object.hasOwn(server, key)) warnings.push(`stratum_v2.${key} has no effect: ${why}`);
    }
    out.stratum_v2 = Object.fromEntries(kept);
  }
  for (const { path, value } of moved) {
    const [section, name] = path;
    const there = out[section] ?? {};
    // What is no table is the schema's to refuse.
    if (!isTable(there)) continue;
    if (valueAt(there, [name]) !== undefined) warnings.push(`${name} has no effect: ${section}.${name} is set too`);
    else out[section] = { ...there, [name]: value };
  }
  return { table: out, warnings };
}
