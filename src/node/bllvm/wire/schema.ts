/**
 * The versions of the node's module IPC. The node numbers nothing: an enum is written as the index of its variant in the
 * order of declaration, so each version that inserted a variant is a schema of its own. A table row holds its index in all
 * of them. `docs/bllvm.md` tells which node speaks which; source: blvm-node `src/module/ipc/protocol.rs`, `src/module/traits.rs`.
 */

/**
 * `n0` the repository bllvm-node, `n1`, `n2` blvm-node of December 2025, `s1` v0.1.1 to v0.1.4, `s2` v0.1.5 to v0.1.9,
 * `s3` v0.1.10 to v0.1.55, `s4` v0.1.56 to v0.1.73, `s5` v0.1.74 and later. `s4` and `s5` are those of the published crates:
 * 0.1.56 to 0.1.73 declare the same, 0.1.74 to 0.1.80 changed two structs, 0.1.81 to 0.1.83 appended rows that do not disturb
 * the nodes before. What is newer than 0.1.83 was not seen.
 */
export const SCHEMAS = ["n0", "n1", "n2", "s1", "s2", "s3", "s4", "s5"] as const;

/** Name of a schema. */
export type Schema = (typeof SCHEMAS)[number];

/** Index of a variant in each schema; `null` where the schema lacks it. */
export type Columns = Readonly<Record<Schema, number | null>>;

/** Marks a schema without the variant in a call of `at`. */
export const no = null;

type Index = number | null;

/** The columns of a row, in the order of `SCHEMAS`. */
export function at(n0: Index, n1: Index, n2: Index, s1: Index, s2: Index, s3: Index, s4: Index, s5: Index): Columns {
  return { n0, n1, n2, s1, s2, s3, s4, s5 };
}

/** The columns of a variant that has the same index in every schema. */
export function everywhere(index: number): Columns {
  return at(index, index, index, index, index, index, index, index);
}
