import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/app/system.ts";
import { migrate } from "../../../src/ledger/store/open.ts";
import { openSqliteProcess } from "../../../src/ledger/store/sqlite-process.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { connect, fileLedger, SQLITE_CHILD, scratchFolder } from "../../support/ledger-files.ts";
import { run } from "../../support/program.ts";
import { pause, until } from "../../support/until.ts";

const worker = (identity: string) => ({ identity, first_share_ms: 1, last_share_ms: 1 });

/** Processes that have the file open as a ledger: those whose parent we are. */
function childrenOf(pid: number): number[] {
  const text = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(pid)], { encoding: "utf8" });
  return text
    .split("\n")
    .filter((line) => line.includes("sqlite-child"))
    .map((line) => Number.parseInt(line, 10));
}

/** The process of the one ledger that this test file has open. */
function childPid(): number {
  const [pid] = childrenOf(process.pid);
  if (pid === undefined) throw new Error("no process has the ledger's file");
  return pid;
}

test("a statement that takes a second holds up no timer", async () => {
  const store = fileLedger(join(scratchFolder(), "ledger.sqlite"));
  await migrate(store, { lookOnly: false });
  const long = sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 12000000) select max(i) as i from n`;
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    worst = Math.max(worst, performance.now() - last);
    last = performance.now();
  }, 5);
  const start = performance.now();
  const { rows } = await long.execute(store.db);
  const took = performance.now() - start;
  clearInterval(timer);
  expect(rows).toEqual([{ i: 12_000_000 }]);
  expect(took).toBeGreaterThan(500);
  expect(worst).toBeLessThan(took / 2);
});

test("a process that is killed fails what waited for it, is said in words, and another one goes on", async () => {
  const { connection, log } = connect({ kind: "sqlite", path: join(scratchFolder(), "ledger.sqlite") });
  await connection.start(new AbortController().signal);
  await connection.transaction((db) => db.insertInto("workers").values(worker("before")).execute());
  const interrupted = connection.transaction(async (db) => {
    await db.insertInto("workers").values(worker("never")).execute();
    process.kill(childPid(), "SIGKILL");
    await pause(50);
    await db.insertInto("workers").values(worker("never either")).execute();
  });
  await expect(interrupted).rejects.toMatchObject({ code: "ledger-process-ended" });
  await until("open again", () => connection.status().open);
  await connection.transaction((db) => db.insertInto("workers").values(worker("after")).execute());
  const rows = await connection.run((db) => db.selectFrom("workers").select("identity").orderBy("id").execute());
  expect(rows.map(({ identity }) => identity)).toEqual(["before", "after"]);
  const said = log.lines.map(({ message }) => message);
  expect(said[0]).toContain("ended with SIGKILL");
  expect(said.slice(1)).toEqual(["the ledger is open again", "the ledger is written again"]);
});

test("a process that dies while nobody asks is noticed", async () => {
  const { connection } = connect(
    { kind: "sqlite", path: join(scratchFolder(), "ledger.sqlite") },
    { firstRetryMs: 200 },
  );
  await connection.start(new AbortController().signal);
  process.kill(childPid(), "SIGKILL");
  await until("it is noticed", () => !connection.status().open);
  expect(connection.status().fault?.code).toBe("ledger-process-ended");
  await until("open again", () => connection.status().open);
});

test("a process that hangs is given up when its time is over, and another one goes on", async () => {
  const clock = new FakeClock();
  const gone: Error[] = [];
  const file = { path: join(scratchFolder(), "ledger.sqlite"), access: "own", create: true, busyMs: 5000 } as const;
  const how = { script: SQLITE_CHILD, clock, answerMs: 120_000, onGone: (error: Error) => void gone.push(error) };
  const session = await openSqliteProcess(file, how);
  expect(await session.execute("select 1 as n", [])).toMatchObject({ rows: [{ n: 1n }] });
  expect(clock.pending).toBe(0);

  // As a disk that hangs stops it, but for the signal that ends it all the same.
  const pid = childPid();
  process.kill(pid, "SIGSTOP");
  const asked = session.execute("select 2 as n", []);
  let failed: unknown;
  asked.catch((error: unknown) => (failed = error));
  clock.advance(119_999);
  await pause(20);
  expect(failed).toBeUndefined();
  clock.advance(1);
  await expect(asked).rejects.toMatchObject({ code: "LEDGER_PROCESS_SILENT" });
  expect(gone).toEqual([failed]);
  expect(clock.pending).toBe(0);
  await expect(session.execute("select 3 as n", [])).rejects.toBe(failed);
  await session.close();

  const next = await openSqliteProcess(file, how);
  expect(childPid()).not.toBe(pid);
  expect(await next.execute("select 4 as n", [])).toMatchObject({ rows: [{ n: 4n }] });
  await next.close();
  expect(gone).toHaveLength(1);
});

test("closing a process that hangs takes no longer than an answer may", async () => {
  const clock = new FakeClock();
  const file = { path: join(scratchFolder(), "ledger.sqlite"), access: "own", create: true, busyMs: 0 } as const;
  const gone: Error[] = [];
  const how = { script: SQLITE_CHILD, clock, answerMs: 1000, onGone: (error: Error) => void gone.push(error) };
  const session = await openSqliteProcess(file, how);
  process.kill(childPid(), "SIGSTOP");
  const closed = session.close();
  clock.advance(1000);
  await expect(closed).rejects.toMatchObject({ code: "LEDGER_PROCESS_SILENT" });
  expect(gone).toEqual([]);
});

test("Ctrl-C and a service's stop reach the process too, and it stays until it is closed", async () => {
  const store = fileLedger(join(scratchFolder(), "ledger.sqlite"));
  await migrate(store, { lookOnly: false });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(childPid(), signal);
  await pause(100);
  await store.db.insertInto("workers").values(worker("a")).execute();
  await store.close();
  await until("it is gone", () => childrenOf(process.pid).length === 0);
});

test("the process ends with the server, however that ends, and lets another one have the file", async () => {
  const path = join(scratchFolder(), "ledger.sqlite");
  const script = join(scratchFolder(), "server.mjs");
  writeFileSync(
    script,
    `import { openSqliteProcess } from ${JSON.stringify(new URL("./sqlite-process.js", SQLITE_CHILD).href)};
    import { systemClock as clock } from ${JSON.stringify(new URL("../../app/system.js", SQLITE_CHILD).href)};
    const how = { script: new URL(${JSON.stringify(SQLITE_CHILD.href)}), clock, answerMs: 60_000, onGone() {} };
    await openSqliteProcess({ path: ${JSON.stringify(path)}, access: "own", create: true, busyMs: 0 }, how);
    console.log("open");
    setInterval(() => {}, 1000);`,
  );
  const server = run(process.execPath, [script]);
  await server.line((line) => line === "open");
  const [child] = childrenOf(server.pid ?? 0);
  const own = { path, access: "own", create: true, busyMs: 0 } as const;
  const how = { script: SQLITE_CHILD, clock: systemClock, answerMs: 60_000, onGone() {} };
  const second = openSqliteProcess(own, how);
  await expect(second).rejects.toMatchObject({ code: "LEDGER_IN_USE" });
  server.kill("SIGKILL");
  await server.ended;
  await until("its process is gone", () => !existsSync(`/proc/${child}`) || isZombie(child ?? 0));
  const third = await openSqliteProcess(own, how);
  await third.close();
});

test("a second server on the file does not start, and a command beside the first may write", async () => {
  const path = join(scratchFolder(), "ledger.sqlite");
  const first = connect({ kind: "sqlite", path });
  await first.connection.start(new AbortController().signal);
  const command = fileLedger(path, { access: "share", create: false });
  await migrate(command, { lookOnly: true });
  await command.db.insertInto("workers").values(worker("by a command")).execute();
  const second = connect({ kind: "sqlite", path });
  await expect(second.connection.start(new AbortController().signal)).rejects.toMatchObject({ code: "ledger-in-use" });
  const rows = await first.connection.run((db) => db.selectFrom("workers").select("identity").execute());
  expect(rows).toEqual([{ identity: "by a command" }]);
  await first.connection.stop();
  const third = connect({ kind: "sqlite", path });
  await third.connection.start(new AbortController().signal);
});

test("what is made is for this user alone", async () => {
  const folder = join(scratchFolder(), "new", "data");
  const path = join(folder, "ledger.sqlite");
  const store = fileLedger(path);
  await migrate(store, { lookOnly: false });
  const modes = ["", "/ledger.sqlite", "/ledger.sqlite-wal", "/ledger.sqlite-shm", "/ledger.sqlite.lock"].map((name) =>
    (statSync(folder + name).mode & 0o777).toString(8),
  );
  expect(modes).toEqual(["700", "600", "600", "600", "600"]);
  await store.close();
  // The file alone is the whole ledger then: who copies it copies everything.
  expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
  expect(readFileSync(path).includes("payout_addresses")).toBe(true);
});

function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}
