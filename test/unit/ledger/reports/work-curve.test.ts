import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WorkCurve } from "../../../../src/ledger/reports/work-curve.ts";

const slice = fc
  .record({
    startMs: fc.integer({ min: 0, max: 1000 }),
    lengthMs: fc.integer({ min: 0, max: 300 }),
    work: fc.bigInt({ min: 0n, max: 2n ** 80n }),
  })
  .map(({ startMs, lengthMs, work }) => ({ startMs, endMs: startMs + lengthMs, work }));

describe("work over time", () => {
  test("is whole at a slice's end, half in its middle, nothing before", () => {
    const curve = new WorkCurve([
      { startMs: 100, endMs: 200, work: 11n },
      { startMs: 150, endMs: 250, work: 100n },
    ]);
    expect([0, 100, 150, 200, 225, 250, 9999].map((at) => curve.upTo(at))).toEqual([0n, 0n, 5n, 61n, 86n, 111n, 111n]);
  });

  test("never shrinks, and at the end it is the sum, wherever it was asked before", () => {
    fc.assert(
      fc.property(fc.array(slice), fc.array(fc.integer({ min: 0, max: 1400 })), (slices, moments) => {
        const curve = new WorkCurve(slices);
        let last = 0n;
        for (const at of [...moments].sort((a, b) => a - b)) {
          const now = curve.upTo(at);
          // The definition, slice by slice.
          const expected = slices.reduce((sum, { startMs, endMs, work }) => {
            if (endMs <= at) return sum + work;
            return startMs >= at ? sum : sum + (work * BigInt(at - startMs)) / BigInt(endMs - startMs);
          }, 0n);
          expect(now).toBe(expected);
          expect(now >= last).toBe(true);
          last = now;
        }
        expect(curve.upTo(2000)).toBe(slices.reduce((sum, { work }) => sum + work, 0n));
      }),
    );
  });
});
