/** Whether the database itself is whole: its pages, its indexes, and that rows name only rows that are there. */
import { sql } from "kysely";
import type { StoreKind } from "../store/migrations.ts";
import type { LedgerDb } from "../store/schema.ts";

/** Sentences that are returned at most. */
const MAX_FLAWS = 20;

/** What is wrong, in the database's own words; nothing for a whole one. PostgreSQL checks its pages and references by itself as it reads and writes. */
export async function databaseFlaws(db: LedgerDb, kind: StoreKind): Promise<string[]> {
  if (kind === "postgres") return [];
  const pages = await sql<{ integrity_check: string }>`pragma integrity_check(20)`.execute(db);
  const flaws = pages.rows.map(({ integrity_check }) => integrity_check).filter((text) => text !== "ok");
  const lost = await sql<{ table: string; rowid: number | null; parent: string }>`
    select "table", rowid, parent from pragma_foreign_key_check() limit ${MAX_FLAWS}`.execute(db);
  const references = lost.rows.map(({ table, rowid, parent }) => {
    return `a row of ${table}${rowid === null ? "" : ` (${rowid})`} names a row of ${parent} that is not there`;
  });
  return [...flaws, ...references].slice(0, MAX_FLAWS);
}
