/** Ledgers for tests: the same suites run on SQLite in memory and, in the project `ledger`, on a real PostgreSQL. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject, onTestFinished } from "vitest";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import { type LedgerStore, migrate, postgresStore, sqliteStore } from "../../src/ledger/store/open.ts";
import { openSqlite } from "../../src/ledger/store/sqlite-session.ts";
import { storeAccess } from "../../src/ledger/store/transaction.ts";
import "./postgres-setup.ts";

/** A kind of ledger that suites run on: `describe.each(LEDGERS)("… on $name", ({ open }) => …)`. */
export interface LedgerKind {
  readonly name: "sqlite" | "postgres";
  /** An empty ledger of its own with all tables; closed and removed with the test. PostgreSQL's has as many connections as a server's, or `connections`. */
  open(options?: { readonly connections?: number }): Promise<LedgerStore>;
}

/** An empty ledger in memory, closed with the test. */
export async function memoryLedger(): Promise<LedgerStore> {
  const store = sqliteStore(async () => openSqlite({ path: ":memory:", access: "own", create: true, busyMs: 1000 }));
  onTestFinished(() => store.close());
  await migrate(store, { lookOnly: false });
  return store;
}

/** A new, empty database of the private PostgreSQL at `url`: its URL. Dropped with the test, whoever is still connected. Takes half a second. */
export async function freshDatabase(url: string): Promise<string> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  await administer(url, `create database ${name}`);
  onTestFinished(() => administer(url, `drop database ${name} with (force)`));
  // The URL of a socket names no host, which `URL` does not take.
  const own = new URL(url.replace("@/", "@socket/"));
  own.pathname = `/${name}`;
  return own.href.replace("@socket/", "@/");
}

/** A new, empty schema of the private PostgreSQL at `url` as if it were a database of its own: its URL. Dropped with the test. */
async function freshSchema(url: string): Promise<string> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  await administer(url, `create schema ${name}`);
  onTestFinished(() => administer(url, `drop schema ${name} cascade`));
  return `${url}${url.includes("?") ? "&" : "?"}options=${encodeURIComponent(`-c search_path=${name}`)}`;
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** An empty ledger in a PostgreSQL schema of its own, closed and dropped with the test. */
async function postgresLedger(url: string, connections: number): Promise<LedgerStore> {
  const own = await freshSchema(url);
  const store = postgresStore({
    url: own,
    connections,
    connectMs: 5000,
    statementMs: 30_000,
    readOnly: false,
    onError() {},
  });
  onTestFinished(() => store.close());
  await migrate(store, { lookOnly: false });
  return store;
}

const postgresUrl = inject("postgresUrl");

/** The ledgers that suites run on: SQLite always, PostgreSQL in the project `ledger` where it is installed. */
export const LEDGERS: readonly LedgerKind[] = [
  { name: "sqlite", open: memoryLedger },
  ...(postgresUrl === undefined
    ? []
    : [{ name: "postgres", open: ({ connections = 4 } = {}) => postgresLedger(postgresUrl, connections) } as const]),
];

/** A ledger's database without a server around it. */
export function directAccess(store: LedgerStore): LedgerAccess {
  return storeAccess(store);
}
