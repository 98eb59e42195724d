/** Kysely over one SQLite session: one connection, so transactions take turns. */
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { SqliteSession } from "./sqlite-session.ts";

/** SQLite changes its schema inside transactions, which Kysely's own adapter leaves out. */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** A dialect whose session is opened with the first query. */
export function sqliteDialect(open: () => Promise<SqliteSession>): Dialect {
  return {
    createAdapter: () => new Adapter(),
    createDriver: () => new SessionDriver(open),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class SessionDriver implements Driver {
  readonly #open: () => Promise<SqliteSession>;
  readonly #turns: (() => void)[] = [];
  #session: SqliteSession | undefined;
  #taken = false;

  constructor(open: () => Promise<SqliteSession>) {
    this.#open = open;
  }

  async init(): Promise<void> {
    this.#session = await this.#open();
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#session === undefined) throw new Error("the ledger's file is not open");
    if (this.#taken) await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#taken = true;
    return new SessionConnection(this.#session);
  }

  async releaseConnection(): Promise<void> {
    const next = this.#turns.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }

  /** Immediate: what reads first and writes then would fail if another process wrote between the two. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("commit"));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await connection.executeQuery(CompiledQuery.raw("rollback"));
    } catch (error) {
      // SQLite rolls back by itself when the disk is full or fails, and then there is nothing left to roll back.
      if (!(error instanceof Error && /no transaction is active/.test(error.message))) throw error;
    }
  }

  async destroy(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }
}

class SessionConnection implements DatabaseConnection {
  readonly #session: SqliteSession;

  constructor(session: SqliteSession) {
    this.#session = session;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#session.execute(sql, parameters);
    return changes === undefined ? { rows: rows as R[] } : { rows: rows as R[], numAffectedRows: changes };
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }
}
