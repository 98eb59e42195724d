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
import { boundValues } from "./sqlite-values.ts";

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

/** Transactions and single statements that may wait for their turn; the ledger's own queues are far below. */
const MAX_TURNS = 10_000;

class OverloadedError extends Error {
  readonly code = "LEDGER_OVERLOADED";

  constructor() {
    super(`${MAX_TURNS} statements and transactions wait for the ledger's file already`);
  }
}

class SessionDriver implements Driver {
  readonly #open: () => Promise<SqliteSession>;
  readonly #turns: (() => void)[] = [];
  #connection: SessionConnection | undefined;
  #taken = false;

  constructor(open: () => Promise<SqliteSession>) {
    this.#open = open;
  }

  async init(): Promise<void> {
    this.#connection = new SessionConnection(await this.#open());
  }

  async acquireConnection(): Promise<SessionConnection> {
    if (this.#taken) {
      if (this.#turns.length >= MAX_TURNS) throw new OverloadedError();
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    }
    this.#taken = true;
    if (this.#connection !== undefined) return this.#connection;
    await this.releaseConnection();
    throw new Error("the ledger's file is not open");
  }

  async releaseConnection(): Promise<void> {
    const next = this.#turns.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }

  async beginTransaction(connection: SessionConnection): Promise<void> {
    await connection.begin();
  }

  async commitTransaction(connection: SessionConnection): Promise<void> {
    await connection.commit();
  }

  async rollbackTransaction(connection: SessionConnection): Promise<void> {
    await connection.rollback();
  }

  async destroy(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }
}

class SessionConnection implements DatabaseConnection {
  readonly #session: SqliteSession;
  #inTransaction = false;
  /** The first failure in the transaction that is open. */
  #spoilt: Error | undefined;
  /** Why nothing more may be done with the session. */
  #unusable: Error | undefined;

  constructor(session: SqliteSession) {
    this.#session = session;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    // SQLite ends a transaction by itself when the disk is full or fails, and what follows would be written one by one. So a
    // transaction is over with its first failure, whoever catches it, as it is in PostgreSQL.
    const refused = this.#unusable ?? this.#spoilt;
    if (refused !== undefined) throw refused;
    const values = boundValues(parameters);
    try {
      const { rows, changes } = await this.#session.execute(sql, values);
      return changes === undefined ? { rows: rows as R[] } : { rows: rows as R[], numAffectedRows: changes };
    } catch (error) {
      if (this.#inTransaction && error instanceof Error) this.#spoilt = error;
      throw error;
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  /** Immediate: what reads first and writes then would fail if another process wrote between the two. */
  async begin(): Promise<void> {
    await this.executeQuery(CompiledQuery.raw("begin immediate"));
    this.#inTransaction = true;
  }

  async commit(): Promise<void> {
    await this.executeQuery(CompiledQuery.raw("commit"));
    this.#inTransaction = false;
  }

  async rollback(): Promise<void> {
    this.#inTransaction = false;
    this.#spoilt = undefined;
    if (this.#unusable !== undefined) return;
    try {
      await this.#session.execute("rollback", []);
    } catch (error) {
      if (error instanceof Error && /no transaction is active/.test(error.message)) return;
      // Whether the transaction is still open nobody knows: nothing may be written behind it. What made the rollback necessary is
      // what the caller is told.
      this.#unusable = error instanceof Error ? error : new Error(String(error));
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
  }
}
