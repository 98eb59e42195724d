import { describe, expect, test } from "vitest";
import { ledgerAddress, showAddress } from "../../../../src/ledger/store/address.ts";

describe("where the ledger is", () => {
  test("without a word it is a file in data_dir", () => {
    const address = ledgerAddress(undefined, "/var/lib/pool");
    expect(address).toEqual({ kind: "sqlite", path: "/var/lib/pool/ledger.sqlite" });
    expect(showAddress(address)).toBe("/var/lib/pool/ledger.sqlite");
  });

  test("a path is a file, also one with a question mark or a percent sign in it", () => {
    expect(ledgerAddress("/srv/who? 100%.db", "/x")).toEqual({ kind: "sqlite", path: "/srv/who? 100%.db" });
    expect(ledgerAddress("books.sqlite", "/x")).toMatchObject({ path: `${process.cwd()}/books.sqlite` });
  });

  test.each([
    ["postgres://pool:s3cret@db.example:5433/ledger?sslmode=require", "PostgreSQL db.example:5433/ledger"],
    ["postgresql://pool@[::1]/ledger", "PostgreSQL [::1]/ledger"],
    ["postgres://pool:s3cret@/ledger?host=/run/postgresql", "PostgreSQL /run/postgresql/ledger"],
  ])("%s is shown as %s", (url, shown) => {
    const address = ledgerAddress(url, "/x");
    expect(address).toEqual({ kind: "postgres", url });
    expect(showAddress(address)).toBe(shown);
  });

  test.each([
    "",
    "  ",
    "/var/lib/pool/",
    ":memory:",
    "file:/var/lib/pool/ledger.sqlite",
    "mysql://pool:s3cret@host/ledger",
    "libsql://pool:s3cret@host",
    "postgres://pool:s3cret@host",
    "postgres://pool:s3cret@host/",
    "postgres://pool:s3cret@/ledger",
    "postgres://pool:s3cret@ho st:99999999/ledger",
    "a\0b",
  ])("%j is refused, without a password in the words", (database) => {
    const refused = (): unknown => {
      try {
        return ledgerAddress(database, "/x");
      } catch (error) {
        return error;
      }
    };
    expect(refused()).toMatchObject({ code: "ledger-address", act: "halt" });
    expect(String(refused())).not.toContain("s3cret");
  });
});
