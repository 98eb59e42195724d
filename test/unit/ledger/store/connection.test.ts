import { describe, expect, onTestFinished, test } from "vitest";
import { Fault } from "../../../../src/kernel/fault.ts";
import {
  LEDGER_CONNECTION_DEFAULTS,
  LedgerConnection,
  type StoreOpening,
} from "../../../../src/ledger/store/connection.ts";
import { type LedgerStore, sqliteStore } from "../../../../src/ledger/store/open.ts";
import { openSqlite, type SqliteSession } from "../../../../src/ledger/store/sqlite-session.ts";
import { MemoryMeter } from "../../../../src/ops/memory-meter.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import { pause, until } from "../../../support/until.ts";

const coded = (code: string): Error => Object.assign(new Error("words of the system"), { code });

/** A connection to one ledger in memory whose opening and statements fail as a test says. */
function world() {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const memory = openSqlite({ path: ":memory:", access: "own", create: true, busyMs: 0 });
  onTestFinished(() => memory.close());
  const state = { openFails: undefined as Error | undefined, fails: undefined as Error | undefined, closed: 0 };
  const openings: StoreOpening[] = [];
  const session: SqliteSession = {
    async execute(sql, values) {
      if (state.fails !== undefined && !/rollback/.test(sql)) throw state.fails;
      return await memory.execute(sql, values);
    },
    async close() {
      state.closed += 1;
    },
  };
  const open = (how: StoreOpening): LedgerStore => {
    openings.push(how);
    return sqliteStore(async () => {
      if (state.openFails !== undefined) throw state.openFails;
      return session;
    });
  };
  const connection = new LedgerConnection({ clock, log, meter, open }, LEDGER_CONNECTION_DEFAULTS);
  const start = (): Promise<void> => connection.start(new AbortController().signal);
  const insert = (identity: string): Promise<unknown> =>
    connection.transaction((db) =>
      db.insertInto("workers").values({ identity, first_share_ms: 1, last_share_ms: 1 }).execute(),
    );
  const lines = (): string[] => log.lines.map(({ level, message }) => `${level} ${message.split(/[.(]/)[0]}`.trim());
  return { clock, log, meter, state, openings, connection, start, insert, lines };
}

/** Moves time on until the next attempt was made. */
async function nextAttempt({ clock, openings }: ReturnType<typeof world>, ms: number): Promise<void> {
  const before = openings.length;
  clock.advance(ms - 1);
  await pause(1);
  expect(openings.length).toBe(before);
  clock.advance(1);
  expect(openings.length).toBe(before + 1);
  await pause(10);
}

describe("a ledger's connection", () => {
  test("opens, says so nowhere but in its status, and closes", async () => {
    const { connection, start, lines, state, meter, clock } = world();
    expect(connection.status()).toEqual({ open: false, sinceMs: 0, fault: undefined });
    await expect(connection.run(async () => 1)).rejects.toMatchObject({ code: "ledger-not-open" });
    await start();
    expect(connection.status()).toEqual({ open: true, sinceMs: clock.nowMs(), fault: undefined });
    expect(meter.total("ledger_up")).toBe(1);
    expect(await connection.run(async (db) => await db.selectFrom("workers").selectAll().execute())).toEqual([]);
    await connection.stop();
    expect(state.closed).toBe(1);
    expect(lines()).toEqual([]);
    await expect(connection.run(async () => 1)).rejects.toMatchObject({ code: "ledger-not-open" });
    expect(clock.pending).toBe(0);
  });

  test("that cannot be opened lets the server start, says why once, and is tried again and again", async () => {
    const all = world();
    const { connection, start, lines, state, meter, insert, log } = all;
    state.openFails = coded("SQLITE_CANTOPEN");
    await start();
    expect(connection.status()).toMatchObject({ open: false, fault: { code: "ledger-cannot-open" } });
    await expect(insert("a")).rejects.toMatchObject({ code: "ledger-cannot-open" });
    for (const ms of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) await nextAttempt(all, ms);
    expect(lines()).toEqual(["error the ledger's file cannot be opened"]);
    expect(log.lines[0]?.message).toContain("Mining goes on");
    expect(meter.byLabel("ledger_failures_total")).toEqual({ "ledger-cannot-open": 9 });
    expect(meter.total("ledger_up")).toBe(0);
    state.openFails = undefined;
    await nextAttempt(all, 30_000);
    expect(connection.status()).toMatchObject({ open: true, fault: undefined });
    await insert("a");
    expect(lines().slice(1)).toEqual(["info the ledger is open again", "info the ledger is written again"]);
    await connection.stop();
  });

  test.each(["ledger-schema-newer", "ledger-in-use"] as const)(
    "stops a start with %s: the operator must act",
    async (code) => {
      const { start, state, clock, lines } = world();
      state.openFails = new Fault(code);
      await expect(start()).rejects.toMatchObject({ code, act: "halt" });
      expect(clock.pending).toBe(0);
      expect(lines()).toEqual([]);
    },
  );

  test("makes a missing database at first, and never again once there was one", async () => {
    const all = world();
    const { connection, openings, start, state } = all;
    state.openFails = coded("EACCES");
    await start();
    state.openFails = undefined;
    await nextAttempt(all, 500);
    openings.at(-1)?.onLost(coded("LEDGER_PROCESS_ENDED"));
    await nextAttempt(all, 1000);
    expect(openings.map(({ create }) => create)).toEqual([true, true, false]);
    await connection.stop();
  });

  test.each([
    ["SQLITE_CORRUPT", "ledger-corrupt"],
    ["SQLITE_IOERR_READ", "ledger-disk-failed"],
    ["LEDGER_MOVED", "ledger-moved"],
    ["ECONNRESET", "ledger-unreachable"],
  ])("closes and opens anew after %s", async (code, fault) => {
    const all = world();
    const { connection, start, state, insert, meter } = all;
    await start();
    state.fails = coded(code);
    await expect(insert("a")).rejects.toMatchObject({ code: fault });
    expect(connection.status()).toMatchObject({ open: false, fault: { code: fault } });
    await until("closed", () => state.closed === 1);
    state.fails = undefined;
    await nextAttempt(all, 500);
    await insert("a");
    expect(connection.status()).toMatchObject({ open: true, fault: undefined });
    expect(meter.total("ledger_up")).toBe(1);
    await connection.stop();
  });

  test("whose file was taken away speaks of that alone until it is there again", async () => {
    const all = world();
    const { connection, start, state, insert, lines } = all;
    await start();
    state.fails = coded("LEDGER_MOVED");
    await expect(insert("a")).rejects.toMatchObject({ code: "ledger-moved" });
    state.fails = undefined;
    state.openFails = coded("ENOENT");
    await nextAttempt(all, 500);
    // What helps is to put it back, not to look where ledger.database points.
    expect(connection.status()).toMatchObject({ open: false, fault: { code: "ledger-moved" } });
    state.openFails = coded("EACCES");
    await nextAttempt(all, 1000);
    expect(connection.status()).toMatchObject({ open: false, fault: { code: "ledger-not-permitted" } });
    state.openFails = undefined;
    await nextAttempt(all, 2000);
    expect(lines()).toEqual([
      "error the ledger's file was moved, replaced or deleted while it was open",
      "error this user may not use the ledger's file",
      "info the ledger is open again",
    ]);
    await connection.stop();
  });

  test("whose process hangs speaks of the disk while that one keeps the file's lock", async () => {
    const all = world();
    const { connection, start, state, insert, lines } = all;
    await start();
    state.fails = coded("LEDGER_PROCESS_SILENT");
    await expect(insert("a")).rejects.toMatchObject({ code: "ledger-disk-failed" });
    state.fails = undefined;
    state.openFails = coded("LEDGER_IN_USE");
    await nextAttempt(all, 500);
    // No other server is to be ended.
    expect(connection.status()).toMatchObject({ open: false, fault: { code: "ledger-disk-failed" } });
    state.openFails = undefined;
    await nextAttempt(all, 1000);
    expect(lines()).toEqual([
      "error the ledger's disk failed to read or write, or does not answer",
      "info the ledger is open again",
    ]);
    await connection.stop();
  });

  test("that opens and fails again and again says each thing once, and waits longer each time", async () => {
    const all = world();
    const { connection, start, state, insert, lines } = all;
    await start();
    for (const ms of [500, 1000, 2000, 4000]) {
      state.fails = coded("SQLITE_CORRUPT");
      await expect(insert("a")).rejects.toMatchObject({ code: "ledger-corrupt" });
      state.fails = undefined;
      await nextAttempt(all, ms);
    }
    expect(lines()).toEqual(["error the ledger's database is damaged", "info the ledger is open again"]);
    all.clock.advance(LEDGER_CONNECTION_DEFAULTS.steadyMs);
    all.openings.at(-1)?.onLost(coded("LEDGER_PROCESS_ENDED"));
    await nextAttempt(all, 500);
    await connection.stop();
  });

  test.each([
    ["SQLITE_FULL", "ledger-disk-full"],
    ["SQLITE_READONLY", "ledger-read-only"],
    ["SQLITE_BUSY", "ledger-locked"],
  ])("stays open at %s, says it once, and says when it is over", async (code, fault) => {
    const { connection, start, state, insert, lines, meter, openings } = world();
    await start();
    state.fails = coded(code);
    for (let times = 0; times < 3; times++) await expect(insert("a")).rejects.toMatchObject({ code: fault });
    expect(connection.status()).toMatchObject({ open: true, fault: { code: fault } });
    expect(meter.total("ledger_up")).toBe(0);
    expect(meter.byLabel("ledger_failures_total")).toEqual({ [fault]: 3 });
    state.fails = undefined;
    await insert("a");
    expect(connection.status()).toMatchObject({ open: true, fault: undefined });
    expect(meter.total("ledger_up")).toBe(1);
    expect(lines().map((line) => line.split(" ")[0])).toEqual(["error", "info"]);
    expect(openings).toHaveLength(1);
    await connection.stop();
  });

  test("tries a transaction again that another one came between, and gives up after five times", async () => {
    const { connection, start } = world();
    await start();
    let calls = 0;
    const twice = connection.transaction(async () => {
      calls += 1;
      if (calls < 3) throw coded("40001");
      return "done";
    });
    expect(await twice).toBe("done");
    expect(calls).toBe(3);
    calls = 0;
    const never = connection.transaction(async () => {
      calls += 1;
      throw coded("40P01");
    });
    await expect(never).rejects.toMatchObject({ code: "ledger-conflict" });
    expect(calls).toBe(5);
    expect(connection.status()).toMatchObject({ open: true, fault: undefined });
    await connection.stop();
  });

  test("leaves mistakes of the program and other faults alone", async () => {
    const { connection, start, lines } = world();
    await start();
    const mistake = new TypeError("a mistake of ours");
    await expect(connection.run(() => Promise.reject(mistake))).rejects.toBe(mistake);
    const other = new Fault("ledger-schema-older");
    await expect(connection.transaction(() => Promise.reject(other))).rejects.toBe(other);
    expect(connection.status()).toMatchObject({ open: true, fault: undefined });
    expect(lines()).toEqual([]);
    await connection.stop();
  });

  test("waits at its stop for what runs, and takes nothing new", async () => {
    const { connection, start, insert, state } = world();
    await start();
    let finish = (): void => {};
    const running = connection.transaction(async (db) => {
      await new Promise<void>((resolve) => (finish = resolve));
      return await db.insertInto("workers").values({ identity: "a", first_share_ms: 1, last_share_ms: 1 }).execute();
    });
    await pause(1);
    const stopped = connection.stop();
    await pause(5);
    expect(state.closed).toBe(0);
    await expect(insert("b")).rejects.toMatchObject({ code: "ledger-not-open" });
    finish();
    await running;
    await stopped;
    expect(state.closed).toBe(1);
  });

  test("that takes long to open holds up a start for ten seconds and no longer", async () => {
    const clock = new FakeClock();
    const log = recordingLog();
    let letGo = (): void => {};
    const memory = openSqlite({ path: ":memory:", access: "own", create: true, busyMs: 0 });
    const open = (): LedgerStore => sqliteStore(() => new Promise((resolve) => (letGo = () => resolve(memory))));
    const connection = new LedgerConnection({ clock, log, meter: new MemoryMeter(), open }, LEDGER_CONNECTION_DEFAULTS);
    let started = false;
    const start = connection.start(new AbortController().signal).then(() => (started = true));
    await pause(5);
    clock.advance(9_999);
    await pause(5);
    expect(started).toBe(false);
    clock.advance(1);
    await start;
    expect(log.lines.map(({ level }) => level)).toEqual(["warn"]);
    letGo();
    await until("open", () => connection.status().open);
    await connection.stop();
  });

  test("that was in use when it opened at last, after the start, is tried again and again", async () => {
    const clock = new FakeClock();
    const log = recordingLog();
    const memory = openSqlite({ path: ":memory:", access: "own", create: true, busyMs: 0 });
    let fail = (): void => {};
    let openings = 0;
    const first = (): Promise<SqliteSession> =>
      new Promise((_, reject) => (fail = () => reject(new Fault("ledger-in-use"))));
    const open = (): LedgerStore => {
      openings += 1;
      return sqliteStore(openings === 1 ? first : async () => memory);
    };
    const connection = new LedgerConnection({ clock, log, meter: new MemoryMeter(), open }, LEDGER_CONNECTION_DEFAULTS);
    const start = connection.start(new AbortController().signal);
    await pause(5);
    clock.advance(LEDGER_CONNECTION_DEFAULTS.startMs);
    await start;
    fail();
    await until("it was said", () => log.lines.length === 2);
    expect(log.lines[1]).toMatchObject({ level: "error", message: expect.stringContaining("another server has this") });
    clock.advance(LEDGER_CONNECTION_DEFAULTS.firstRetryMs);
    await until("open", () => connection.status().open);
    await connection.stop();
  });

  test("whose start is given up while it opens closes what it opened then", async () => {
    const clock = new FakeClock();
    let letGo = (): void => {};
    let closed = false;
    const late: SqliteSession = {
      execute: async () => ({ rows: [], changes: undefined }),
      close: async () => {
        closed = true;
      },
    };
    const open = (): LedgerStore => sqliteStore(() => new Promise((resolve) => (letGo = () => resolve(late))));
    const log = recordingLog();
    const connection = new LedgerConnection({ clock, log, meter: new MemoryMeter(), open }, LEDGER_CONNECTION_DEFAULTS);
    const giveUp = new AbortController();
    const start = connection.start(giveUp.signal);
    await pause(5);
    giveUp.abort(new Error("given up"));
    await expect(start).rejects.toThrow("given up");
    letGo();
    await until("closed", () => closed);
    expect(connection.status().open).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test("refuses what comes when ten thousand wait for their turn, and does what waited", async () => {
    const { connection, start } = world();
    await start();
    let finish = (): void => {};
    const holds = connection.transaction(() => new Promise<void>((resolve) => (finish = resolve)));
    await pause(5);
    const read = (): Promise<unknown> => connection.run((db) => db.selectFrom("accounts").select("id").execute());
    const waiting = Array.from({ length: 10_000 }, read);
    await pause(5);
    await expect(read()).rejects.toMatchObject({ code: "ledger-overloaded" });
    finish();
    await holds;
    expect(await Promise.all(waiting)).toHaveLength(10_000);
    await connection.stop();
  });
});
