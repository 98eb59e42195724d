/** Old credit takes less room, and no window that a block still needs has another sum. */
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { Compaction, type CompactionOptions } from "../../../src/ledger/credit/compaction.ts";
import { AMOUNT_UNIT } from "../../../src/ledger/store/amount.ts";
import { chunks } from "../../../src/ledger/store/chunks.ts";
import type { LedgerStore } from "../../../src/ledger/store/open.ts";
import type { BlockState } from "../../../src/ledger/store/schema.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { type BlockWish, insertBlocks } from "../../support/block-rows.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FatefulAccess, readSlices, readWork } from "../../support/ledger-access.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { until } from "../../support/until.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The first millisecond of a day. */
const NOW_MS = 20_000 * DAY_MS;
const SETTLED: readonly BlockState[] = ["distributed", "rejected", "stale", "failed"];

interface WishedSlice {
  readonly startMs: number;
  readonly endMs: number;
  readonly server?: number;
  readonly open?: number;
  /** Work by worker (1 to 3) and set of chains (1 or 2): `[worker, set, hi, lo]`. */
  readonly work: readonly (readonly [number, number, bigint, bigint])[];
}

async function empty({ db }: LedgerStore): Promise<void> {
  for (const table of ["credits", "slices", "workers", "chain_sets", "blocks", "credit_batches"] as const)
    await db.deleteFrom(table).execute();
}

async function fill({ db }: LedgerStore, slices: readonly WishedSlice[], blocks: readonly BlockWish[] = []) {
  const workers = ["alice", "bob", "carol"].map((identity, i) => ({ id: i + 1, identity }));
  await db
    .insertInto("workers")
    .values(workers.map((worker) => ({ ...worker, first_share_ms: 0, last_share_ms: 0 })))
    .execute();
  await db
    .insertInto("chain_sets")
    .values([
      { id: 1, chains: "," },
      { id: 2, chains: ",namecoin," },
    ])
    .execute();
  for (const { startMs, endMs, server = 1, open = 0, work } of slices) {
    const { id } = await db
      .insertInto("slices")
      .values({ server, start_ms: startMs, end_ms: endMs, open })
      .returning("id")
      .executeTakeFirstOrThrow();
    const rows = new Map(
      work.map(([worker, set, hi, lo]) => [
        `${worker} ${set}`,
        { slice_id: id, worker_id: worker, chain_set_id: set, work_hi: hi, work_lo: lo, shares: 1 },
      ]),
    );
    for (const chunk of chunks([...rows.values()])) await db.insertInto("credits").values(chunk).execute();
  }
  await insertBlocks(db, blocks);
}

function compactionOf(store: LedgerStore, options: Partial<CompactionOptions> = {}) {
  const clock = new FakeClock(NOW_MS);
  const log = recordingLog();
  const meter = new MemoryMeter();
  const access = new FatefulAccess(store);
  const compaction = new Compaction({ clock, log, meter, ledger: access }, { pauseMs: 0, ...options });
  return { compaction, clock, log, meter, access };
}

/** A slice of ten minutes that ends so long before now. */
function tenMinutes(agoMs: number, work: WishedSlice["work"] = [[1, 1, 0n, 5n]]): WishedSlice {
  return { startMs: NOW_MS - agoMs - 600_000, endMs: NOW_MS - agoMs, work };
}

describe.each(LEDGERS)("compaction on $name", ({ name, open }) => {
  test("joins the slices of an hour, exactly, also where sums of lower columns have more than 64 bits", async () => {
    const store = await open();
    const most = AMOUNT_UNIT - 1n;
    // 144 slices of a day: 144 · (10^18 - 1) is sixteen times what 64 bits hold.
    const slices = Array.from({ length: 144 }, (_, i) => tenMinutes(20 * DAY_MS + i * 600_000, [[1, 2, 3n, most]]));
    await fill(store, slices.toReversed());
    const { compaction, meter } = compactionOf(store);
    await compaction.compact();
    expect(await readSlices(store)).toEqual([
      {
        server: 1,
        startMs: NOW_MS - 21 * DAY_MS,
        endMs: NOW_MS - 20 * DAY_MS,
        open: 0,
        shares: { "alice,namecoin,": 144 },
      },
    ]);
    const { work_hi, work_lo } = await store.db.selectFrom("credits").selectAll().executeTakeFirstOrThrow();
    expect(work_hi * AMOUNT_UNIT + work_lo).toBe(144n * (3n * AMOUNT_UNIT + most));
    expect(work_lo).toBeLessThan(AMOUNT_UNIT);
    expect(meter.byLabel("ledger_rows_compacted_total")).toEqual({ joined: 143 });
  });

  test.each([
    ["the upper halves", 600_000_000_000_000_000n, 600_000_000_000_000_000n],
    ["the lower halves", 499_999_999_999_999_999n, 500_000_000_000_000_001n],
    ["nothing", 1n, 2n],
  ])("carries from %s of the lower column", async (_what, one, other) => {
    const store = await open();
    await fill(store, [
      tenMinutes(3 * DAY_MS + 600_000, [[1, 1, 1n, one]]),
      tenMinutes(3 * DAY_MS, [[1, 1, 2n, other]]),
    ]);
    await compactionOf(store).compaction.compact();
    const { work_hi, work_lo } = await store.db.selectFrom("credits").selectAll().executeTakeFirstOrThrow();
    const sum = one + other;
    expect([work_hi, work_lo]).toEqual([3n + sum / AMOUNT_UNIT, sum % AMOUNT_UNIT]);
  });

  test("takes few rows at a time, and ends at the same", async () => {
    const store = await open();
    const work: WishedSlice["work"] = [
      [1, 1, 0n, 1n],
      [2, 1, 0n, 2n],
      [3, 2, 1n, 3n],
    ];
    await fill(
      store,
      Array.from({ length: 24 }, (_, i) => tenMinutes(16 * DAY_MS - (i + 1) * 600_000, work)),
    );
    const { compaction, access } = compactionOf(store, { maxRows: 10 });
    await compaction.compact();
    // 3 slices of 3 rows fit, and two of them are gained with each: (24 - 1) / 2 joins, and one transaction for old batches.
    expect(access.asked).toBe(12 + 1);
    expect(await readSlices(store)).toMatchObject([{ shares: { "alice,": 24, "bob,": 24, "carol,namecoin,": 24 } }]);
    expect(await readWork(store)).toMatchObject({ "carol/namecoin": 24n * (AMOUNT_UNIT + 3n) });
  });

  test("leaves open slices, young ones and those of other servers apart", async () => {
    const store = await open();
    await fill(store, [
      { ...tenMinutes(3 * DAY_MS + 600_000), open: 1 },
      tenMinutes(DAY_MS + 600_000),
      tenMinutes(DAY_MS),
      { ...tenMinutes(3 * DAY_MS + 1_200_000), server: 2 },
      { ...tenMinutes(3 * DAY_MS), server: 2 },
    ]);
    await compactionOf(store).compaction.compact();
    const slices = await readSlices(store);
    expect(slices.map(({ server, open, shares }) => [server, open, shares["alice,"]])).toEqual([
      [1, 1, 1],
      [1, 0, 1],
      [1, 0, 1],
      [2, 0, 2],
    ]);
  });

  test("keeps the ends that blocks need: pending ones, the one before, and all since the chain's second newest distributed", async () => {
    const store = await open();
    const at = (hour: number): number => NOW_MS - 30 * DAY_MS + hour * HOUR_MS;
    const hours = Array.from({ length: 24 }, (_, i) => ({
      startMs: at(i),
      endMs: at(i + 1),
      work: [[1, 1, 0n, 1n]] as const,
    }));
    await fill(store, hours, [
      { chain: "namecoin", foundMs: at(2), state: "distributed" },
      { chain: "namecoin", foundMs: at(4), state: "distributed" },
      { chain: "namecoin", foundMs: at(6), state: "mature" },
      { chain: "namecoin", foundMs: at(8), state: "rejected" },
      { chain: "namecoin", foundMs: at(10), state: "distributed" },
      { chain: "namecoin", foundMs: at(12), state: "distributed" },
      { chain: "namecoin", foundMs: at(13), state: "stale" },
      { chain: "namecoin", foundMs: at(14), state: "distributed" },
      { chain: "rsk", foundMs: at(20), state: "orphaned" },
    ]);
    await compactionOf(store).compaction.compact();
    const ends = (await readSlices(store)).map(({ endMs }) => (endMs - at(0)) / HOUR_MS);
    expect(ends).toEqual([4, 6, 10, 12, 14, 20, 24]);
  });

  test("deletes what is older than it keeps, but no window of a block that is not settled", async () => {
    const store = await open();
    await fill(
      store,
      [450, 435, 425, 405, 395].map((days) => tenMinutes(days * DAY_MS)),
    );
    const { compaction, meter } = compactionOf(store);
    await insertBlocks(store.db, [{ chain: "rsk", foundMs: NOW_MS - 400 * DAY_MS, state: "accepted" }]);
    const daysLeft = async (): Promise<number[]> =>
      (await readSlices(store)).map(({ endMs }) => (NOW_MS - endMs) / DAY_MS);
    await compaction.compact();
    expect(await daysLeft()).toEqual([425, 405, 395]);
    await store.db.updateTable("blocks").set({ state: "distributed" }).execute();
    await compaction.compact();
    expect(await daysLeft()).toEqual([395]);
    expect(meter.byLabel("ledger_rows_compacted_total")).toMatchObject({ expired: 4 });
  });

  test("a block that nobody ever settles holds deletion back for as long again and no longer", async () => {
    const store = await open();
    await fill(store, [tenMinutes(801 * DAY_MS), tenMinutes(799 * DAY_MS)]);
    await insertBlocks(store.db, [{ chain: "rsk", foundMs: NOW_MS - 900 * DAY_MS, state: "submitting" }]);
    await compactionOf(store).compaction.compact();
    expect(await readSlices(store)).toHaveLength(1);
  });

  test("forgets batches of runs that are long gone", async () => {
    const store = await open();
    const batches = [31, 29].map((days) => ({ id: `1:run:${days}`, at_ms: NOW_MS - days * DAY_MS }));
    await store.db.insertInto("credit_batches").values(batches).execute();
    await compactionOf(store).compaction.compact();
    expect(await store.db.selectFrom("credit_batches").select("id").execute()).toEqual([{ id: "1:run:29" }]);
  });

  test("two at once on one database join nothing twice", async () => {
    const store = await open();
    await fill(store, Array.from({ length: 60 }, (_, i) => tenMinutes(20 * DAY_MS + i * 600_000)).toReversed());
    const two = [compactionOf(store, { maxRows: 4 }), compactionOf(store, { maxRows: 4 })];
    await Promise.all(two.map(({ compaction }) => compaction.compact()));
    // What one left to the other is done by whoever comes next.
    await two[0]!.compaction.compact();
    expect(await readSlices(store)).toMatchObject([{ shares: { "alice,": 60 } }]);
  });

  describe("whatever the slices and blocks", () => {
    const gaps = fc.array(
      fc.record({
        gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 * HOUR_MS })),
        lengthMs: fc.integer({ min: 1, max: HOUR_MS }),
        work: fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: 3 }),
            fc.integer({ min: 1, max: 2 }),
            fc.bigInt(0n, 5n),
            fc.bigInt(0n, AMOUNT_UNIT - 1n),
          ),
          { maxLength: 6 },
        ),
      }),
      { maxLength: 40 },
    );
    const block = fc.record({
      chain: fc.constantFrom("namecoin", "rsk"),
      /** An end of a slice, or any time at all. */
      at: fc.oneof(
        fc.nat({ max: 40 }),
        fc.integer({ min: 1, max: 40 * DAY_MS }).map((agoMs) => -agoMs),
      ),
      state: fc.constantFrom<BlockState>("accepted", "mature", "orphaned", "uncle", "distributed", "rejected", "stale"),
    });
    const numRuns = name === "sqlite" ? 120 : 20;

    test("the work up to each pending block, and since the chain's block before it, is the same before and after, and wherever it was killed", async () => {
      const store = await open();
      await fc.assert(
        fc.asyncProperty(
          gaps,
          fc.array(block, { maxLength: 12 }),
          fc.nat({ max: 12 }),
          async (wished, found, killAt) => {
            await empty(store);
            let at = NOW_MS - 35 * DAY_MS;
            const slices = wished.map(({ gapMs, lengthMs, work }) => {
              const startMs = at + gapMs;
              at = startMs + lengthMs;
              return { startMs, endMs: at, work };
            });
            const blocks = found.map(({ chain, at, state }) => ({
              chain,
              state,
              foundMs: at < 0 ? NOW_MS + at : (slices[at]?.endMs ?? NOW_MS),
            }));
            await fill(store, slices, blocks);
            const needed = windows(blocks);
            const looks = async (): Promise<unknown> => {
              const seen: unknown[] = [await readWork(store)];
              for (const time of needed) {
                seen.push(await readWork(store, (slice) => slice.end_ms <= time));
                seen.push(await readWork(store, (slice) => slice.start_ms < time));
              }
              return seen;
            };
            const before = await looks();
            const { compaction, access } = compactionOf(store, { maxRows: 8, pageSize: 15 });
            access.fates.push(...Array<"works">(killAt).fill("works"), "answer lost");
            await compaction.compact().catch(() => undefined);
            expect(await looks()).toEqual(before);
            access.fates.length = 0;
            await compaction.compact();
            expect(await looks()).toEqual(before);
          },
        ),
        { numRuns },
      );
    });
  });
});

/** Times that pending blocks ask for: their own, and where their round begins. */
function windows(blocks: readonly BlockWish[]): number[] {
  const real = blocks.filter(({ state }) => !["rejected", "stale", "failed"].includes(state));
  return blocks
    .filter(({ state }) => !SETTLED.includes(state))
    .flatMap(({ chain, foundMs }) => {
      const before = real.filter((other) => other.chain === chain && other.foundMs < foundMs);
      const rounds = [before, before.filter(({ state }) => state !== "orphaned")];
      return [
        foundMs,
        ...rounds.filter(({ length }) => length > 0).map((round) => Math.max(...round.map((b) => b.foundMs))),
      ];
    });
}

describe("the part", () => {
  const [sqlite] = LEDGERS;

  test("runs every now and then, says once in words that it cannot, and goes on when it can", async () => {
    const store = await sqlite!.open();
    await fill(store, [tenMinutes(3 * DAY_MS + 600_000), tenMinutes(3 * DAY_MS)]);
    const { compaction, clock, log, access } = compactionOf(store, { everyMs: 60_000 });
    access.isAway = true;
    await compaction.start();
    onTestFinished(() => compaction.stop());
    const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
    for (let i = 0; i < 3; i++) {
      clock.advance(60_000);
      await settled();
    }
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ["warn", expect.stringContaining("old credit in the ledger cannot be compacted")],
    ]);
    access.isAway = false;
    clock.advance(60_000);
    await until("it is compacted", () => access.asked > 0);
    await settled();
    expect(await readSlices(store)).toHaveLength(1);
  });

  test("a stop waits for one transaction at most", async () => {
    const store = await sqlite!.open();
    await fill(store, Array.from({ length: 60 }, (_, i) => tenMinutes(20 * DAY_MS + i * 600_000)).toReversed());
    const { compaction, clock, access, log } = compactionOf(store, { maxRows: 2, pauseMs: 1000, everyMs: 1 });
    await compaction.start();
    clock.advance(1);
    await until("the first join", () => access.asked === 2);
    await compaction.stop();
    expect(access.asked).toBe(2);
    expect(log.lines).toEqual([]);
    expect(Object.values(await readWork(store))).toEqual([300n]);
  });
});
