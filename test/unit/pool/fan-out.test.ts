import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/kernel/clock.ts";
import { FanOut } from "../../../src/pool/fan-out.ts";

/** A clock that visits move on from inside timers; `turn` runs the timers that were set, as one turn of the event loop. */
function turnClock() {
  let nowMs = 0;
  let timers = new Set<() => void>();
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(_delayMs, run) {
      timers.add(run);
      return { cancel: () => void timers.delete(run) };
    },
    every: () => ({ cancel() {} }),
  };
  return {
    clock,
    pass: (ms: number): void => {
      nowMs += ms;
    },
    turn(): void {
      const due = timers;
      timers = new Set();
      for (const run of due) run();
    },
    pending: () => timers.size,
  };
}

/** A fan-out whose every visit takes `visitMs`. */
function slow(visitMs: number, sliceMs = 5) {
  const { clock, pass, turn, pending } = turnClock();
  const fanOut = new FanOut<number>({ clock }, { sliceMs });
  const visited: string[] = [];
  const finished: number[] = [];
  const start = (items: Iterable<number>, tag = ""): void =>
    fanOut.start(
      items,
      (item) => {
        visited.push(`${tag}${item}`);
        pass(visitMs);
        return false;
      },
      (elapsedMs) => finished.push(elapsedMs),
    );
  return { turn, pending, fanOut, visited, finished, start };
}

describe("FanOut", () => {
  test("a small round is done before start returns", () => {
    const { visited, finished, start, fanOut } = slow(1);
    start([1, 2, 3]);
    expect(visited).toEqual(["1", "2", "3"]);
    expect(finished).toEqual([3]);
    expect(fanOut.running).toBe(false);
  });

  test("nothing to visit is done too", () => {
    const { finished, start } = slow(1);
    start([]);
    expect(finished).toEqual([0]);
  });

  test("after its slice it lets others run, then goes on", () => {
    const { turn, pending, visited, finished, start, fanOut } = slow(2, 5);
    start([1, 2, 3, 4, 5, 6, 7]);
    expect(visited).toEqual(["1", "2", "3"]);
    expect(fanOut.running).toBe(true);
    turn();
    expect(visited).toHaveLength(6);
    expect(finished).toEqual([]);
    turn();
    expect(visited).toHaveLength(7);
    expect(finished).toEqual([14]);
    expect(pending()).toBe(0);
  });

  test("a newer round takes over: everybody gets the newest, the old one never finishes", () => {
    const { turn, visited, finished, start } = slow(5, 5);
    const items = new Set([1, 2, 3]);
    start(items, "a");
    start(items, "b");
    for (let i = 0; i < 5; i++) turn();
    expect(visited).toEqual(["a1", "b1", "b2", "b3"]);
    expect(finished).toHaveLength(1);
  });

  test("who joins is visited, who leaves is not", () => {
    const { turn, visited, start } = slow(5, 5);
    const items = new Set([1, 2, 3]);
    start(items);
    items.delete(2);
    items.add(4);
    for (let i = 0; i < 5; i++) turn();
    expect(visited).toEqual(["1", "3", "4"]);
  });

  test("whoever has more to do is visited again, in later slices too, before the next one is", () => {
    const { clock, pass, turn } = turnClock();
    const visited: number[] = [];
    const left = new Map([
      [1, 4],
      [2, 0],
    ]);
    let finished = 0;
    const fanOut = new FanOut<number>({ clock }, { sliceMs: 5 });
    fanOut.start(
      [1, 2],
      (item) => {
        visited.push(item);
        pass(2);
        const more = left.get(item) ?? 0;
        left.set(item, more - 1);
        return more > 0;
      },
      () => {
        finished += 1;
      },
    );
    expect(visited).toEqual([1, 1, 1]);
    turn();
    expect(visited).toEqual([1, 1, 1, 1, 1, 2]);
    turn();
    expect(finished).toBe(1);
  });

  test("cancel leaves no timer behind", () => {
    const { turn, pending, visited, finished, start, fanOut } = slow(5, 5);
    start([1, 2, 3]);
    fanOut.cancel();
    turn();
    expect(visited).toEqual(["1"]);
    expect(finished).toEqual([]);
    expect(pending()).toBe(0);
  });
});
