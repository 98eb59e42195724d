import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { withSignals } from "../../../src/kernel/abort.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

/** Settles when `signal` aborts, with its reason. */
function untilAborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

describe("work under several signals", () => {
  test.each([0, 1])("ends with signal %i, with its reason", async (which) => {
    const controllers = [new AbortController(), new AbortController()];
    const ended = withSignals(
      controllers.map(({ signal }) => signal),
      untilAborted,
    );
    const reason = new Error("enough");
    controllers[which]?.abort(reason);
    controllers[1 - which]?.abort(new Error("too late"));
    expect(await ended).toBe(reason);
  });

  test("is called at once, with a signal that has aborted when one of them has", async () => {
    const [living, dead] = [new AbortController().signal, AbortSignal.abort("gone")];
    expect(await withSignals([living, undefined, dead], async ({ aborted, reason }) => [aborted, reason])).toEqual([
      true,
      "gone",
    ]);
    expect(listeners(living)).toBe(0);
  });

  test("settles as the work does, and leaves no listener", async () => {
    const signals = [new AbortController().signal, new AbortController().signal];
    const during: number[] = [];
    const work = async (): Promise<string> => {
      during.push(...signals.map(listeners));
      return "done";
    };
    expect(await withSignals(signals, work)).toBe("done");
    await expect(withSignals(signals, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    const throwing = (): Promise<never> => {
      throw new Error("thrown");
    };
    await expect(withSignals(signals, throwing)).rejects.toThrow("thrown");
    expect(during).toEqual([1, 1]);
    expect(signals.map(listeners)).toEqual([0, 0]);
  });

  test("a signal that aborts after the work was done reaches nobody", async () => {
    const controller = new AbortController();
    let seen: AbortSignal | undefined;
    await withSignals([controller.signal], async (signal) => {
      seen = signal;
    });
    controller.abort();
    expect(seen?.aborted).toBe(false);
  });

  test("a signal that outlives tens of thousands of calls does not grow", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const lasting = [new AbortController().signal, new AbortController().signal];
    const run = async (times: number): Promise<number> => {
      for (let i = 0; i < times; i++) await withSignals(lasting, async () => undefined);
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await run(1000);
    const after = await run(50_000);
    // AbortSignal.any of the same two signals keeps some 60 MB.
    expect(after - before).toBeLessThan(3e6);
  });
});
