/** Where the ledger is, as it was configured, and how it is opened from there. */
import { resolve } from "node:path";
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import { type LedgerStore, postgresStore, sqliteStore } from "./open.ts";
import { openSqliteProcess } from "./sqlite-process.ts";
import type { SqliteOptions } from "./sqlite-session.ts";

/** An SQLite file by its absolute path, or a PostgreSQL database by its URL, which may hold a password. */
export type LedgerAddress =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: string };

/**
 * What `ledger.database` names; left out, `ledger.sqlite` in `dataDir`. Throws `Fault("ledger-address")` for what is neither
 * a path nor a PostgreSQL URL with a host and a database.
 */
export function ledgerAddress(database: string | undefined, dataDir: string): LedgerAddress {
  if (database === undefined) return { kind: "sqlite", path: resolve(dataDir, "ledger.sqlite") };
  if (/^postgres(ql)?:\/\//i.test(database)) {
    const url = parsed(database);
    if (url === undefined) throw new Fault("ledger-address", { reason: "the URL cannot be read" });
    if (hostOf(url) === "") throw new Fault("ledger-address", { reason: "the URL names no host" });
    if (url.pathname.length < 2) throw new Fault("ledger-address", { reason: "the URL names no database" });
    return { kind: "postgres", url: database };
  }
  // Also `:memory:` and what libsql would take for a server of its own.
  if (/^[a-z][a-z0-9+.-]+:/i.test(database) || database.startsWith(":") || /[\0\r\n]/.test(database)) {
    throw new Fault("ledger-address", { reason: "this kind of address is not known" });
  }
  if (/[/\\]$/.test(database) || database.trim() === "")
    throw new Fault("ledger-address", { reason: "no file is named" });
  return { kind: "sqlite", path: resolve(database) };
}

/** For logs and displays: the path, or host and database without user, password and options. */
export function showAddress(address: LedgerAddress): string {
  if (address.kind === "sqlite") return address.path;
  const url = parsed(address.url);
  return url === undefined ? "PostgreSQL" : `PostgreSQL ${hostOf(url)}${url.pathname}`;
}

/** What the store is opened for, and with what. */
export interface LedgerOpening extends Pick<SqliteOptions, "access" | "create"> {
  /** The compiled `sqlite-child.ts`. */
  readonly script: URL;
  readonly clock: Clock;
  /** Ms that SQLite may take for one answer; left out, two minutes. PostgreSQL has limits of its own. */
  readonly answerMs?: number;
  /** Told when the database goes away while nobody uses it. */
  readonly onLost: (error: Error) => void;
}

/** Waits of all stores: a report and a payout write for moments only. */
const BUSY_MS = 5000;
const CONNECT_MS = 5000;
const STATEMENT_MS = 60_000;
/** A statement of ours takes seconds at most, so a disk that is silent for so long hangs. */
const ANSWER_MS = 120_000;

/** Connections of a server to PostgreSQL: credit, followers, payouts and a display. */
const CONNECTIONS = 4;

/** A store on `address`; nothing is opened before its first query. */
export function openLedger(address: LedgerAddress, opening: LedgerOpening): LedgerStore {
  const { access, create, script, clock, answerMs = ANSWER_MS, onLost } = opening;
  if (address.kind === "sqlite") {
    const options: SqliteOptions = { path: address.path, access, create, busyMs: BUSY_MS };
    return sqliteStore(() => openSqliteProcess(options, { script, clock, answerMs, onGone: onLost }));
  }
  return postgresStore({
    url: address.url,
    connections: CONNECTIONS,
    connectMs: CONNECT_MS,
    statementMs: STATEMENT_MS,
    readOnly: access === "read",
    onError: onLost,
  });
}

/** `postgres://user@/database?host=/run/postgresql` is PostgreSQL's own way to name a socket, though no URL by the book. */
function parsed(text: string): URL | undefined {
  try {
    return new URL(text.replace(/^(postgres(?:ql)?:\/\/[^/]*@)\//i, "$1socket.invalid/"));
  } catch {
    return undefined;
  }
}

function hostOf(url: URL): string {
  return url.searchParams.get("host") ?? (url.hostname === "socket.invalid" ? "" : url.host);
}
