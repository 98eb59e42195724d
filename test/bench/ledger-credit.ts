/**
 * What the ledger's credit costs: a share on the share path, shares from credit to disk, and the room that a day and a year take.
 *
 * Rows do not depend on how many shares a worker has in a slice, so a day is one share of each worker in each of its slices, by a clock that is moved.
 * A year is what compaction leaves of one (2 days of 10 minutes, 12 days of hours, 386 days), written with a tenth of the workers and counted tenfold.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { sql } from "kysely";
import { systemClock } from "../../src/app/system.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import { Compaction } from "../../src/ledger/credit/compaction.ts";
import { CreditLedger, type CreditLedgerOptions } from "../../src/ledger/credit/credit-ledger.ts";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import { openLedger } from "../../src/ledger/store/address.ts";
import { type LedgerStore, migrate } from "../../src/ledger/store/open.ts";
import { storeAccess } from "../../src/ledger/store/transaction.ts";
import { NO_CHAINS } from "../../src/mining/aux.ts";
import type { ShareCredit } from "../../src/mining/ports.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type Bench, repeated } from "./bench.ts";

/** One figure. */
export interface CreditFigure {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

const WORKERS = 10_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START_MS = 20_000 * DAY_MS;

/** Six shares a minute of a machine with 100 TH/s. */
const DIFFICULTY = 232_830;

const CHAINS = Object.freeze(["namecoin", "rsk"]);

const POOL = "pool.example.com:3333";

function shareOf(worker: number, atMs: number, chains: readonly string[] = CHAINS): ShareCredit {
  return {
    userIdentity: `farm${worker % 100}.rig${worker}`,
    difficulty: DIFFICULTY,
    chains,
    height: 1,
    jobId: 1,
    atMs,
  };
}

/** Spelt out, not spread from another: reading a spread object costs ten times as much, which is not credit's. */
function poolShareOf(worker: number, atMs: number): ShareCredit {
  return {
    userIdentity: `farm${worker % 100}.rig${worker}`,
    difficulty: DIFFICULTY,
    chains: NO_CHAINS,
    height: 1,
    jobId: 1,
    atMs,
    pool: POOL,
  };
}

function creditLedger(
  ledger: LedgerAccess,
  clock: FakeClock,
  options: Partial<CreditLedgerOptions> = {},
): CreditLedger {
  return new CreditLedger(
    { clock, log: silentLog, meter: silentMeter, ledger, random: seededRandom(clock.nowMs()) },
    { server: 1, ...options },
  );
}

/** No database: nothing is ever flushed. */
const NOWHERE: LedgerAccess = { run: () => new Promise(() => {}), transaction: () => new Promise(() => {}) };

/**
 * Shares on the share path, by how many workers take turns; and with jobs of two sets of chains in turn, the worst case of the look-up, or of a pool
 * and ours, which comes for some seconds behind a switch.
 */
export const creditBenches: readonly Bench[] = [1, 1000, 10_000].flatMap((workers) =>
  (workers === 10_000
    ? ["one job", "two jobs in turn", "a pool's job", "a pool's job and ours in turn"]
    : ["one job"]
  ).map((jobs) => {
    const ledger = creditLedger(NOWHERE, new FakeClock(START_MS));
    const shares = Array.from({ length: 16_384 }, (_, i): ShareCredit => {
      const isFirst = i % 2 === 0 || !jobs.endsWith("in turn");
      if (jobs.startsWith("a pool's") && isFirst) {
        return poolShareOf((i * 7919) % workers, START_MS);
      }
      return shareOf((i * 7919) % workers, START_MS, isFirst ? CHAINS : NO_CHAINS);
    });
    const [first] = shares;
    if (first === undefined) throw new Error("no shares");
    return repeated(`credit a share: ${workers.toLocaleString("en")} workers, ${jobs}`, 10_000, (n) =>
      ledger.credit(shares[n & 16_383] ?? first),
    );
  }),
);

/** Figures that need a database, as they come. SQLite in its process; PostgreSQL too when `postgresUrl` names an empty database. */
export async function* creditFigures(postgresUrl: string | undefined): AsyncGenerator<CreditFigure> {
  for (const part of [endToEnd, day, year]) {
    yield* await withSqlite((store) => part(store, "SQLite"));
    if (postgresUrl !== undefined) yield* await withPostgres(postgresUrl, (store) => part(store, "PostgreSQL"));
  }
}

async function endToEnd(store: LedgerStore, kind: string): Promise<CreditFigure[]> {
  const clock = new FakeClock(START_MS + MINUTE_MS);
  const ledger = creditLedger(storeAccess(store), clock);
  const flushes: number[] = [];
  const pauses: number[] = [];
  let shares = 0;
  const beganMs = performance.now();
  while (performance.now() - beganMs < 5000) {
    for (let i = 0; i < 10 * WORKERS; i++) ledger.credit(shareOf(i % WORKERS, clock.nowMs()));
    shares += 10 * WORKERS;
    const delay = monitorEventLoopDelay({ resolution: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    delay.enable();
    const flushMs = performance.now();
    await ledger.flush();
    flushes.push(performance.now() - flushMs);
    delay.disable();
    pauses.push(delay.max / 1e6);
    clock.advance(5000);
  }
  const perSecond = (shares * 1000) / (performance.now() - beganMs);
  return [
    {
      name: `${kind}: shares credited and written, 10,000 workers`,
      value: `${Math.round(perSecond).toLocaleString("en")}/s`,
      note: `a flush of 10,000 rows ${spread(flushes)}; it holds the event loop up for ${spread(pauses)} at most`,
    },
  ];
}

/** Median and worst of times in ms. */
function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  return `${(sorted[sorted.length >> 1] ?? 0).toFixed(0)} ms (worst ${(sorted.at(-1) ?? 0).toFixed(0)})`;
}

/** One share of each worker in each slice from now on, flushed with each. */
async function mine(
  store: LedgerStore,
  clock: FakeClock,
  { workers, slices, sliceMs }: { readonly workers: number; readonly slices: number; readonly sliceMs: number },
): Promise<void> {
  const ledger = creditLedger(storeAccess(store), clock, { sliceMs });
  for (let slice = 0; slice < slices; slice++) {
    clock.advance(sliceMs / 2);
    for (let worker = 0; worker < workers; worker++) ledger.credit(shareOf(worker, clock.nowMs()));
    await ledger.flush();
    clock.advance(sliceMs / 2);
  }
  await ledger.stop();
}

async function day(store: LedgerStore, kind: string): Promise<CreditFigure[]> {
  const clock = new FakeClock(START_MS);
  const emptyBytes = await bytesOf(store);
  await mine(store, clock, { workers: WORKERS, slices: 144, sliceMs: 10 * MINUTE_MS });
  const written = { rows: await rowsOf(store), bytes: (await bytesOf(store)) - emptyBytes };
  const hours = await compacted(store, START_MS + 4 * DAY_MS);
  const days = await compacted(store, START_MS + 16 * DAY_MS);
  return [
    {
      name: `${kind}: a day of 10,000 workers at 6 shares a minute`,
      value: `${written.rows.toLocaleString("en")} rows, ${megabytes(written.bytes)}`,
      note: `${(written.bytes / written.rows).toFixed(0)} bytes a row`,
    },
    {
      name: `${kind}: that day after two days, by hours`,
      value: `${hours.rows.toLocaleString("en")} rows`,
      note: hours.note,
    },
    {
      name: `${kind}: that day after two weeks, one slice`,
      value: `${days.rows.toLocaleString("en")} rows`,
      note: days.note,
    },
  ];
}

async function compacted(store: LedgerStore, nowMs: number): Promise<{ readonly rows: number; readonly note: string }> {
  const meter = new MemoryMeter();
  const clock = { ...realTime, nowMs: () => nowMs };
  const compaction = new Compaction({ clock, log: silentLog, meter, ledger: storeAccess(store) }, { pauseMs: 0 });
  await compaction.compact();
  const { count, sum, max } = meter.observations("ledger_compaction_seconds");
  const note = `${count} transactions in ${sum.toFixed(1)} s, the longest ${(max * 1000).toFixed(0)} ms`;
  return { rows: await rowsOf(store), note };
}

const realTime = {
  monotonicMs: () => performance.now(),
  after: () => ({ cancel() {} }),
  every: () => ({ cancel() {} }),
};

async function year(store: LedgerStore, kind: string): Promise<CreditFigure[]> {
  const emptyBytes = await bytesOf(store);
  const clock = new FakeClock(START_MS);
  const workers = WORKERS / 10;
  await mine(store, clock, { workers, slices: 386, sliceMs: DAY_MS });
  await mine(store, clock, { workers, slices: 12 * 24, sliceMs: HOUR_MS });
  await mine(store, clock, { workers, slices: 2 * 144, sliceMs: 10 * MINUTE_MS });
  const rows = 10 * (await rowsOf(store));
  const bytes = 10 * ((await bytesOf(store)) - emptyBytes);
  return [
    {
      name: `${kind}: 400 days of 10,000 workers, compacted`,
      value: `${rows.toLocaleString("en")} rows, ${megabytes(bytes)}`,
      note: "written with 1,000 workers, counted tenfold; blocks that are not settled add a slice each",
    },
  ];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

async function rowsOf({ db }: LedgerStore): Promise<number> {
  const { rows } = await db
    .selectFrom("credits")
    .select((eb) => eb.fn.countAll<number>().as("rows"))
    .executeTakeFirstOrThrow();
  return rows;
}

/** Room of all tables and indexes. */
async function bytesOf({ db, kind }: LedgerStore): Promise<number> {
  const size =
    kind === "sqlite"
      ? sql<{ bytes: number }>`select page_count * page_size as bytes from pragma_page_count, pragma_page_size`
      : sql<{ bytes: number }>`select pg_database_size(current_database()) as bytes`;
  return (await size.execute(db)).rows[0]?.bytes ?? 0;
}

const SCRIPT = new URL("../../src/ledger/store/sqlite-child.js", import.meta.url);

async function withSqlite<T>(work: (store: LedgerStore) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ledger-bench-"));
  const address = { kind: "sqlite", path: join(folder, "ledger.sqlite") } as const;
  const store = openLedger(address, { access: "own", create: true, script: SCRIPT, clock: systemClock, onLost() {} });
  try {
    await migrate(store, { lookOnly: false });
    return await work(store);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

async function withPostgres<T>(url: string, work: (store: LedgerStore) => Promise<T>): Promise<T> {
  const opening = { access: "own", create: true, script: SCRIPT, clock: systemClock, onLost() {} } as const;
  const store = openLedger({ kind: "postgres", url }, opening);
  try {
    await migrate(store, { lookOnly: false });
    if ((await rowsOf(store)) > 0) throw new Error("LEDGER_POSTGRES_URL has to name an empty database");
    return await work(store);
  } finally {
    await sql`truncate credits, slices, workers, chain_sets, credit_batches cascade`.execute(store.db);
    await store.close();
  }
}
