/**
 * What a credit's work counts for, as `chain_sets` has it: a set of chains begins with a comma, work on another pool's jobs with `pool:`. So the two
 * cannot be taken for each other whatever a pool is called, and ledgers from before pool mode read as they did.
 *
 * Work for a pool is that pool's to pay: it has no part in any block of ours, Bitcoin's included.
 */
import { type Expression, type SqlBool, sql } from "kysely";
import type { LedgerDb } from "./schema.ts";
import { BITCOIN } from "./schema.ts";

const POOL = "pool:";

/** Work of our own jobs that committed to `chains`, beside Bitcoin's: names in ascending order between commas. */
export function chainsText(chains: readonly string[]): string {
  return chains.length === 0 ? "," : `,${[...chains].sort().join(",")},`;
}

/** Work on jobs of a pool, by its configured name. PostgreSQL has no text with a NUL, and one such name would hold up all credit. */
export function poolText(pool: string): string {
  return POOL + pool.replaceAll("\0", "");
}

/** The pool whose jobs the work was done on; `undefined` for our own. */
export function poolOf(text: string): string | undefined {
  return text.startsWith(POOL) ? text.slice(POOL.length) : undefined;
}

/** All chains that the work counts for, Bitcoin first; none for work on a pool's jobs. */
export function chainsOf(text: string): string[] {
  if (!isOwn(text)) return [];
  return [BITCOIN, ...text.split(",").filter((name) => name !== "")];
}

/** Whether the work counts for blocks of ours. */
function isOwn(text: string): boolean {
  return text.startsWith(",");
}

/**
 * Credits that have a part in blocks of `chain`, as a condition on their `chain_set_id`. `replace`, since `like` does not heed case in SQLite and reads `_` as
 * any character.
 */
export function countsFor(db: LedgerDb, chain: string): Expression<SqlBool> {
  const text = sql.ref<string>("chains");
  let sets = db.selectFrom("chain_sets").select("id").where(sql<string>`substr(${text}, 1, 1)`, "=", ",");
  if (chain !== BITCOIN) sets = sets.where(sql<string>`replace(${text}, ${`,${chain},`}, '')`, "<>", text);
  return sql<SqlBool>`chain_set_id in ${sets}`;
}
