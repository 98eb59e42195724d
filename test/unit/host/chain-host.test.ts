/** What a plugin is handed: all of the contract and nothing else, whatever it does with it. */
import { expect, test } from "vitest";
import { chainHost } from "../../../src/host/chain-host.ts";
import type { Host } from "../../../src/merge/plugin.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

function made() {
  const clock = new FakeClock();
  const log = recordingLog();
  const errors: unknown[] = [];
  const delays: number[] = [];
  const watched = {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs: number, run: () => void) => {
      delays.push(delayMs);
      return clock.after(delayMs, run);
    },
    every: (periodMs: number, run: () => void) => {
      delays.push(periodMs);
      return clock.every(periodMs, run);
    },
  };
  const { host, end } = chainHost(
    {
      clock: watched,
      log,
      meter: new MemoryMeter(),
      onOffer() {},
      onTrouble() {},
      onError: (error) => void errors.push(error),
    },
    { chain: "fake", folder: "/etc" },
  );
  return { host, end, clock, log, errors, delays };
}

test("a plugin's host is the contract's and holds no way to end it", () => {
  const { host } = made();
  const contract: Record<keyof Host, true> = {
    chain: true,
    folder: true,
    signal: true,
    log: true,
    meter: true,
    clock: true,
    offer: true,
    trouble: true,
  };
  expect(Object.keys(host).sort()).toEqual(Object.keys(contract).sort());
  expect(Object.keys(host.clock).sort()).toEqual(["after", "every", "monotonicMs", "nowMs"]);
  expect("end" in host.clock).toBe(false);
  for (const part of [host, host.clock, host.meter, host.log]) expect(Object.isFrozen(part)).toBe(true);
});

test("timers end with the run, whatever a plugin does to its clock", () => {
  const { host, end, clock } = made();
  let rang = 0;
  const { after, every } = host.clock;
  after(10, () => {
    rang += 1;
  });
  every(10, () => {
    rang += 1;
  });
  clock.advance(10);
  expect(rang).toBe(2);
  end("over");
  clock.advance(100);
  expect(rang).toBe(2);
  expect(clock.pending).toBe(0);
  expect(host.signal.reason).toEqual(new Error("over"));
});

test("a time that is none is refused, and one beyond what a timer can hold does not ring at once", () => {
  const { host, delays } = made();
  for (const time of [Number.NaN, undefined, "5"]) {
    expect(() => host.clock.after(time as number, () => {})).toThrow(TypeError);
    expect(() => host.clock.every(time as number, () => {})).toThrow(TypeError);
  }
  host.clock.after(Number.POSITIVE_INFINITY, () => {});
  host.clock.every(2 ** 40, () => {});
  host.clock.after(-5, () => {});
  expect(delays).toEqual([2 ** 31 - 1, 2 ** 31 - 1, -5]);
});

test("many listeners of the signal are no leak, and no warning is written into the log's stream", async () => {
  const { host } = made();
  const warnings: Error[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listen);
  for (let i = 0; i < 100; i++) host.signal.addEventListener("abort", () => i);
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", listen);
  expect(warnings).toEqual([]);
});
