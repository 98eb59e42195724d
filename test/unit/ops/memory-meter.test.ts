import { expect, test } from "vitest";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";

test("counters add up by label, gauges keep the last value, histograms their sum", () => {
  const meter = new MemoryMeter();
  meter.count("shares_rejected_total", 2, { error_code: "stale-share" });
  meter.count("shares_rejected_total", 1, { error_code: "duplicate-share" });
  meter.count("shares_rejected_total", 1, { error_code: "stale-share" });
  meter.gauge("connections", 7);
  meter.gauge("connections", 3);
  meter.observe("job_fanout_seconds", 0.5);
  meter.observe("job_fanout_seconds", 0.25);
  expect(meter.byLabel("shares_rejected_total")).toEqual({ "stale-share": 3, "duplicate-share": 1 });
  expect(meter.total("shares_rejected_total")).toBe(4);
  expect(meter.total("connections")).toBe(3);
  expect(meter.observations("job_fanout_seconds")).toEqual({ count: 2, sum: 0.75, max: 0.5 });
});

test("a label that a peer can choose does not grow the meter without bound", () => {
  const meter = new MemoryMeter();
  for (let i = 0; i < 1000; i++) meter.count("shares_rejected_total", 1, { error_code: `code-${i}` });
  expect(Object.keys(meter.byLabel("shares_rejected_total"))).toHaveLength(201);
  expect(meter.total("shares_rejected_total")).toBe(1000);
});
