import { describe, expect, test } from "vitest";
import { chanceOf } from "../../../../src/ledger/reports/luck.ts";

/** Poisson's probability by its definition, in whole steps: slow and without logarithms. */
function poisson(n: number, mean: number): number {
  let value = Math.exp(-mean);
  for (let i = 1; i <= n; i++) value *= mean / i;
  return value;
}

describe("the chance of luck", () => {
  test.each([
    [0, 1],
    [0, 5.5],
    [3, 3],
    [3, 4.2],
    [7, 2.5],
    [40, 61.3],
    [61, 40.1],
    [100, 99.5],
  ])("of %s blocks where %s were expected is the sum of Poisson's terms", (found, expected) => {
    const { side, probability } = chanceOf(found, expected);
    let fewer = 0;
    for (let n = 0; n < found; n++) fewer += poisson(n, expected);
    expect(side).toBe(found < expected ? "fewer" : "more");
    expect(probability).toBeCloseTo(found < expected ? fewer + poisson(found, expected) : 1 - fewer, 9);
  });

  test("a table of Poisson's distribution says the same", () => {
    // NIST/SEMATECH e-Handbook 1.3.6.6.19 gives the formula; P(X <= 2) for a mean of 5 is 37/2 e^-5.
    expect(chanceOf(2, 5).probability).toBeCloseTo(18.5 * Math.exp(-5), 14);
    expect(chanceOf(1, 0.1).probability).toBeCloseTo(1 - Math.exp(-0.1), 14);
  });

  test("it is sure where it must be, and never leaves 0 to 1", () => {
    expect(chanceOf(0, 1e-9).probability).toBeCloseTo(1, 8);
    for (const [found, expected] of [
      [0, 1e6],
      [100_000, 100_000.5],
      [86_400, 80_000],
      [1_000_000, 1],
    ] as const) {
      const { probability } = chanceOf(found, expected);
      expect(probability).toBeGreaterThanOrEqual(0);
      expect(probability).toBeLessThanOrEqual(1);
    }
    // The median of a large mean is the mean.
    expect(chanceOf(100_000, 100_000.5).probability).toBeCloseTo(0.5, 2);
  });
});
