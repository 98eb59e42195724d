/**
 * One block's reward over ten thousand workers: reading the window, the split, the postings. Beside the time it takes stand the longest pause of the event
 * loop, which shares wait for, and the longest hold on the database, which the write of a found block waits for.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { sql } from "kysely";
import { systemClock } from "../../src/app/system.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import { DISTRIBUTION_DEFAULTS, Distribution } from "../../src/ledger/books/distribution.ts";
import { REVENUE_SPLIT, REWARD_RULES_DEFAULTS } from "../../src/ledger/books/reward-rules.ts";
import { summariseBooks } from "../../src/ledger/books/summary.ts";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import { type LedgerAddress, openLedger } from "../../src/ledger/store/address.ts";
import { toColumns } from "../../src/ledger/store/amount.ts";
import { type LedgerStore, migrate } from "../../src/ledger/store/open.ts";
import { storeAccess } from "../../src/ledger/store/transaction.ts";

/** One figure, ms. */
export interface SplitFigure {
  readonly name: string;
  readonly ms: number;
  /** Longest pause of the event loop meanwhile. */
  readonly pauseMs: number;
  /** Longest statement or transaction, from its call to its answer. */
  readonly holdMs: number;
}

const WORKERS = 10_000;
const SLICES = 100;
const SLICE_MS = 60_000;
const CHAIN = "rsk";
/** Tells the slices from those of other benches in the same database. */
const SERVER = 77;
/** Hashes in a slice: each worker's differ. */
const DIFFICULTY_1 = 4_294_967_296n;

/** Compiled beside this file: `npm run bench` builds sources and benches into one folder. */
const CHILD = new URL("../../src/ledger/store/sqlite-child.js", import.meta.url);

/** Measures on SQLite in its process, and on the PostgreSQL database at `postgresUrl` when there is one. */
export async function measureSplit(postgresUrl: string | undefined): Promise<SplitFigure[]> {
  const folder = await mkdtemp(join(tmpdir(), "ledger-split-"));
  const addresses: LedgerAddress[] = [{ kind: "sqlite", path: join(folder, "ledger.sqlite") }];
  if (postgresUrl !== undefined) addresses.push({ kind: "postgres", url: postgresUrl });
  try {
    const figures: SplitFigure[] = [];
    for (const address of addresses) {
      const store = openLedger(address, {
        access: "own",
        create: true,
        script: CHILD,
        clock: systemClock,
        onLost() {},
      });
      figures.push(...(await measureStore(address.kind === "sqlite" ? "SQLite" : "PostgreSQL", store)));
    }
    return figures;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measureStore(name: string, store: LedgerStore): Promise<SplitFigure[]> {
  try {
    await migrate(store, { lookOnly: false });
    await fill(store);
    let holdMs = 0;
    const timed = async <T>(work: () => Promise<T>): Promise<T> => {
      const start = performance.now();
      try {
        return await work();
      } finally {
        holdMs = Math.max(holdMs, performance.now() - start);
      }
    };
    const direct = storeAccess(store);
    const ledger: LedgerAccess = {
      run: (work) => timed(() => direct.run(work)),
      transaction: (work) => timed(() => direct.transaction(work)),
    };
    const rules = { ...REWARD_RULES_DEFAULTS, feeMillionths: 10_000, beneficiaries: REVENUE_SPLIT };
    const distribution = new Distribution(
      {
        clock: systemClock,
        log: silentLog,
        meter: silentMeter,
        ledger,
        rules: () => rules,
        beforeRead: async () => {},
        onDistributed() {},
      },
      DISTRIBUTION_DEFAULTS,
    );
    const figure = async (what: string, work: () => Promise<number>): Promise<SplitFigure> => {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      holdMs = 0;
      delay.enable();
      const start = performance.now();
      if ((await work()) === 0) throw new Error(`${what}: nothing was done`);
      const ms = performance.now() - start;
      delay.disable();
      return { name: `${what}, ${name}`, ms, pauseMs: delay.max / 1e6, holdMs };
    };
    const figures: SplitFigure[] = [];
    await addBlock(store, 1);
    figures.push(await figure("first block over 10,000 workers, 1,000,000 credits", () => distribution.pass()));
    for (let n = 2; n < 5; n++) {
      await addBlock(store, n);
      figures.push(await figure("later block", () => distribution.pass()));
    }
    await store.db.updateTable("blocks").set({ state: "orphaned" }).where("height", "=", 4).execute();
    figures.push(await figure("orphan taken back", () => distribution.pass()));
    const later = systemClock.nowMs() + 100 * 86_400_000;
    const summarise = (): Promise<number> =>
      summariseBooks(ledger, later, { keepDetailMs: 0, blocksAtOnce: 4 }, new AbortController().signal);
    figures.push(await figure("four blocks into a summary", summarise));
    return figures;
  } finally {
    await store.close();
  }
}

async function fill({ db }: LedgerStore): Promise<void> {
  for (let at = 0; at < WORKERS; at += 1000) {
    const identities = Array.from({ length: 1000 }, (_, n) => `split.rig${at + n}`);
    await db
      .insertInto("workers")
      .values(identities.map((identity) => ({ identity, first_share_ms: 0, last_share_ms: 0 })))
      .execute();
  }
  const set = await db
    .insertInto("chain_sets")
    .values({ chains: `,${CHAIN},` })
    .returning("id")
    .executeTakeFirstOrThrow();
  const slices = Array.from({ length: SLICES }, (_, n) => {
    return { server: SERVER, start_ms: n * SLICE_MS, end_ms: (n + 1) * SLICE_MS, open: 0 };
  });
  await db.insertInto("slices").values(slices).execute();
  await sql`
    insert into credits (slice_id, worker_id, chain_set_id, work_hi, work_lo, shares)
    select slices.id, workers.id, ${sql.lit(set.id)}, 0, ${sql.raw(String(DIFFICULTY_1))} * (1 + (slices.id * workers.id) % 1009), 7
    from slices, workers where server = ${sql.lit(SERVER)} and identity like 'split.%' order by slices.id, workers.id
  `.execute(db);
}

async function addBlock({ db }: LedgerStore, height: number): Promise<void> {
  // A window of twice the difficulty, which nearly all of the work fills: 10^8 shares of about 500.
  const difficulty = toColumns((BigInt(WORKERS * SLICES) * DIFFICULTY_1 * 500n) / 2n);
  const reward = toColumns(123_456_789_012_345_678_901n);
  await db
    .insertInto("blocks")
    .values({
      chain: CHAIN,
      key: `${CHAIN}:${height}`,
      block_hash: String(height),
      header_hash: "",
      height,
      worker_id: null,
      finder: "split.rig1",
      found_ms: SLICES * SLICE_MS,
      state: "mature",
      state_ms: 0,
      note: "",
      confirmations: 4000,
      uncle: 0,
      difficulty_hi: difficulty.hi,
      difficulty_lo: difficulty.lo,
      expected_hi: null,
      expected_lo: null,
      actual_hi: reward.hi,
      actual_lo: reward.lo,
      finder_paid_hi: 0n,
      finder_paid_lo: 0n,
      finder_address: null,
      aux_work: null,
      next_check_ms: null,
    })
    .execute();
}
