import { describe, expect, test } from "vitest";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Pace } from "./pace.ts";

const flush = async () => {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
};

describe("Pace", () => {
  test("lets submissions through in order, an interval apart, and drops none", async () => {
    const clock = new FakeClock();
    const pace = new Pace({ clock }, { intervalMs: 500 });
    const { signal } = new AbortController();
    const passed: [number, number][] = [];
    for (let i = 0; i < 4; i += 1) void pace.turn(signal).then(() => passed.push([i, clock.monotonicMs()]));
    await flush();
    for (let i = 0; i < 40; i += 1) {
      clock.advance(50);
      await flush();
    }
    expect(passed).toEqual([
      [0, 0],
      [1, 500],
      [2, 1000],
      [3, 1500],
    ]);
  });

  test("the first after a pause does not wait", async () => {
    const clock = new FakeClock();
    const pace = new Pace({ clock }, { intervalMs: 500 });
    const { signal } = new AbortController();
    await pace.turn(signal);
    clock.advance(500);
    await pace.turn(signal);
    expect(clock.pending).toBe(0);
  });

  test("one that gives up costs those behind it nothing", async () => {
    const clock = new FakeClock();
    const pace = new Pace({ clock }, { intervalMs: 500 });
    const controller = new AbortController();
    await pace.turn(controller.signal);
    const given = pace.turn(controller.signal);
    const behind = pace.turn(new AbortController().signal).then(() => clock.monotonicMs());
    await flush();
    controller.abort(new Error("too late"));
    await expect(given).rejects.toThrow("too late");
    await flush();
    clock.advance(500);
    expect(await behind).toBe(500);
  });

  test("without an interval nothing waits", async () => {
    const clock = new FakeClock();
    const pace = new Pace({ clock }, { intervalMs: 0 });
    await Promise.all([1, 2, 3].map(() => pace.turn(new AbortController().signal)));
    expect(clock.pending).toBe(0);
  });
});
