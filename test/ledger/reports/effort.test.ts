import { describe, expect, test } from "vitest";
import { effortReport } from "../../../src/ledger/reports/effort.ts";
import { addBlock, addCredits } from "../../support/ledger-rows.ts";
import { LEDGERS } from "../../support/ledger-store.ts";

const DAY = 86_400_000;
const NOW = 100 * DAY;

describe.each(LEDGERS)("effort on $name", ({ open }) => {
  test("an empty ledger has Bitcoin alone, and nothing to say of it", async () => {
    const { db } = await open();
    expect(await effortReport(db, { nowMs: NOW })).toEqual([
      {
        chain: "bitcoin",
        lastBlockMs: undefined,
        workSince: 0n,
        difficulty: undefined,
        effort: undefined,
        window: {
          fromMs: NOW - 30 * DAY,
          work: 0n,
          found: 0,
          expected: undefined,
          meanEffort: undefined,
          luck: undefined,
          chance: undefined,
          expectedReward: undefined,
          foundReward: 0n,
          actualReward: 0n,
        },
      },
    ]);
  });

  test("work since the last block over its difficulty, for exactly the chains that the work counts for", async () => {
    const { db } = await open();
    const hours = (from: number, to: number) => ({ startMs: NOW - from * 3_600_000, endMs: NOW - to * 3_600_000 });
    await addCredits(db, [
      { ...hours(10, 8), work: 1000n },
      { ...hours(8, 4), work: 4000n, chains: ["namecoin", "rsk"] },
      { ...hours(4, 0), work: 500n, chains: [] },
      { ...hours(4, 0), work: 300n, worker: "b", chains: ["rsk"] },
      { ...hours(4, 0), work: 70n, worker: "c" },
    ]);
    // Found where a slice ended: what came before does not count.
    await addBlock(db, { foundMs: NOW - 8 * 3_600_000, state: "accepted", difficulty: 2000n });
    // No block of the chain came of these: the round goes on.
    await addBlock(db, { height: 2, foundMs: NOW - 3_600_000, state: "rejected" });
    await addBlock(db, { height: 3, foundMs: NOW - 3_600_000, state: "stale" });
    const report = await effortReport(db, { nowMs: NOW, difficulties: new Map([["rsk", 860n]]) });
    expect(report).toMatchObject([
      { chain: "bitcoin", lastBlockMs: undefined, workSince: 5870n, difficulty: undefined, effort: undefined },
      { chain: "namecoin", lastBlockMs: NOW - 8 * 3_600_000, workSince: 4070n, difficulty: 2000n, effort: 2.035 },
      { chain: "rsk", lastBlockMs: undefined, workSince: 4300n, difficulty: 860n, effort: 5 },
    ]);
    const [only, ...others] = await effortReport(db, { nowMs: NOW, chain: "namecoin" });
    expect(others).toEqual([]);
    expect(only).toEqual(report[1]);
  });

  test("a slice that a block or the window cuts counts with the part of its time", async () => {
    const { db } = await open();
    await addCredits(db, [{ startMs: NOW - 4 * DAY, endMs: NOW, work: 4001n }]);
    await addBlock(db, { foundMs: NOW - DAY, state: "mature", difficulty: 100n });
    const [, namecoin] = await effortReport(db, { nowMs: NOW, sinceMs: NOW - 2 * DAY });
    // A quarter lies behind the block, a half within the window; whole hashes, and no part is counted twice.
    expect(namecoin).toMatchObject({ workSince: 4001n - 3000n, window: { work: 4001n - 2000n, found: 1 } });
  });

  test("luck weighs each round by the difficulty of the block that ended it; orphans were found too and pay nothing", async () => {
    const { db } = await open();
    const day = (n: number) => ({ startMs: NOW - n * DAY, endMs: NOW - (n - 1) * DAY });
    await addCredits(db, [
      { ...day(5), work: 600n },
      { ...day(4), work: 500n },
      { ...day(3), work: 900n },
      { ...day(2), work: 150n },
      { ...day(1), work: 50n },
    ]);
    const found = (n: number, state: "mature" | "orphaned" | "accepted", difficulty: bigint, actual: bigint | null) =>
      addBlock(db, { height: 10 - n, foundMs: NOW - (n - 1) * DAY, state, difficulty, expected: 30n, actual });
    await found(5, "mature", 100n, 25n);
    await found(4, "mature", 250n, 27n);
    await found(3, "orphaned", 300n, 26n);
    await found(2, "accepted", 600n, null);
    const [, namecoin] = await effortReport(db, { nowMs: NOW, sinceMs: NOW - 4 * DAY });
    // The first block ended as the window began. 500/250 + 900/300 + 150/600, and 50/600 of a round that goes on.
    const expected = 2 + 3 + 0.25 + 50 / 600;
    expect(namecoin).toMatchObject({ workSince: 50n, difficulty: 600n });
    expect(namecoin?.effort).toBeCloseTo(50 / 600, 12);
    expect(namecoin?.window).toMatchObject({ fromMs: NOW - 4 * DAY, work: 1600n, found: 3 });
    expect(namecoin?.window.expected).toBeCloseTo(expected, 12);
    expect(namecoin?.window.luck).toBeCloseTo(3 / expected, 12);
    expect(namecoin?.window.meanEffort).toBeCloseTo(expected / 3, 12);
    // e^-m (1 + m + m²/2 + m³/6): so few or fewer.
    const so = Math.exp(-expected) * (1 + expected + expected ** 2 / 2 + expected ** 3 / 6);
    expect(namecoin?.window.chance).toEqual({ side: "fewer", probability: expect.closeTo(so, 12) });
    expect(namecoin?.window).toMatchObject({ foundReward: 90n, actualReward: 27n, expectedReward: 160n });
  });

  test("work of several servers, and more of it than 64 bits hold", async () => {
    const { db } = await open();
    const work = 7n * 10n ** 18n + 123_456_789n;
    const specs = Array.from({ length: 30 }, (_, i) => ({ startMs: NOW - DAY - i, endMs: NOW - i, work }));
    await addCredits(db, specs);
    await addBlock(db, { foundMs: NOW - 10 * DAY, state: "mature", difficulty: 10n ** 19n });
    const [, namecoin] = await effortReport(db, { nowMs: NOW });
    expect(namecoin?.workSince).toBe(30n * work);
    expect(namecoin?.effort).toBeCloseTo(21, 6);
  });
});
