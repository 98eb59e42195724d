import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { randomU32 } from "../../../src/kernel/random.ts";
import type { LedgerConnection } from "../../../src/ledger/store/connection.ts";
import { migrate } from "../../../src/ledger/store/open.ts";
import type { LedgerDb } from "../../../src/ledger/store/schema.ts";
import { storeAccess } from "../../../src/ledger/store/transaction.ts";
import { canMount, connect, fileLedger, holdLocked, scratchFolder, smallDisk } from "../../support/ledger-files.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { pause, until } from "../../support/until.ts";

const mounts = canMount();
if (!mounts) process.stderr.write("\n*** NOT ROOT: the ledger on a full and on a read-only disk is not tested ***\n\n");

/** Two rows that belong together, 20 kB: whoever finds one of them without the other found half a transaction. */
async function writePair(db: LedgerDb, n: number): Promise<void> {
  for (const half of ["left", "right"]) {
    const identity = `${n} ${half} ${"x".repeat(10_000)}`;
    await db.insertInto("workers").values({ identity, first_share_ms: n, last_share_ms: n }).execute();
  }
}

/** Numbers of the pairs that are there; fails when one is half, or when the file is not in order. */
async function wholePairs(connection: LedgerConnection): Promise<number[]> {
  const check = await connection.run((db) => sql<{ integrity_check: string }>`pragma integrity_check`.execute(db));
  expect(check.rows).toEqual([{ integrity_check: "ok" }]);
  const rows = await connection.run((db) =>
    db
      .selectFrom("workers")
      .select(({ fn }) => ["first_share_ms as n", fn.countAll<number>().as("halves")])
      .groupBy("first_share_ms")
      .orderBy("first_share_ms")
      .execute(),
  );
  for (const { n, halves } of rows) expect(halves, `pair ${n}`).toBe(2);
  return rows.map(({ n }) => n);
}

async function started(path: string): Promise<ReturnType<typeof connect>> {
  const made = connect({ kind: "sqlite", path });
  await made.connection.start(new AbortController().signal);
  return made;
}

/** Writes pairs until one is refused: the fault, and how many are in. */
async function fill(connection: LedgerConnection): Promise<{ fault: unknown; written: number }> {
  for (let n = 1; n < 2000; n++) {
    try {
      await connection.transaction((db) => writePair(db, n));
    } catch (fault) {
      return { fault, written: n - 1 };
    }
  }
  throw new Error("the disk never became full");
}

describe.runIf(mounts)("a disk", () => {
  test("that is full: said with what helps, nothing half, and it goes on as soon as there is room", async () => {
    const disk = smallDisk(2 ** 21);
    const ballast = join(disk.folder, "ballast");
    writeFileSync(ballast, Buffer.alloc(2 ** 19));
    const { connection, log } = await started(join(disk.folder, "ledger.sqlite"));
    const { fault, written } = await fill(connection);
    expect(fault).toMatchObject({ code: "ledger-disk-full" });
    expect(written).toBeGreaterThan(3);
    expect(log.lines.at(-1)?.message).toMatch(/disk that has the ledger is full.*Make room/);
    expect(connection.status()).toMatchObject({ open: true, fault: { code: "ledger-disk-full" } });
    // Also when the failure is caught inside: what follows in the same transaction is not written by itself.
    const caught = connection.transaction(async (db) => {
      await writePair(db, 5000).catch(() => {});
      await db.insertInto("workers").values({ identity: "small", first_share_ms: 6000, last_share_ms: 1 }).execute();
    });
    await expect(caught).rejects.toMatchObject({ code: "ledger-disk-full" });
    rmSync(ballast);
    await connection.transaction((db) => writePair(db, 9000));
    expect(connection.status().fault).toBeUndefined();
    const numbers = await wholePairs(connection);
    expect(numbers.slice(0, written)).toEqual(Array.from({ length: written }, (_, i) => i + 1));
    expect(numbers.slice(written)).toEqual([9000]);
  });

  test("that is full at the start: the server starts, and the ledger is made when there is room", async () => {
    const disk = smallDisk(2 ** 19);
    const ballast = join(disk.folder, "ballast");
    try {
      writeFileSync(ballast, Buffer.alloc(2 ** 19));
    } catch {
      // Full is what it is to be.
    }
    const { connection } = await started(join(disk.folder, "ledger.sqlite"));
    expect(connection.status().open).toBe(false);
    expect(["ledger-disk-full", "ledger-disk-failed"]).toContain(connection.status().fault?.code);
    rmSync(ballast);
    await until("open", () => connection.status().open);
    await connection.transaction((db) => writePair(db, 1));
    expect(await wholePairs(connection)).toEqual([1]);
  });

  test("that is read-only: the server starts without its ledger and opens it once it can be written", async () => {
    const disk = smallDisk(2 ** 22);
    const path = join(disk.folder, "ledger.sqlite");
    const first = await started(path);
    await first.connection.transaction((db) => writePair(db, 1));
    await first.connection.stop();
    disk.readOnly(true);
    const second = await started(path);
    expect(second.connection.status()).toMatchObject({ open: false, fault: { code: "ledger-read-only" } });
    expect(second.log.lines[0]?.message).toContain("remount the disk writable");
    await expect(second.connection.transaction((db) => writePair(db, 2))).rejects.toMatchObject({
      code: "ledger-read-only",
    });
    // A report works there all the same.
    const report = storeAccess(fileLedger(path, { access: "read", create: false }));
    expect(await report.run((db) => db.selectFrom("workers").select("first_share_ms").execute())).toHaveLength(2);
    disk.readOnly(false);
    await until("open", () => second.connection.status().open);
    await second.connection.transaction((db) => writePair(db, 3));
    expect(await wholePairs(second.connection)).toEqual([1, 3]);
  });
});

test("a file that another program holds locked: said, nothing half, and it goes on when it is let go", async () => {
  const path = join(scratchFolder(), "ledger.sqlite");
  const { connection } = await started(path);
  await connection.transaction((db) => writePair(db, 1));
  const lock = await holdLocked(path);
  const refused = connection.transaction((db) => writePair(db, 2));
  const beside = connection.run((db) => db.selectFrom("workers").select("id").execute());
  await expect(refused).rejects.toMatchObject({ code: "ledger-locked", act: "retry" });
  // Who reads sees what was there before, in the meantime too.
  expect(await beside).toHaveLength(2);
  expect(connection.status()).toMatchObject({ open: true, fault: { code: "ledger-locked" } });
  await lock.release();
  await connection.transaction((db) => writePair(db, 3));
  expect(await wholePairs(connection)).toEqual([1, 3]);
});

describe("a damaged file", () => {
  async function madeLedger(): Promise<string> {
    const path = join(scratchFolder(), "ledger.sqlite");
    const { connection } = await started(path);
    for (let n = 1; n <= 20; n++) await connection.transaction((db) => writePair(db, n));
    await connection.stop();
    return path;
  }

  /** Overwrites everything between the first page and the last with `bytes`. */
  function overwriteMiddle(path: string, bytes: number): void {
    const content = readFileSync(path);
    content.fill(bytes, 4096, content.length - 4096);
    writeFileSync(path, content);
  }

  test.each([
    ["that is no database", (path: string) => writeFileSync(path, "what a pity ".repeat(1000))],
    ["whose middle was overwritten", (path: string) => overwriteMiddle(path, 0xa5)],
    ["that was cut off", (path: string) => truncateSync(path, 3 * 4096)],
  ])(
    "%s lets the server start, is said with what helps, and is used again once a good copy is back",
    async (_, spoil) => {
      const path = await madeLedger();
      copyFileSync(path, `${path}.copy`);
      spoil(path);
      for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
      const { connection, log } = await started(path);
      await connection.transaction((db) => writePair(db, 21)).catch(() => {});
      await connection.run((db) => db.selectFrom("workers").selectAll().execute()).catch(() => {});
      expect(connection.status().fault).toMatchObject({ code: "ledger-corrupt" });
      expect(log.lines[0]?.message).toMatch(/database is damaged.*Stop the server and copy the database/);
      // The good copy takes its place under the running server.
      for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
      renameSync(`${path}.copy`, path);
      await until("a good ledger is open", () => connection.status().open);
      await pause(50);
      await expect
        .poll(async () => await connection.transaction((db) => writePair(db, 22)).then(() => "in", String), {
          timeout: 5000,
        })
        .toBe("in");
      const numbers = await wholePairs(connection);
      expect(numbers).toEqual([...Array.from({ length: 20 }, (_, i) => i + 1), 22]);
    },
  );

  test("with a text that is no text costs its own process and nothing of the server", async () => {
    const path = join(scratchFolder(), "ledger.sqlite");
    const { connection, log } = await started(path);
    await connection.transaction((db) =>
      sql`insert into workers (identity, first_share_ms, last_share_ms) values (cast(x'ff41c3' as text), 1, 1)`.execute(
        db,
      ),
    );
    await expect(connection.run((db) => db.selectFrom("workers").selectAll().execute())).rejects.toMatchObject({
      code: "ledger-corrupt",
    });
    await until("open again", () => connection.status().open);
    await connection.transaction((db) => writePair(db, 2));
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });
});

test("random damage is a fault in words each time, and never the end of the server", async () => {
  const path = join(scratchFolder(), "ledger.sqlite");
  const { connection } = await started(path);
  for (let n = 1; n <= 10; n++) await connection.transaction((db) => writePair(db, n));
  await connection.stop();
  const good = readFileSync(path);
  const random = seededRandom(2024);
  const codes = new Map<string, number>();
  for (let round = 0; round < 20; round++) {
    const damaged = Buffer.from(good);
    for (let spot = 0; spot < 20; spot++) {
      const at = randomU32(random) % (good.length - 200);
      damaged.set(random.bytes(1 + (randomU32(random) % 200)), at);
    }
    const copy = join(scratchFolder(), "ledger.sqlite");
    writeFileSync(copy, damaged);
    const store = fileLedger(copy);
    const ledger = storeAccess(store);
    const outcomes = await Promise.allSettled([
      ledger.run(() => migrate(store, { lookOnly: false })),
      ledger.run((db) => db.selectFrom("workers").selectAll().execute()),
      ledger.transaction((db) => writePair(db, 11)),
      ledger.run((db) => db.selectFrom("workers").selectAll().orderBy("identity").execute()),
    ]);
    for (const outcome of outcomes) {
      const code = outcome.status === "fulfilled" ? "none" : String(outcome.reason.code);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  }
  expect(
    [...codes.keys()].filter((code) => !/^(none|ledger-(corrupt|failed|schema-newer|disk-failed))$/.test(code)),
  ).toEqual([]);
  expect(codes.get("ledger-corrupt")).toBeGreaterThan(20);
});

describe("a file that goes away while it is open", () => {
  test("is missed, not made anew, and found again", async () => {
    const folder = scratchFolder();
    const path = join(folder, "ledger.sqlite");
    const { connection } = await started(path);
    await connection.transaction((db) => writePair(db, 1));
    mkdirSync(join(folder, "away"));
    const move = (from: string, to: string): void => {
      for (const end of ["", "-wal", "-shm"])
        renameSync(join(from, `ledger.sqlite${end}`), join(to, `ledger.sqlite${end}`));
    };
    move(folder, join(folder, "away"));
    await expect(connection.transaction((db) => writePair(db, 2))).rejects.toMatchObject({ code: "ledger-moved" });
    await pause(500);
    expect(connection.status()).toMatchObject({ open: false, fault: { code: "ledger-moved" } });
    move(join(folder, "away"), folder);
    await until("open again", () => connection.status().open);
    await connection.transaction((db) => writePair(db, 3));
    expect(await wholePairs(connection)).toEqual([1, 3]);
  });

  test("its log alone is missed too", async () => {
    const path = join(scratchFolder(), "ledger.sqlite");
    const { connection } = await started(path);
    await connection.transaction((db) => writePair(db, 1));
    renameSync(`${path}-wal`, `${path}-away`);
    await expect(connection.transaction((db) => writePair(db, 2))).rejects.toMatchObject({ code: "ledger-moved" });
  });
});

describe("a report on a file", () => {
  test("works beside the server, after it, after its crash and without the files of the log, and writes nothing", async () => {
    const path = join(scratchFolder(), "ledger.sqlite");
    const look = async (): Promise<number> => {
      const store = fileLedger(path, { access: "read", create: false });
      await migrate(store, { lookOnly: true });
      const rows = await store.db.selectFrom("workers").select("id").execute();
      await expect(store.db.deleteFrom("workers").execute()).rejects.toMatchObject({ code: "SQLITE_READONLY" });
      await store.close();
      return rows.length;
    };
    const { connection } = await started(path);
    await connection.transaction((db) => writePair(db, 1));
    expect(await look()).toBe(2);
    // As kill -9 of the server leaves it: the log holds what the file has not.
    for (const end of ["", "-wal"]) copyFileSync(path + end, `${path}.crash${end}`);
    await connection.stop();
    expect(await look()).toBe(2);
    for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
    expect(await look()).toBe(2);
    for (const end of ["", "-wal"]) renameSync(`${path}.crash${end}`, path + end);
    expect(await look()).toBe(2);
  });

  test("that is not there is refused, and not made", async () => {
    const path = join(scratchFolder(), "ledger.sqlite");
    const report = storeAccess(fileLedger(path, { access: "read", create: false }));
    const rows = report.run((db) => db.selectFrom("workers").selectAll().execute());
    await expect(rows).rejects.toMatchObject({ code: "ledger-cannot-open" });
    expect(() => readFileSync(path)).toThrow("ENOENT");
  });

  test("whose folder is a file is refused in words", async () => {
    const path = join(scratchFolder(), "file", "ledger.sqlite");
    writeFileSync(join(path, ".."), "a file where a folder should be");
    const { connection } = await started(path);
    expect(connection.status().fault?.code).toBe("ledger-cannot-open");
  });
});
