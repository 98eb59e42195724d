/** Opens the ledger's database and brings its schema up to date. */
import { Kysely, Migrator, sql } from "kysely";
import { Fault } from "../../kernel/fault.ts";
import { integerColumns } from "./integers.ts";
import { migrationsFor, STEP_TABLES, type StoreKind } from "./migrations.ts";
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

/** SQLite through `open`, e.g. `openSqliteProcess`; nothing is opened before the first query. */
export function sqliteStore(open: () => Promise<SqliteSession>): LedgerStore {
  return store("sqlite", new Kysely<LedgerTables>({ dialect: sqliteDialect(open), plugins: [integerColumns] }));
}

/** PostgreSQL; connects with the first query. */
export function postgresStore(options: PostgresOptions): LedgerStore {
  return store("postgres", new Kysely<LedgerTables>({ dialect: postgresDialect(options), plugins: [integerColumns] }));
}

/**
 * Brings the schema up to date, or only looks whether it is. Two processes may do so at once. Throws `Fault("ledger-schema-newer")` for a
 * database that a newer version of this program wrote, `Fault("ledger-schema-older")` when only looking at one that an older version wrote,
 * and what the database threw.
 */
export async function migrate({ kind, db }: LedgerStore, options: { readonly lookOnly: boolean }): Promise<void> {
  const migrations = migrationsFor(kind);
  const schema = kind === "postgres" ? await currentSchema(db) : undefined;
  const done = await appliedMigrations(db, schema);
  const unknown = done.filter((name) => !(name in migrations));
  if (unknown.length > 0) throw new Fault("ledger-schema-newer", { steps: unknown.join(" ") });
  const missing = Object.keys(migrations).filter((name) => !done.includes(name));
  if (missing.length === 0) return;
  if (options.lookOnly) throw new Fault("ledger-schema-older", { steps: missing.join(" ") });
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
    ...STEP_TABLES,
    ...(schema === undefined ? {} : { migrationTableSchema: schema }),
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** The schema of PostgreSQL in which this connection makes tables. */
async function currentSchema(db: LedgerDb): Promise<string> {
  const { rows } = await sql<{ name: string | null }>`select current_schema() as name`.execute(db);
  const name = rows[0]?.name;
  if (name === undefined || name === null) throw new Fault("ledger-credentials", { reason: "the user has no schema" });
  return name;
}

/** Names of the steps that the database went through; none for an empty one. */
async function appliedMigrations(db: LedgerDb, schema: string | undefined): Promise<string[]> {
  const { migrationTableName } = STEP_TABLES;
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === migrationTableName && table.schema === schema)) return [];
  const rows = await (db as unknown as Kysely<{ [migrationTableName]: { name: string } }>)
    .selectFrom(migrationTableName)
    .select("name")
    .execute();
  return rows.map(({ name }) => name);
}

function store(kind: StoreKind, db: LedgerDb): LedgerStore {
  return { kind, db, close: () => db.destroy() };
}
