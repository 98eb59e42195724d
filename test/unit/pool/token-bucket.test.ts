import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TokenBucket } from "../../../src/pool/token-bucket.ts";

describe("TokenBucket", () => {
  test("gives its burst at once, then its rate", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
    expect([0, 0, 0, 0].map((at) => bucket.tryTake(at))).toEqual([true, true, true, false]);
    expect(bucket.tryTake(99)).toBe(false);
    expect(bucket.tryTake(100)).toBe(true);
    expect(bucket.tryTake(100)).toBe(false);
  });

  test("says how long to wait, debt included", () => {
    const bucket = new TokenBucket({ perSecond: 100, burst: 5 }, 0);
    expect(bucket.waitMs(0)).toBe(0);
    bucket.charge(0, 5);
    expect(bucket.waitMs(0)).toBe(10);
    bucket.charge(0, 20);
    expect(bucket.waitMs(0)).toBe(210);
    expect(bucket.waitMs(209)).toBeCloseTo(1, 6);
    expect(bucket.waitMs(210)).toBeCloseTo(0, 6);
  });

  test("never holds more than its burst, however long it rests, and time may stand still", () => {
    const bucket = new TokenBucket({ perSecond: 1000, burst: 2 }, 50);
    expect([1e9, 1e9, 1e9].map((at) => bucket.tryTake(at))).toEqual([true, true, false]);
    expect(bucket.tryTake(0)).toBe(false);
  });

  test("over any time it gives at most burst + rate * time", () => {
    const steps = fc.array(fc.nat(50), { maxLength: 200 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 50 }),
        steps,
        (perSecond, burst, waits) => {
          const bucket = new TokenBucket({ perSecond, burst }, 0);
          let now = 0;
          let taken = 0;
          for (const wait of waits) {
            now += wait;
            if (bucket.tryTake(now)) taken += 1;
          }
          expect(taken).toBeLessThanOrEqual(burst + (perSecond * now) / 1000 + 1e-6);
        },
      ),
    );
  });
});
