/**
 * What a credit's work counts for, as `chain_sets` has it: a set of chains begins with a comma, work on another pool's jobs with `pool:`, and work on jobs of
 * ours that were declared to a pool with `declared,`. So none can be taken for another whatever a pool is called, and ledgers from before read as they did.
 *
 * Work for a pool is that pool's to pay: it has no part in any Bitcoin block of ours. Where the job was ours, it has its part in the blocks of the chains
 * that the job committed to, as any work has.
 */
import { type Expression, type SqlBool, sql } from "kysely";
import type { LedgerDb } from "./schema.ts";
import { BITCOIN } from "./schema.ts";

const POOL = "pool:";
const DECLARED = "declared";

/** Work of our own jobs that committed to `chains`, beside Bitcoin's: names in ascending order between commas. */
export function chainsText(chains: readonly string[]): string {
  return chains.length === 0 ? "," : `,${[...chains].sort().join(",")},`;
}

/** Work on jobs of a pool, by its configured name. PostgreSQL has no text with a NUL, and one such name would hold up all credit. */
export function poolText(pool: string): string {
  return POOL + pool.replaceAll("\0", "");
}

/** Work on jobs that were declared to a pool and committed to `chains`, one at least. The pool's name is written without commas and colons. */
export function declaredText(pool: string, chains: readonly string[]): string {
  // PostgreSQL takes no NUL, and encodeURIComponent no half of a character.
  const name = encodeURIComponent(pool.replaceAll("\0", "").replaceAll(/[\ud800-\udfff]/gu, "?"));
  return `${DECLARED}${chainsText(chains)}:${name}`;
}

/** The pool that was mined for; `undefined` for none. */
export function poolOf(text: string): string | undefined {
  if (text.startsWith(POOL)) return text.slice(POOL.length);
  return isDeclared(text) ? decodeURIComponent(text.slice(text.indexOf(":") + 1)) : undefined;
}

/** All chains that the work counts for, Bitcoin first where it does. */
export function chainsOf(text: string): string[] {
  const names = (list: string): string[] => list.split(",").filter((name) => name !== "");
  if (isDeclared(text)) return names(text.slice(DECLARED.length, text.indexOf(":")));
  return isOwn(text) ? [BITCOIN, ...names(text)] : [];
}

function isDeclared(text: string): boolean {
  return text.startsWith(`${DECLARED},`);
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
  const isOurs = sql<SqlBool>`substr(${text}, 1, 1) = ','`;
  const isDeclaredHere = sql<SqlBool>`substr(${text}, 1, ${sql.lit(DECLARED.length + 1)}) = ${`${DECLARED},`}`;
  const all = db.selectFrom("chain_sets").select("id");
  const sets =
    chain === BITCOIN
      ? all.where(isOurs)
      : all
          .where(({ or }) => or([isOurs, isDeclaredHere]))
          .where(sql<string>`replace(${text}, ${`,${chain},`}, '')`, "<>", text);
  return sql<SqlBool>`chain_set_id in ${sets}`;
}
