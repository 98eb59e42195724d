import { describe, expect, test } from "vitest";
import { effortReport } from "../../../src/ledger/reports/effort.ts";
import { isChainOfLedger } from "../../../src/ledger/reports/known-chain.ts";
import { type WorkersQuery, workersReport } from "../../../src/ledger/reports/workers.ts";
import { addCredits, addTransaction } from "../../support/ledger-rows.ts";
import { LEDGERS } from "../../support/ledger-store.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = 1000 * HOUR;

describe.each(LEDGERS)("workers on $name", ({ open }) => {
  test("an empty ledger has none", async () => {
    const { db, kind } = await open();
    expect(await workersReport(db, { nowMs: NOW }, kind)).toEqual({
      workers: [],
      total: 0,
      fromMs: undefined,
      next: undefined,
    });
  });

  test("shares and work of whole slices, hashrates pro rata, and what is owed", async () => {
    const { db, kind } = await open();
    await addCredits(db, [
      // Ended before the day began: no part of anything.
      { startMs: NOW - 30 * HOUR, endMs: NOW - 24 * HOUR, worker: "a.1", work: 10n ** 15n, shares: 1000 },
      { startMs: NOW - 25 * HOUR, endMs: NOW - 23 * HOUR, worker: "a.1", work: 7_200_000n, shares: 72 },
      { startMs: NOW - 20 * MINUTE, endMs: NOW, worker: "a.1", work: 1_200_000n, shares: 12, chains: [] },
      { startMs: NOW - 20 * MINUTE, endMs: NOW, worker: "a.2", work: 2_400_000n, shares: 24 },
      { startMs: NOW - 2 * HOUR, endMs: NOW - HOUR, worker: "b", work: 100_000_000n, shares: 5 },
    ]);
    const split = { reward: -60n, "worker a.1": 30n, "worker a.2": 20n, "worker b": 10n };
    await addTransaction(db, { kind: "distribution", amounts: split });
    await addTransaction(db, { chain: "rsk", kind: "distribution", amounts: { reward: -5n, "worker a.1": 5n } });
    await addTransaction(db, { kind: "payout", amounts: { "worker b": -10n, payout: 10n } });
    const report = await workersReport(db, { nowMs: NOW }, kind);
    expect(report).toMatchObject({ total: 3, fromMs: NOW - 25 * HOUR, next: undefined });
    expect(report.workers).toEqual([
      {
        name: "b",
        workers: 1,
        shares: 5,
        work: 100_000_000n,
        pools: [],
        hashrate: { minutes10: 0, hour: 0, day: expect.closeTo(100_000_000 / 86_400, 6) },
        lastShareMs: NOW - HOUR,
        owed: [{ chain: "namecoin", amount: 0n }],
      },
      {
        name: "a.1",
        workers: 1,
        shares: 84,
        work: 8_400_000n,
        pools: [],
        // Half of the slice of 20 minutes in 600 s, all of it in an hour; half of the old one in the day.
        hashrate: {
          minutes10: expect.closeTo(600_000 / 600, 6),
          hour: expect.closeTo(1_200_000 / 3600, 6),
          day: expect.closeTo((3_600_000 + 1_200_000) / 86_400, 6),
        },
        lastShareMs: NOW,
        owed: [
          { chain: "namecoin", amount: 30n },
          { chain: "rsk", amount: 5n },
        ],
      },
      expect.objectContaining({ name: "a.2", shares: 24, work: 2_400_000n }),
    ]);
    const forChain = await workersReport(db, { nowMs: NOW, chain: "namecoin", worker: "a.1" }, kind);
    expect(forChain.workers).toMatchObject([
      { name: "a.1", work: 7_200_000n, hashrate: { minutes10: 0 }, owed: [{ chain: "namecoin", amount: 30n }] },
    ]);
    expect((await workersReport(db, { nowMs: NOW, chain: "rsk" }, kind)).workers).toEqual([]);
    expect((await workersReport(db, { nowMs: NOW, chain: "bitcoin" }, kind)).total).toBe(3);
  });

  test("work for other pools is told by pool, is asked for by pool, and counts for no chain", async () => {
    const { db, kind } = await open();
    const slice = { startMs: NOW - HOUR, endMs: NOW };
    await addCredits(db, [
      { ...slice, worker: "a.1", work: 100n, shares: 1, chains: [] },
      { ...slice, worker: "a.1", work: 300n, shares: 3, pool: "main" },
      { ...slice, worker: "a.1", work: 20n, shares: 2, pool: ",namecoin," },
      { ...slice, worker: "a.2", work: 7n, shares: 1, pool: "main" },
      { ...slice, worker: "b", work: 50n, shares: 5 },
      { startMs: NOW - 30 * HOUR, endMs: NOW - 29 * HOUR, worker: "b", work: 9n, shares: 1, pool: "old" },
    ]);
    const told = async (query: Partial<WorkersQuery>) => {
      const { workers } = await workersReport(db, { nowMs: NOW, ...query }, kind);
      return workers.map(({ name, shares, work, pools }) => [
        name,
        shares,
        work,
        ...pools.map((each) => `${each.pool} ${each.shares} ${each.work}`),
      ]);
    };
    expect(await told({})).toEqual([
      ["a.1", 6, 420n, ",namecoin, 2 20", "main 3 300"],
      ["b", 5, 50n],
      ["a.2", 1, 7n, "main 1 7"],
    ]);
    expect(await told({ pool: "main" })).toEqual([
      ["a.1", 3, 300n, "main 3 300"],
      ["a.2", 1, 7n, "main 1 7"],
    ]);
    expect(await told({ pool: "main", accounts: true })).toEqual([["a", 4, 307n, "main 4 307"]]);
    expect(await told({ pool: "old" })).toEqual([]);
    expect(await told({ pool: "old", sinceMs: 0 })).toEqual([["b", 1, 9n, "old 1 9"]]);
    expect(await told({ chain: "bitcoin" })).toEqual([
      ["a.1", 1, 100n],
      ["b", 5, 50n],
    ]);
    expect(await told({ chain: "namecoin" })).toEqual([["b", 5, 50n]]);
    expect((await workersReport(db, { nowMs: NOW, pool: "main" }, kind)).workers[0]?.hashrate.hour).toBeCloseTo(
      300 / 3600,
    );
    await expect(told({ pool: "mian" })).rejects.toMatchObject({
      code: "report-pool-unknown",
      data: { pool: "mian", known: ",namecoin,, main, old" },
    });
    await expect(told({ pool: "main", chain: "bitcoin" })).rejects.toMatchObject({ code: "report-query" });
    expect(await isChainOfLedger(db, "main")).toBe(false);
    expect(await isChainOfLedger(db, "namecoin")).toBe(true);
    // Luck is of the work that could find a block of ours.
    const [bitcoin] = await effortReport(db, { nowMs: NOW });
    expect(bitcoin).toMatchObject({ chain: "bitcoin", workSince: 150n });
  });

  test("accounts add up all identities up to their first dot, and no others", async () => {
    const { db, kind } = await open();
    const slice = { startMs: NOW - HOUR, endMs: NOW };
    const identities = ["farm.1", "farm.1.2", "farm", "farmer.1", "far", ".x", "Farm.1"];
    await addCredits(
      db,
      identities.map((worker, i) => ({ ...slice, worker, work: 10n ** BigInt(i), shares: 1 })),
    );
    const amounts = Object.fromEntries(identities.map((worker, i) => [`worker ${worker}`, 10n ** BigInt(i)]));
    await addTransaction(db, { kind: "distribution", amounts: { reward: -1_111_111n, ...amounts } });
    const { workers, total } = await workersReport(db, { nowMs: NOW, accounts: true }, kind);
    const told = workers.map(({ name, workers: count, work, owed }) => [name, count, work, owed[0]?.amount]);
    expect(told).toEqual([
      ["Farm", 1, 1_000_000n, 1_000_000n],
      ["", 1, 100_000n, 100_000n],
      ["far", 1, 10_000n, 10_000n],
      ["farmer", 1, 1000n, 1000n],
      ["farm", 3, 111n, 111n],
    ]);
    expect(total).toBe(5);
    const one = await workersReport(db, { nowMs: NOW, accounts: true, worker: "farm" }, kind);
    expect(one.workers).toMatchObject([{ name: "farm", workers: 3, shares: 3 }]);
  });

  test("pages miss nobody, and equal work keeps its order; sums pass 64 bits", async () => {
    const { db, kind } = await open();
    const work = 9n * 10n ** 18n + 999_999_999_999_999_999n;
    const specs = Array.from({ length: 12 }, (_, i) => i).flatMap((hour) =>
      ["a", "b", "c", "d", "e"].map((worker) => ({
        startMs: NOW - (hour + 1) * HOUR,
        endMs: NOW - hour * HOUR,
        worker,
        work: worker === "d" ? work + 1n : work,
      })),
    );
    await addCredits(db, specs);
    const seen: string[] = [];
    let after: number | undefined;
    for (let page = 0; page < 10; page++) {
      const { workers, next, total } = await workersReport(db, { nowMs: NOW, limit: 2, after }, kind);
      seen.push(...workers.map(({ name, work: of }) => `${name} ${of - 12n * work}`));
      expect(total).toBe(5);
      if (next === undefined) break;
      after = next;
    }
    expect([...seen].sort()).toEqual(["a 0", "b 0", "c 0", "d 12", "e 0"]);
    await expect(workersReport(db, { nowMs: NOW, after: -1 }, kind)).rejects.toMatchObject({ code: "report-query" });
    await expect(workersReport(db, { nowMs: NOW, limit: 0 }, kind)).rejects.toMatchObject({ code: "report-query" });
  });
});
