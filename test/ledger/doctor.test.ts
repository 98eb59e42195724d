/** What `doctor` says of a ledger: it finds what a start would find, and leaves the disk as it was. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { describe, expect, inject, test } from "vitest";
import { checkLedger } from "../../src/app/commands/doctor-ledger.ts";
import { systemClock } from "../../src/app/system.ts";
import { toHex } from "../../src/kernel/bytes.ts";
import { openLedger } from "../../src/ledger/store/address.ts";
import { migrate } from "../../src/ledger/store/open.ts";
import { canMount, fileLedger, SQLITE_CHILD, scratchFolder, smallDisk } from "../support/ledger-files.ts";
import { freshDatabase } from "../support/ledger-store.ts";
import "../support/postgres-setup.ts";

const mounts = canMount();
if (!mounts) process.stderr.write("\n*** NOT ROOT: doctor is not tried on a read-only disk ***\n\n");
const url = inject("postgresUrl");

/** Every file of a folder with its content's hash; but for the memory that SQLite's readers and writers share. */
function filesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => !name.endsWith("-shm"));
  return Object.fromEntries(
    names.map((name) => [
      name,
      toHex(
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest(),
      ),
    ]),
  );
}

async function madeLedger(folder: string): Promise<string> {
  const path = join(folder, "ledger.sqlite");
  const store = fileLedger(path);
  await migrate(store, { lookOnly: false });
  await store.close();
  return path;
}

describe("a file", () => {
  test("that is not there is made by the first start, in folders that may not be there either", async () => {
    const folder = scratchFolder();
    const path = join(folder, "deep/er/ledger.sqlite");
    expect(await checkLedger({ kind: "sqlite", path })).toEqual([
      { check: "ledger", result: "ok", detail: `${path} does not exist yet; the first start makes it` },
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of this version is opened and left as it was, beside a server that has it too", async () => {
    const folder = scratchFolder();
    const path = await madeLedger(folder);
    const before = filesIn(folder);
    const [finding] = await checkLedger({ kind: "sqlite", path });
    expect(finding).toMatchObject({ result: "ok", detail: expect.stringMatching(/can be opened; .* 0001-ledger$/) });
    expect(filesIn(folder)).toEqual(before);
    const server = fileLedger(path);
    await migrate(server, { lookOnly: false });
    expect(await checkLedger({ kind: "sqlite", path })).toEqual([finding]);
    await server.close();
  });

  test("that is empty is brought up to date by the next start", async () => {
    const path = join(scratchFolder(), "ledger.sqlite");
    writeFileSync(path, "");
    const [finding] = await checkLedger({ kind: "sqlite", path });
    expect(finding).toMatchObject({
      result: "ok",
      detail: expect.stringContaining("the next start brings its schema"),
    });
    expect(readFileSync(path, "utf8")).toBe("");
  });

  test("of a newer version, a damaged one and a folder in its place are failures that say what helps", async () => {
    const folder = scratchFolder();
    const path = await madeLedger(folder);
    const store = fileLedger(path);
    await sql`insert into ledger_migration (name, timestamp) values ('9999-later', '')`.execute(store.db);
    await store.close();
    await expect(checkLedger({ kind: "sqlite", path })).rejects.toMatchObject({ code: "ledger-schema-newer" });
    writeFileSync(path, "no database at all, for sure not".repeat(100));
    await expect(checkLedger({ kind: "sqlite", path })).rejects.toMatchObject({ code: "ledger-corrupt" });
    mkdirSync(join(folder, "folder"));
    await expect(checkLedger({ kind: "sqlite", path: join(folder, "folder") })).rejects.toMatchObject({
      code: "ledger-cannot-open",
    });
  });

  test.runIf(process.getuid?.() !== 0)("that this user may not write is a failure", async () => {
    const folder = scratchFolder();
    const path = await madeLedger(folder);
    chmodSync(path, 0o400);
    await expect(checkLedger({ kind: "sqlite", path })).rejects.toMatchObject({ code: "ledger-not-permitted" });
  });

  test.runIf(mounts)("on a read-only disk is a failure", async () => {
    const disk = smallDisk(2 ** 22);
    const path = await madeLedger(disk.folder);
    disk.readOnly(true);
    await expect(checkLedger({ kind: "sqlite", path })).rejects.toMatchObject({ code: "ledger-read-only" });
    disk.readOnly(false);
  });
});

describe("a PostgreSQL database", () => {
  test.runIf(url !== undefined)("that is empty, and then has the schema", async () => {
    const address = { kind: "postgres", url: await freshDatabase(url ?? "") } as const;
    const [empty] = await checkLedger(address);
    expect(empty).toMatchObject({ result: "ok", detail: expect.stringContaining("the next start brings its schema") });
    const store = openLedger(address, {
      access: "own",
      create: true,
      script: SQLITE_CHILD,
      clock: systemClock,
      onLost() {},
    });
    await migrate(store, { lookOnly: false });
    await store.close();
    const [made] = await checkLedger(address);
    expect(made).toMatchObject({ result: "ok", detail: expect.stringContaining("0001-ledger") });
  });

  test("that nobody serves is a failure without a word of its password", async () => {
    const failed = checkLedger({ kind: "postgres", url: "postgres://pool:hush-hush@127.0.0.1:1/ledger" });
    await expect(failed).rejects.toMatchObject({ code: "ledger-unreachable" });
    await failed.catch((error) => expect(JSON.stringify([error.message, String(error.cause)])).not.toContain("hush"));
  });
});
