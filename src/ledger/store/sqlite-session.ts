/**
 * One connection to an SQLite file as a port, and libsql behind it. libsql waits for the disk inside its calls, so the server has it in a
 * thread of its own (`sqlite-thread.ts`): a disk that hangs holds up no share. Commands and tests use it directly.
 */
import Database from "libsql";

/** What a statement gave. */
export interface SqliteAnswer {
  /** Rows by column name; integers are `bigint`. */
  readonly rows: readonly Record<string, unknown>[];
  /** Rows that it changed; `undefined` for a statement that reads. */
  readonly changes: bigint | undefined;
}

/** A connection. */
export interface SqliteSession {
  /** Runs one statement. Rejects with the system's error (`code` such as `SQLITE_FULL`). */
  execute(sql: string, parameters: readonly unknown[]): Promise<SqliteAnswer>;
  /** Closes the file; nothing may be executed after that. */
  close(): Promise<void>;
}

/** How a file is opened. Plain data: it crosses over to a thread. */
export interface SqliteOptions {
  /** Path of the file, or `:memory:`. */
  readonly path: string;
  /** For commands that only look: the file must exist, and nothing is written. */
  readonly readOnly: boolean;
  /** Ms that a statement waits for another process that writes. */
  readonly busyMs: number;
}

/** What is used of libsql's statements, whose own types ask for a tuple of parameters. */
interface Statement {
  readonly reader: boolean;
  all(...values: readonly unknown[]): Record<string, unknown>[];
  run(...values: readonly unknown[]): { readonly changes: number | bigint };
}

/** Statements that stay prepared. */
const MAX_STATEMENTS = 200;

/**
 * Opens a file: write-ahead log, and every commit is on the disk (fsync) before it is answered. Throws the system's error.
 * `synchronous = FULL` holds for all of the ledger, since a found block may be in any commit and credit is written in batches anyway.
 */
export function openSqlite({ path, readOnly, busyMs }: SqliteOptions): SqliteSession {
  const db = new Database(path, { readonly: readOnly, fileMustExist: readOnly });
  try {
    db.exec(`PRAGMA busy_timeout = ${Math.round(busyMs)}`);
    if (!readOnly) db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    db.defaultSafeIntegers(true);
  } catch (error) {
    db.close();
    throw error;
  }
  const statements = new Map<string, Statement>();
  const prepare = (sql: string): Statement => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const made = db.prepare(sql) as unknown as Statement;
    if (statements.size >= MAX_STATEMENTS) statements.clear();
    statements.set(sql, made);
    return made;
  };
  return {
    async execute(sql, parameters) {
      const statement = prepare(sql);
      const values = parameters.map(bound);
      if (statement.reader) {
        return { rows: statement.all(...values), changes: undefined };
      }
      const { changes } = statement.run(...values);
      return { rows: [], changes: BigInt(changes) };
    },
    async close() {
      db.close();
    },
  };
}

/** A number without a fraction is an integer: bound as it comes it would be a floating-point value in every expression. */
function bound(value: unknown): unknown {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}
