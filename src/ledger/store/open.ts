/** Opens the ledger's database and brings its schema up to date. */
import { Kysely, type Migration, Migrator } from "kysely";
import { Fault } from "../../kernel/fault.ts";
import { integerColumns } from "./integers.ts";
import { migrationsFor, type StoreKind } from "./migrations.ts";
import { type PostgresOptions, postgresDialect } from "./postgres-dialect.ts";
import type { LedgerDb, LedgerTables } from "./schema.ts";
import { sqliteDialect } from "./sqlite-dialect.ts";
import type { SqliteSession } from "./sqlite-session.ts";

/** An open ledger. */
export interface LedgerStore {
  readonly kind: StoreKind;
  readonly db: LedgerDb;
  /** Lets go of the database. */
  close(): Promise<void>;
}

/** SQLite through `open`, e.g. `openSqliteThread`; nothing is opened before the first query. */
export function sqliteStore(open: () => Promise<SqliteSession>): LedgerStore {
  return store("sqlite", new Kysely<LedgerTables>({ dialect: sqliteDialect(open), plugins: [integerColumns] }));
}

/** PostgreSQL; connects with the first query. */
export function postgresStore(options: PostgresOptions): LedgerStore {
  return store("postgres", new Kysely<LedgerTables>({ dialect: postgresDialect(options), plugins: [integerColumns] }));
}

/**
 * Brings the schema up to date, or only looks whether it is. Throws `Fault("ledger-schema-newer")` for a database that a newer version of
 * this program wrote, `Fault("ledger-schema-older")` when only looking at one that an older version wrote, and what the database threw.
 */
export async function migrate({ kind, db }: LedgerStore, options: { readonly lookOnly: boolean }): Promise<void> {
  const migrations = migrationsFor(kind);
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const done = await appliedMigrations(db);
  const unknown = done.filter((name) => !(name in migrations));
  if (unknown.length > 0) throw new Fault("ledger-schema-newer", { steps: unknown.join(" ") });
  if (done.length === Object.keys(migrations).length) return;
  if (options.lookOnly) throw new Fault("ledger-schema-older", { steps: missing(migrations, done) });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

function missing(migrations: Record<string, Migration>, done: readonly string[]): string {
  return Object.keys(migrations)
    .filter((name) => !done.includes(name))
    .join(" ");
}

/** Names of the steps that the database went through; none for an empty one. */
async function appliedMigrations(db: LedgerDb): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === "kysely_migration")) return [];
  const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom("kysely_migration")
    .select("name")
    .execute();
  return rows.map(({ name }) => name);
}

function store(kind: StoreKind, db: LedgerDb): LedgerStore {
  return { kind, db, close: () => db.destroy() };
}
