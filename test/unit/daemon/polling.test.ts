/** One question at a time, on a fake clock. */
import { describe, expect, test } from "vitest";
import { Polling } from "../../../src/daemon/polling.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function setUp() {
  const clock = new FakeClock();
  const open: { signal: AbortSignal; end: () => void; fail: () => void }[] = [];
  let runs = 0;
  const polling = new Polling(
    { clock },
    {
      everyMs: 1000,
      run: (signal) =>
        new Promise<void>((resolve, reject) => {
          runs += 1;
          open.push({ signal, end: resolve, fail: () => reject(new Error("no")) });
        }),
    },
  );
  const settle = async () => {
    for (let i = 0; i < 5; i += 1) await Promise.resolve();
  };
  return { clock, polling, open, settle, runs: () => runs };
}

describe("Polling", () => {
  test("asks on a poke and then a pause after each answer", async () => {
    const { clock, polling, open, settle, runs } = setUp();
    expect(runs()).toBe(0);
    polling.poke();
    expect(runs()).toBe(1);
    clock.advance(5000);
    expect(runs()).toBe(1);
    open[0]?.end();
    await settle();
    clock.advance(999);
    expect(runs()).toBe(1);
    clock.advance(1);
    expect(runs()).toBe(2);
  });

  test("pokes during a question make exactly one more, at once", async () => {
    const { polling, open, settle, runs } = setUp();
    polling.poke();
    polling.poke();
    polling.poke();
    expect(runs()).toBe(1);
    open[0]?.end();
    await settle();
    expect(runs()).toBe(2);
    open[1]?.end();
    await settle();
    expect(runs()).toBe(2);
  });

  test("a question that fails is asked again", async () => {
    const { clock, polling, open, settle, runs } = setUp();
    polling.poke();
    open[0]?.fail();
    await settle();
    clock.advance(1000);
    expect(runs()).toBe(2);
  });

  test("stop aborts the question, waits for its end and leaves no timer", async () => {
    const { clock, polling, open, runs } = setUp();
    polling.poke();
    let stopped = false;
    const stop = polling.stop().then(() => {
      stopped = true;
    });
    expect(open[0]?.signal.aborted).toBe(true);
    await Promise.resolve();
    expect(stopped).toBe(false);
    open[0]?.end();
    await stop;
    polling.poke();
    expect(runs()).toBe(1);
    expect(clock.pending).toBe(0);
  });
});
