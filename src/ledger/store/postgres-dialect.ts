/** Kysely over PostgreSQL: integers come as `bigint`, also sums, so that both databases give the same values. */
import { type DatabaseIntrospector, type Dialect, type Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { CurrentSchemaIntrospector } from "./postgres-introspector.ts";

/** How PostgreSQL is reached. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Connections at a time. */
  readonly connections: number;
  /** Ms after which an attempt to connect is given up. */
  readonly connectMs: number;
  /** Ms after which a statement is given up. */
  readonly statementMs: number;
  /** For commands that only look: the server refuses to write. */
  readonly readOnly: boolean;
  /** Told of a connection that broke by itself; what uses it fails as well. */
  readonly onError: (error: Error) => void;
}

const { builtins, getTypeParser } = pg.types;

/** A server that failed over has the same name and another address: connections are made anew every now and then. */
const LIFETIME_S = 300;

/** A dialect that connects with the first query. */
export function postgresDialect(options: PostgresOptions): Dialect {
  const first = options.readOnly ? READ_ONLY : DURABLE;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections,
    connectionTimeoutMillis: options.connectMs,
    statement_timeout: options.statementMs,
    // A server that was cut off says nothing at all, not even that it gave up.
    query_timeout: options.statementMs + 5000,
    // A process that was stopped in the middle of a transaction holds up others that wait for their turn no longer than a statement may.
    idle_in_transaction_session_timeout: options.statementMs,
    keepAlive: true,
    maxLifetimeSeconds: LIFETIME_S,
    // Here and not in Kysely's `onCreateConnection`, which keeps a connection whose first statement failed, so that the pool never ends.
    onConnect: (client) => client.query(first),
    application_name: "bllvm-stratum-v2",
    types: { getTypeParser: parserOf as typeof getTypeParser },
  });
  pool.on("error", options.onError);
  // The pool listens to a connection while nobody uses it. One that breaks between two statements of a transaction would
  // end the process: an error that nobody listens to is thrown.
  pool.on("connect", (client) => client.on("error", options.onError));
  return new CurrentSchemaDialect({ pool });
}

/** Kysely's dialect, which looks at our schema alone. */
class CurrentSchemaDialect extends PostgresDialect {
  override createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new CurrentSchemaIntrospector(db);
  }
}

const READ_ONLY = "set default_transaction_read_only = on";

/** A commit is on the disk when it is answered, also where the server's own setting is another one; a stronger one stays. */
const DURABLE =
  "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'";

function parserOf(oid: number, format?: "text" | "binary"): (text: string) => unknown {
  if (oid === builtins.INT2 || oid === builtins.INT4 || oid === builtins.INT8) return BigInt;
  // Sums of 64-bit columns are NUMERIC, whole here.
  if (oid === builtins.NUMERIC) return (text) => (/^-?\d+$/.test(text) ? BigInt(text) : text);
  return getTypeParser(oid, format as "text");
}
