/** How long the ledger's reports take with a year of 10,000 workers behind them, in a file on this machine's disk. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { blockHistories } from "../../src/ledger/reports/block-history.ts";
import { listBlocks } from "../../src/ledger/reports/blocks.ts";
import { chainRewards } from "../../src/ledger/reports/chain-rewards.ts";
import { effortReport } from "../../src/ledger/reports/effort.ts";
import { workerRewards } from "../../src/ledger/reports/worker-rewards.ts";
import { workersReport } from "../../src/ledger/reports/workers.ts";
import { type LedgerStore, migrate, postgresStore, sqliteStore } from "../../src/ledger/store/open.ts";
import { openSqlite } from "../../src/ledger/store/sqlite-session.ts";
import { fillYear } from "../support/ledger-year.ts";
import { type StartTimes, startTimes } from "./ledger-start.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 7, 30);

/** A report and its times over some runs, ms. */
export interface ReportTime {
  readonly name: string;
  readonly medianMs: number;
  readonly worstMs: number;
}

/**
 * Fills a year and asks every report three times: in an SQLite file, or in the empty PostgreSQL database at `postgresUrl`. `workers`: 10,000 for the
 * figures of docs/benchmarks.md.
 */
export async function reportTimes(
  workers: number,
  postgresUrl: string | undefined,
): Promise<{
  readonly fillMs: number;
  readonly bytes: number;
  readonly start: StartTimes;
  readonly times: readonly ReportTime[];
}> {
  const folder = mkdtempSync(join(tmpdir(), "ledger-year-"));
  const path = join(folder, "ledger.sqlite");
  const store =
    postgresUrl === undefined
      ? sqliteStore(async () => openSqlite({ path, access: "own", create: true, busyMs: 1000 }))
      : postgresStore({
          url: postgresUrl,
          connections: 2,
          connectMs: 5000,
          statementMs: 600_000,
          readOnly: false,
          onError() {},
        });
  try {
    await migrate(store, { lookOnly: false });
    const startMs = performance.now();
    const year = { nowMs: NOW, workers, days: 365, chains: ["namecoin", "rsk"], blocks: 50_000, distributions: 100 };
    await fillYear(store, year);
    const fillMs = performance.now() - startMs;
    const bytes = await bytesOf(store, path);
    const times = await askAll(store);
    await store.close();
    const start = await startTimes(
      postgresUrl === undefined ? { kind: "sqlite", path } : { kind: "postgres", url: postgresUrl },
    );
    return { fillMs, bytes, start, times };
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

async function bytesOf({ db, kind }: LedgerStore, path: string): Promise<number> {
  if (kind === "sqlite") return statSync(path).size;
  const { rows } = await sql<{ size: number }>`select pg_database_size(current_database()) as size`.execute(db);
  return rows[0]?.size ?? 0;
}

async function askAll({ db, kind }: LedgerStore): Promise<ReportTime[]> {
  const now = { nowMs: NOW };
  const asked: Readonly<Record<string, () => Promise<unknown>>> = {
    "rewards, all time": () => chainRewards(db, {}),
    "rewards, 30 days": () => chainRewards(db, { sinceMs: NOW - 30 * DAY }),
    "rewards of one worker": () => workerRewards(db, { worker: "account12.rig123" }),
    "rewards of 100 workers": () => workerRewards(db, {}),
    "rewards of 1000 workers": () => workerRewards(db, { limit: 1000 }),
    "blocks, newest 100": () => listBlocks(db, {}),
    "blocks, newest 100 of a chain": () => listBlocks(db, { chain: "rsk" }),
    "blocks, a late page of a chain": () => listBlocks(db, { chain: "rsk", after: 120_000 }),
    "blocks, a late page of all": () => listBlocks(db, { after: 20_000 }),
    "blocks, 100 orphans": () => listBlocks(db, { state: "orphaned" }),
    "blocks, failed ones (none)": () => listBlocks(db, { state: "failed" }),
    "blocks of one worker": () => listBlocks(db, { worker: "account12.rig123" }),
    "blocks of a worker without any": () => listBlocks(db, { worker: "nobody" }),
    "history of a block": () => blockHistories(db, "rsk:49999"),
    "history by header hash": () =>
      blockHistories(db, "686561646572000000000000c34f0000000000000000000000000000000000000".slice(0, 64)),
    "workers, 100 by work of 24 h": () => workersReport(db, now, kind),
    "workers, 1000 by work of 24 h": () => workersReport(db, { ...now, limit: 1000 }, kind),
    "workers, 100 of one chain": () => workersReport(db, { ...now, chain: "rsk" }, kind),
    "workers, 100 by work of 30 days": () => workersReport(db, { ...now, sinceMs: NOW - 30 * DAY }, kind),
    "workers, one": () => workersReport(db, { ...now, worker: "account12.rig123" }, kind),
    "workers, one, all time": () => workersReport(db, { ...now, sinceMs: 0, worker: "account12.rig123" }, kind),
    "workers, 100 accounts": () => workersReport(db, { ...now, accounts: true }, kind),
    "effort, 30 days, all chains": () => effortReport(db, now),
    "effort, 30 days, one chain": () => effortReport(db, { ...now, chain: "rsk" }),
    "effort, 24 h": () => effortReport(db, { ...now, sinceMs: NOW - DAY }),
    "effort, all time": () => effortReport(db, { ...now, sinceMs: 0 }),
  };
  const times: ReportTime[] = [];
  for (const [name, ask] of Object.entries(asked)) {
    const runs: number[] = [];
    for (let i = 0; i < 3; i++) {
      const startMs = performance.now();
      await ask();
      runs.push(performance.now() - startMs);
    }
    runs.sort((a, b) => a - b);
    times.push({ name, medianMs: runs[1] ?? 0, worstMs: runs[2] ?? 0 });
  }
  return times;
}
