/** The generator of a year, and every report on one: what is told agrees with the formulas that the rows were made by. */
import { describe, expect, test } from "vitest";
import { chainRewards } from "../../../src/ledger/reports/chain-rewards.ts";
import { effortReport } from "../../../src/ledger/reports/effort.ts";
import { workersReport } from "../../../src/ledger/reports/workers.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { fillYear, workOf, YEAR_BLOCK, yearSlices } from "../../support/ledger-year.ts";

const NOW = Date.UTC(2026, 7, 30);
const DAY = 86_400_000;
const YEAR = { nowMs: NOW, workers: 12, days: 365, chains: ["rsk", "namecoin"], blocks: 300, distributions: 10 };

describe.each(LEDGERS)("a year of 12 workers on $name", ({ open }) => {
  test("has the slices of compaction, and reports say what the formulas do", async () => {
    const store = await open();
    await fillYear(store, YEAR);
    const { db, kind } = store;
    const slices = yearSlices(YEAR);
    expect(slices).toHaveLength(351 + 12 * 24 + 2 * 144);
    const counted = await db
      .selectFrom("credits")
      .select((each) => each.fn.countAll<number>().as("n"))
      .executeTakeFirstOrThrow();
    expect(counted.n).toBe(12 * slices.length);

    // Odd IDs count for all chains (1 + id % 2 = 2), the others for Bitcoin alone.
    const total = (days: number, of: (id: number) => boolean): bigint =>
      slices
        .filter(({ endMs }) => endMs > NOW - days * DAY)
        .flatMap(({ startMs, endMs }) =>
          Array.from({ length: 12 }, (_, i) => (of(i + 1) ? workOf(i + 1, endMs - startMs) : 0n)),
        )
        .reduce((sum, work) => sum + work, 0n);
    const effort = await effortReport(db, { nowMs: NOW });
    expect(effort.map(({ chain, window }) => [chain, window.work])).toEqual([
      ["bitcoin", total(30, () => true)],
      ["namecoin", total(30, (id) => id % 2 === 1)],
      ["rsk", total(30, (id) => id % 2 === 1)],
    ]);
    for (const { window, effort: now } of effort) {
      // One difficulty all the time: the rounds add up to the whole.
      expect(window.expected).toBeCloseTo(Number(window.work) / Number(YEAR_BLOCK.difficulty), 6);
      expect(now).toBeGreaterThan(0);
    }

    const { workers } = await workersReport(db, { nowMs: NOW }, kind);
    expect(workers.map(({ name }) => name).slice(0, 3)).toEqual(["account1.rig12", "account1.rig11", "account1.rig10"]);
    expect(workers[0]?.work).toBe(144n * workOf(12, 600_000));
    for (const rate of Object.values(workers[0]?.hashrate ?? {})) expect(rate).toBeCloseTo(1_000_000_012_000, -1);

    const rewards = await chainRewards(db, {});
    const orphans = 300 / 50;
    const stale = 300 / 75 - 300 / 150;
    expect(rewards).toHaveLength(3);
    for (const { found, states, split, workersOwed, operatorOwed } of rewards) {
      expect([found, states.orphaned, states.stale, states.distributed]).toEqual([300, orphans, stale, 292]);
      expect(split).toBe(10n * YEAR_BLOCK.reward);
      expect(workersOwed).toBe(120n * (YEAR_BLOCK.reward / 12n));
      expect(workersOwed + operatorOwed).toBe(split);
    }
  }, 30_000);

  test("has bounds", async () => {
    const store = await open();
    await expect(fillYear(store, { ...YEAR, workers: 10_001 })).rejects.toThrow(RangeError);
    await expect(fillYear(store, { ...YEAR, days: 13 })).rejects.toThrow(RangeError);
  });
});
