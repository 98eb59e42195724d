import { describe, expect, test } from "vitest";
import { Fault, describe as inWords } from "../../../../src/kernel/fault.ts";
import { storeFault } from "../../../../src/ledger/store/store-fault.ts";

const coded = (code: string, message = "words of the system", more = {}): Error =>
  Object.assign(new Error(message), { code, ...more });

describe("the fault of what a database threw", () => {
  // Codes: sqlite.org/rescode.html; PostgreSQL 15, appendix A; errno(3).
  test.each([
    ["SQLITE_FULL", "ledger-disk-full"],
    ["ENOSPC", "ledger-disk-full"],
    ["53100", "ledger-disk-full"],
    ["SQLITE_READONLY", "ledger-read-only"],
    ["SQLITE_READONLY_RECOVERY", "ledger-read-only"],
    ["SQLITE_READONLY_DBMOVED", "ledger-moved"],
    ["LEDGER_MOVED", "ledger-moved"],
    ["EROFS", "ledger-read-only"],
    ["25006", "ledger-read-only"],
    ["SQLITE_BUSY", "ledger-locked"],
    ["SQLITE_BUSY_RECOVERY", "ledger-locked"],
    ["SQLITE_LOCKED_SHAREDCACHE", "ledger-locked"],
    ["55P03", "ledger-locked"],
    ["SQLITE_CORRUPT", "ledger-corrupt"],
    ["SQLITE_CORRUPT_VTAB", "ledger-corrupt"],
    ["SQLITE_NOTADB", "ledger-corrupt"],
    ["LEDGER_PROCESS_CORRUPT", "ledger-corrupt"],
    ["XX001", "ledger-corrupt"],
    ["SQLITE_CANTOPEN", "ledger-cannot-open"],
    ["SQLITE_CANTOPEN_ISDIR", "ledger-cannot-open"],
    ["ENOTDIR", "ledger-cannot-open"],
    ["EMFILE", "ledger-cannot-open"],
    ["SQLITE_PERM", "ledger-not-permitted"],
    ["EACCES", "ledger-not-permitted"],
    ["SQLITE_IOERR_FSYNC", "ledger-disk-failed"],
    ["EIO", "ledger-disk-failed"],
    ["58030", "ledger-disk-failed"],
    ["LEDGER_PROCESS_SILENT", "ledger-disk-failed"],
    ["LEDGER_IN_USE", "ledger-in-use"],
    ["LEDGER_PROCESS_ENDED", "ledger-process-ended"],
    ["LEDGER_OVERLOADED", "ledger-overloaded"],
    ["40001", "ledger-conflict"],
    ["40P01", "ledger-conflict"],
    ["28P01", "ledger-credentials"],
    ["28000", "ledger-credentials"],
    ["3D000", "ledger-credentials"],
    ["42501", "ledger-credentials"],
    ["53300", "ledger-unreachable"],
    ["57P01", "ledger-unreachable"],
    ["57P03", "ledger-unreachable"],
    ["57014", "ledger-unreachable"],
    ["08006", "ledger-unreachable"],
    ["ECONNREFUSED", "ledger-unreachable"],
    ["ECONNRESET", "ledger-unreachable"],
    ["ENOTFOUND", "ledger-unreachable"],
    ["SQLITE_CONSTRAINT_UNIQUE", "ledger-failed"],
    ["23505", "ledger-failed"],
    ["42P01", "ledger-failed"],
  ])("%s is %s", (code, fault) => {
    expect(storeFault(coded(code))).toMatchObject({ code: fault, data: { code } });
  });

  test.each([
    ["Connection terminated unexpectedly", "ledger-unreachable"],
    ["Connection terminated due to connection timeout", "ledger-unreachable"],
    ["timeout exceeded when trying to connect", "ledger-unreachable"],
    ["Query read timeout", "ledger-unreachable"],
    ["The server does not support SSL connections", "ledger-unreachable"],
    ["SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string", "ledger-credentials"],
    ["driver has already been destroyed", "ledger-not-open"],
    ['ConnectionFailed("Unable to open connection to local database /x/y.sqlite: 14")', "ledger-cannot-open"],
    ['ConnectionFailed("Unable to open connection to local database /x/y.sqlite: 26")', "ledger-corrupt"],
    ["no result", "ledger-failed"],
  ])("“%s” is told by its words: %s", (message, fault) => {
    expect(storeFault(new Error(message))?.code).toBe(fault);
  });

  test("what a file lacks is another thing than what a socket lacks", () => {
    expect(storeFault(coded("ENOENT"))?.code).toBe("ledger-cannot-open");
    expect(storeFault(coded("ENOENT", "connect ENOENT /run/x", { syscall: "connect" }))?.code).toBe(
      "ledger-unreachable",
    );
    expect(storeFault(coded("EACCES", "connect EACCES", { syscall: "connect" }))?.code).toBe("ledger-unreachable");
  });

  test("a name with two addresses fails for the reason of the first", () => {
    expect(storeFault(new AggregateError([coded("ECONNREFUSED"), coded("ETIMEDOUT")]))?.code).toBe(
      "ledger-unreachable",
    );
  });

  test("mistakes of the program stay what they are, and a fault is itself", () => {
    for (const mistake of [new TypeError("x"), new RangeError("x"), new ReferenceError("x"), new SyntaxError("x")]) {
      expect(storeFault(mistake)).toBeUndefined();
    }
    const fault = new Fault("ledger-schema-newer");
    expect(storeFault(fault)).toBe(fault);
    expect(storeFault("thrown without an Error")?.code).toBe("ledger-failed");
  });

  test("no password comes into its words, and they are short", () => {
    const leak = `cannot read postgres://pool:s3cret@db.example/ledger ${"x".repeat(5000)}`;
    const fault = storeFault(coded("28P01", leak));
    const words = inWords(fault);
    expect(words).not.toContain("s3cret");
    expect(words).toContain("//db.example/ledger");
    expect(words.length).toBeLessThan(500);
    expect(JSON.stringify(fault)).not.toContain("s3cret");
  });

  test("every one says what to do", () => {
    for (const code of ["SQLITE_FULL", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_CORRUPT", "ECONNREFUSED", "28P01"]) {
      expect(storeFault(coded(code))?.help).toContain("ining goes on");
    }
  });
});
