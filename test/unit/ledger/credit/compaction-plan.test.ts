import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ClosedSlice, planCompaction } from "../../../../src/ledger/credit/compaction-plan.ts";

const HOUR = 60;
const DAY = 24 * HOUR;
/** The default tiers in minutes, so that cases stay readable. */
const TIERS = [
  { olderThanMs: 2 * DAY, sliceMs: HOUR },
  { olderThanMs: 14 * DAY, sliceMs: DAY },
];

function slicesOf(...times: (readonly [number, number])[]): ClosedSlice[] {
  return times.map(([startMs, endMs], i) => ({ id: i + 1, startMs, endMs }));
}

function plan(slices: readonly ClosedSlice[], nowMs: number, boundaries: readonly number[] = []): number[][] {
  return planCompaction(slices, { nowMs, tiers: TIERS, boundaries }).map((group) => group.map(({ id }) => id));
}

describe("a plan of compaction", () => {
  const sixAnHour = slicesOf([0, 10], [10, 20], [20, 30], [30, 40], [40, 50], [50, 60], [60, 70], [70, 80]);

  test("joins what lies in one hour once the whole hour is two days old", () => {
    expect(plan(sixAnHour, 2 * DAY + HOUR - 1)).toEqual([]);
    expect(plan(sixAnHour, 2 * DAY + HOUR)).toEqual([[1, 2, 3, 4, 5, 6]]);
    expect(plan(sixAnHour, 3 * DAY)).toEqual([
      [1, 2, 3, 4, 5, 6],
      [7, 8],
    ]);
  });

  test("joins the hours of a day once the day is two weeks old", () => {
    const hours = slicesOf([0, 60], [60, 120], [23 * HOUR, DAY], [DAY, DAY + 60]);
    expect(plan(hours, 15 * DAY - 1)).toEqual([]);
    expect(plan(hours, 15 * DAY)).toEqual([[1, 2, 3]]);
  });

  test("leaves a boundary between two slices, and a slice that one runs through", () => {
    expect(plan(sixAnHour, 3 * DAY, [30])).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8],
    ]);
    expect(plan(sixAnHour, 3 * DAY, [35])).toEqual([
      [1, 2, 3],
      [5, 6],
      [7, 8],
    ]);
  });

  test("has nothing to do for slices that are as they should be", () => {
    expect(plan(slicesOf([0, 60], [60, 120]), 3 * DAY)).toEqual([]);
    expect(plan([], 3 * DAY)).toEqual([]);
  });

  test("never joins over a boundary or beyond a tier's length, whatever the slices", () => {
    const lengths = fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 90 })), {
      maxLength: 80,
    });
    const times = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 20 });
    fc.assert(
      fc.property(lengths, times, fc.integer({ min: 0, max: 30 * DAY }), (gaps, unsorted, nowMs) => {
        const boundaries = [...new Set(unsorted)].sort((a, b) => a - b);
        let at = 0;
        const slices = gaps.map(([gap, length], i) => {
          const startMs = at + gap;
          at = startMs + length;
          return { id: i, startMs, endMs: at };
        });
        for (const group of planCompaction(slices, { nowMs, tiers: TIERS, boundaries })) {
          const ids = group.map(({ id }) => id);
          expect(ids.every((id, i) => i === 0 || id === ids[i - 1]! + 1)).toBe(true);
          const [startMs, endMs] = [group[0]!.startMs, group.at(-1)!.endMs];
          expect(boundaries.filter((time) => startMs < time && time < endMs)).toEqual([]);
          expect(endMs).toBeLessThanOrEqual(nowMs - 2 * DAY);
          expect(endMs - group[0]!.endMs).toBeLessThan(DAY);
        }
      }),
    );
  });
});
