/** What a database threw as a `Fault` that says what helps. Nothing of an address or a password comes into its words. */
import { Fault, type FaultCode } from "../../kernel/fault.ts";

/** First match wins; codes of SQLite, of PostgreSQL (SQLSTATE), of the system and of our own connections. */
const BY_CODE: readonly (readonly [RegExp, FaultCode])[] = [
  [/^(SQLITE_FULL|ENOSPC|EDQUOT|53100)$/, "ledger-disk-full"],
  [/^(SQLITE_READONLY_DBMOVED|LEDGER_MOVED)$/, "ledger-moved"],
  [/^(SQLITE_READONLY.*|EROFS|25006)$/, "ledger-read-only"],
  [/^(SQLITE_BUSY.*|SQLITE_LOCKED.*|SQLITE_PROTOCOL|55P03)$/, "ledger-locked"],
  [/^(SQLITE_CORRUPT.*|SQLITE_NOTADB|SQLITE_FORMAT|LEDGER_PROCESS_CORRUPT|XX001|XX002)$/, "ledger-corrupt"],
  [/^(SQLITE_PERM|SQLITE_AUTH|EACCES|EPERM)$/, "ledger-not-permitted"],
  [/^(SQLITE_CANTOPEN.*|ENOENT|EEXIST|ENOTDIR|EISDIR|ENAMETOOLONG|ELOOP|EMFILE|ENFILE)$/, "ledger-cannot-open"],
  [/^(SQLITE_IOERR.*|EIO|58.{3}|LEDGER_PROCESS_SILENT)$/, "ledger-disk-failed"],
  [/^LEDGER_IN_USE$/, "ledger-in-use"],
  [/^LEDGER_PROCESS_ENDED$/, "ledger-process-ended"],
  [/^LEDGER_OVERLOADED$/, "ledger-overloaded"],
  [/^(40001|40P01)$/, "ledger-conflict"],
  [/^(28.{3}|3D000|42501|3F000)$/, "ledger-credentials"],
  // Not reached, shut down, starting up, too many connections, or no answer in time.
  [
    /^(08.{3}|53[023].{2}|57P0.|57014|25P03|ECONN.*|ETIMEDOUT|ENOTFOUND|EAI_.*|EHOST.*|ENET.*|EPIPE|EADDR.*)$/,
    "ledger-unreachable",
  ],
];

/** Errors without a code, by their words: of `pg`, its pool, Kysely and libsql. */
const BY_WORDS: readonly (readonly [RegExp, FaultCode])[] = [
  [
    /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client (was closed|has encountered))/,
    "ledger-unreachable",
  ],
  [/(not support SSL connections|connection is insecure|self-signed|certificate)/, "ledger-unreachable"],
  [/(SASL|password must be a string|no password supplied)/, "ledger-credentials"],
  [
    /(driver has already been destroyed|Cannot use a pool after calling end|database connection is not open|file is not open)/,
    "ledger-not-open",
  ],
];

/** libsql says why a file did not open in words only; the number is SQLite's. */
const OPENING = /^ConnectionFailed\(.*: (\d+)"\)$/;
const OPENING_CODES: Readonly<Record<string, string>> = {
  "3": "SQLITE_PERM",
  "5": "SQLITE_BUSY",
  "8": "SQLITE_READONLY",
  "10": "SQLITE_IOERR",
  "11": "SQLITE_CORRUPT",
  "13": "SQLITE_FULL",
  "23": "SQLITE_AUTH",
  "26": "SQLITE_NOTADB",
};

/**
 * The fault of anything that was thrown while the database was used: a `Fault` is itself, and what we do not know is `ledger-failed`.
 * `undefined` for a mistake in the program (`TypeError` and its like), which stays as it is.
 */
export function storeFault(error: unknown): Fault | undefined {
  if (error instanceof Fault) return error;
  if (error instanceof TypeError || error instanceof RangeError) return undefined;
  if (error instanceof ReferenceError || error instanceof SyntaxError) return undefined;
  // `localhost` with two addresses fails once for each.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = first instanceof Error ? first.message : String(first);
  const code = codeOf(first, message);
  const words = withoutSecrets(message);
  const cause = words === message ? first : new Error(words);
  return new Fault(faultCode(first, code, message), { code }, { cause });
}

function faultCode(error: unknown, code: string | undefined, message: string): FaultCode {
  if (code === undefined) return BY_WORDS.find(([words]) => words.test(message))?.[1] ?? "ledger-failed";
  // Files have some of the same codes.
  if ((error as { readonly syscall?: unknown }).syscall === "connect") return "ledger-unreachable";
  return BY_CODE.find(([pattern]) => pattern.test(code))?.[1] ?? "ledger-failed";
}

function codeOf(error: unknown, message: string): string | undefined {
  const number = OPENING.exec(message)?.[1];
  if (number !== undefined) return OPENING_CODES[number] ?? "SQLITE_CANTOPEN";
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" && code !== "" ? code : undefined;
}

/** Longest text of a database that is passed on. */
const MAX_TEXT = 300;

function withoutSecrets(message: string): string {
  return message.replaceAll(/\/\/[^@\s]*@/g, "//").slice(0, MAX_TEXT);
}
