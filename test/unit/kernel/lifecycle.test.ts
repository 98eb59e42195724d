import { describe, expect, test } from "vitest";
import { describe as inWords } from "../../../src/kernel/fault.ts";
import { Lifecycle, type Part } from "../../../src/kernel/lifecycle.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

function part(name: string, trail: string[], over: Partial<Part> = {}): Part {
  return {
    name,
    async start() {
      trail.push(`start ${name}`);
    },
    async stop() {
      trail.push(`stop ${name}`);
    },
    ...over,
  };
}

describe("lifecycle", () => {
  const never = new AbortController().signal;

  test("starts in order and stops in reverse", async () => {
    const trail: string[] = [];
    const lifecycle = new Lifecycle({ clock: new FakeClock(), log: recordingLog() }, { stopTimeoutMs: 1000 });
    await lifecycle.start([part("a", trail), part("b", trail)], never);
    await lifecycle.stop();
    await lifecycle.stop();
    expect(trail).toEqual(["start a", "start b", "stop b", "stop a"]);
  });

  test("a part that cannot start stops those before it and is named with its cause", async () => {
    const trail: string[] = [];
    const lifecycle = new Lifecycle({ clock: new FakeClock(), log: recordingLog() }, { stopTimeoutMs: 1000 });
    const broken = part("b", trail, { start: () => Promise.reject(new Error("port 3333 is taken")) });
    const failure = await lifecycle.start([part("a", trail), broken, part("c", trail)], never).catch(inWords);
    expect(failure).toBe("a part of the program could not start (part b): port 3333 is taken");
    expect(trail).toEqual(["start a", "stop a"]);
  });

  test("a part that hangs or fails while stopping does not keep the others from stopping", async () => {
    const trail: string[] = [];
    const clock = new FakeClock();
    const log = recordingLog();
    const lifecycle = new Lifecycle({ clock, log }, { stopTimeoutMs: 1000 });
    const hangs = part("hangs", trail, { stop: () => new Promise(() => {}) });
    const fails = part("fails", trail, { stop: () => Promise.reject(new Error("disk full")) });
    await lifecycle.start([part("a", trail), hangs, fails], never);
    const stopped = lifecycle.stop();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    await stopped;
    expect(trail.at(-1)).toBe("stop a");
    expect(log.lines.map(({ message }) => message)).toEqual([
      "fails did not stop cleanly: disk full",
      "hangs did not stop cleanly: a part of the program did not stop in time (part hangs, timeoutMs 1000)",
    ]);
    expect(clock.pending).toBe(0);
  });

  test("an aborted start starts nothing more", async () => {
    const trail: string[] = [];
    const lifecycle = new Lifecycle({ clock: new FakeClock(), log: recordingLog() }, { stopTimeoutMs: 1000 });
    await expect(lifecycle.start([part("a", trail)], AbortSignal.abort(new Error("interrupted")))).rejects.toThrow(
      "start",
    );
    expect(trail).toEqual([]);
  });
});
