/**
 * One connection to an SQLite file as a port, and libsql behind it. libsql waits for the disk inside its calls and ends its process at some
 * damages of a file, so the program has it in a process of its own (`sqlite-process.ts`); tests use it directly.
 */
import { existsSync, statSync } from "node:fs";
import Database from "libsql";
import { fileAddress, lockFile, makeFile, mustBeWritable, OpenFiles } from "./sqlite-file.ts";
import type { SqliteValue } from "./sqlite-values.ts";

/** What a statement gave. */
export interface SqliteAnswer {
  /** Rows by column name; integers are `bigint`. */
  readonly rows: readonly Record<string, unknown>[];
  /** Rows that it changed; `undefined` for a statement that gives rows. */
  readonly changes: bigint | undefined;
}

/** A connection. */
export interface SqliteSession {
  /** Runs one statement. Rejects with the system's error (`code` such as `SQLITE_FULL`). */
  execute(sql: string, values: readonly SqliteValue[]): Promise<SqliteAnswer>;
  /** Closes the file; nothing may be executed after that. */
  close(): Promise<void>;
}

/** How a file is opened. Plain data: it crosses over to another process. */
export interface SqliteOptions {
  /** Path of the file, or `:memory:`. */
  readonly path: string;
  /**
   * `own`: the server's, no second one may have the file. `share`: a command that writes beside a server. `read`: a command that only looks;
   * works beside a server and without one.
   */
  readonly access: "own" | "share" | "read";
  /** Whether a missing file is made, with its folders. */
  readonly create: boolean;
  /** Ms that a statement waits for another process that writes. */
  readonly busyMs: number;
}

/** What is used of libsql's statements. Values go as one array: a single `null` beside it would be taken for named parameters. */
interface Statement {
  readonly reader: boolean;
  all(values: readonly SqliteValue[]): Record<string, unknown>[];
  run(values: readonly SqliteValue[]): { readonly changes: number | bigint };
}

/** Statements that stay prepared, each with its text up to so many characters: those of long lists are rarely the same twice. */
const MAX_STATEMENTS = 200;
const MAX_KEPT_TEXT = 4000;

/** Log bytes that stay on the disk once they were taken over into the database. */
const LOG_BYTES = 64 * 2 ** 20;

/**
 * Opens a file: write-ahead log, and every commit is on the disk (fsync) before it is answered. Throws the system's error.
 * `synchronous = FULL` holds for all of the ledger, since a found block may be in any commit and credit is written in batches anyway.
 */
export function openSqlite(options: SqliteOptions): SqliteSession {
  const { path, access, create, busyMs } = options;
  const inMemory = path === ":memory:";
  if (create && !inMemory) makeFile(path);
  if (access !== "read" && !inMemory) mustBeWritable(path);
  const lock = access === "own" && !inMemory ? lockFile(path, busyMs) : undefined;
  try {
    if (inMemory) {
      const db = opened(path, busyMs, ["PRAGMA foreign_keys = ON"]);
      return session(db, undefined, () => db.close());
    }
    const db = openFile(options);
    return session(db, new OpenFiles(path), () => {
      if (access === "own") emptyLog(db);
      db.close();
      lock?.release();
    });
  } catch (error) {
    lock?.release();
    throw error;
  }
}

function openFile({ path, access, busyMs }: SqliteOptions): Database.Database {
  if (access !== "read") {
    return opened(fileAddress(path, "rw"), busyMs, [
      "PRAGMA journal_mode = WAL",
      "PRAGMA synchronous = FULL",
      "PRAGMA foreign_keys = ON",
      `PRAGMA journal_size_limit = ${LOG_BYTES}`,
      // SQLite opens what it cannot write for reading, and says so at the first write only.
      "begin immediate",
      "rollback",
    ]);
  }
  try {
    return opened(fileAddress(path, "ro"), busyMs, ["select 1 from sqlite_schema limit 1"]);
  } catch (error) {
    // Readers keep a file of shared memory beside the database. On a medium that takes none nobody writes either,
    // and without a log the database alone is all there is.
    const log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (!existsSync(path) || log > 0) throw error;
    return opened(fileAddress(path, "immutable"), busyMs, ["select 1 from sqlite_schema limit 1"]);
  }
}

function opened(address: string, busyMs: number, first: readonly string[]): Database.Database {
  const db = new Database(address);
  try {
    db.exec(`PRAGMA busy_timeout = ${Math.round(busyMs)}`);
    for (const statement of first) db.exec(statement);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Takes what is in the log over into the file, so that a copy of the file alone is the whole ledger. Not a must: the next start does it. */
function emptyLog(db: Database.Database): void {
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // The disk is full or a report reads just now.
  }
}

function session(db: Database.Database, files: OpenFiles | undefined, close: () => void): SqliteSession {
  db.defaultSafeIntegers(true);
  const statements = new Map<string, Statement>();
  const prepare = (sql: string): Statement => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const made = db.prepare(sql) as unknown as Statement;
    if (sql.length > MAX_KEPT_TEXT) return made;
    if (statements.size >= MAX_STATEMENTS) statements.clear();
    statements.set(sql, made);
    return made;
  };
  return {
    async execute(sql, values) {
      files?.check();
      const statement = prepare(sql);
      if (statement.reader) return { rows: statement.all(values), changes: undefined };
      return { rows: [], changes: BigInt(statement.run(values).changes) };
    },
    async close() {
      statements.clear();
      close();
    },
  };
}
