import { expect, test } from "vitest";
import { Backoff } from "../../../../src/devnet/miner/backoff.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const backoff = (): Backoff => new Backoff({ random: seededRandom(1) }, { minMs: 1_000, maxMs: 60_000 });

test("the wait doubles up to its bound, each time between half of the step and the whole", () => {
  const waits = backoff();
  for (const step of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
    const wait = waits.next();
    expect(wait).toBeGreaterThanOrEqual(step * 500);
    expect(wait).toBeLessThanOrEqual(step * 1_000);
  }
  waits.reset();
  expect(waits.next()).toBeLessThanOrEqual(1_000);
});

test("a thousand failures are no overflow", () => {
  const waits = backoff();
  for (let i = 0; i < 1_000; i++) expect(waits.next()).toBeLessThanOrEqual(60_000);
});

test("miners that failed together do not come back together", () => {
  const random = seededRandom(2);
  const waits = Array.from({ length: 50 }, () => new Backoff({ random }, { minMs: 1_000, maxMs: 60_000 }).next());
  expect(new Set(waits).size).toBeGreaterThan(40);
});
