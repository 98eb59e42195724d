import { describe, expect, test } from "vitest";
import { HashLoop, type HashLoopOptions } from "../../../../src/devnet/miner/hash-loop.ts";
import { ALL_NONCES } from "../../../../src/devnet/miner/search-space.ts";
import type { Solution, Work } from "../../../../src/devnet/miner/work.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const work = (workId: number, easy: boolean): Work => ({
  workId,
  version: 0x20000000,
  versionMask: 0,
  prevHash: new Uint8Array(32),
  nbits: 0x1d00ffff,
  minNtime: 1_700_000_000,
  target: new Uint8Array(32).fill(easy ? 0xff : 0),
  root: { kind: "fixed", merkleRoot: new Uint8Array(32) },
});

function started(options: Partial<HashLoopOptions>) {
  const clock = new FakeClock();
  const solutions: Solution[] = [];
  const told = { hashes: 0 };
  const loop = new HashLoop(
    {
      clock,
      onSolution: (solution) => void solutions.push(solution),
      onHashes: (count) => {
        told.hashes += count;
      },
    },
    {
      nonces: ALL_NONCES,
      maxHashrate: Number.POSITIVE_INFINITY,
      maxSolutionsPerSecond: Number.POSITIVE_INFINITY,
      sliceMs: 10,
      ...options,
    },
  );
  return { clock, loop, solutions, told };
}

describe("a hash loop", () => {
  test.each([100, 1_000, 30_000])("keeps to %i hashes a second", (maxHashrate) => {
    const { clock, loop, told } = started({ maxHashrate });
    loop.search(work(1, false));
    clock.advance(10_000);
    expect(told.hashes).toBeGreaterThan(maxHashrate * 9.9);
    expect(told.hashes).toBeLessThanOrEqual(maxHashrate * 10.1);
  });

  test("keeps to a number of solutions a second, however easy the target", () => {
    const { clock, loop, solutions } = started({ maxSolutionsPerSecond: 5 });
    loop.search(work(1, true));
    clock.advance(10_000);
    expect(solutions.length).toBeGreaterThanOrEqual(50);
    expect(solutions.length).toBeLessThanOrEqual(51);
    expect(new Set(solutions.map(({ nonce }) => nonce)).size).toBe(solutions.length);
  });

  test("rolls the header time by the seconds since the work came", () => {
    const { clock, loop, solutions } = started({ maxSolutionsPerSecond: 1 });
    clock.advance(123_456);
    loop.search(work(1, true));
    clock.advance(4_500);
    expect(solutions.map(({ ntime }) => ntime - 1_700_000_000)).toEqual([0, 1, 2, 3, 4]);
  });

  test("turns to new work with the next slice and keeps its throttle", () => {
    const { clock, loop, solutions, told } = started({ maxSolutionsPerSecond: 10, maxHashrate: 1_000 });
    loop.search(work(1, true));
    clock.advance(1_000);
    loop.search(work(2, true));
    clock.advance(1_000);
    expect(new Set(solutions.slice(-9).map(({ workId }) => workId))).toEqual(new Set([2]));
    expect(told.hashes).toBeLessThanOrEqual(2_100);
  });

  test("rests without work and after stop, holding no timer", () => {
    const { clock, loop, told } = started({ maxHashrate: 1_000 });
    loop.search(work(1, false));
    clock.advance(100);
    loop.search(undefined);
    const before = told.hashes;
    clock.advance(10_000);
    expect([told.hashes, clock.pending]).toEqual([before, 0]);
    loop.search(work(2, false));
    clock.advance(100);
    expect(told.hashes).toBeGreaterThan(before);
    loop.stop();
    expect(clock.pending).toBe(0);
  });

  test("may be stopped by whoever it tells of a solution", () => {
    const clock = new FakeClock();
    const loop: HashLoop = new HashLoop(
      { clock, onSolution: () => loop.stop(), onHashes: () => undefined },
      { nonces: ALL_NONCES, maxHashrate: 1e6, maxSolutionsPerSecond: 10, sliceMs: 5 },
    );
    loop.search(work(1, true));
    clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  test("waits for the next second when a search is used up", () => {
    const { clock, loop, told } = started({ nonces: { start: 0, end: 100 } });
    loop.search(work(1, false));
    clock.advance(950);
    expect(told.hashes).toBe(100);
    clock.advance(1_200);
    expect(told.hashes).toBe(300);
  });
});
