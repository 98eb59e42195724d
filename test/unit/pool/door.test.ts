import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/kernel/fault.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { Door } from "../../../src/pool/door.ts";
import { SERVER_DEFAULTS } from "../../../src/pool/server-options.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

function door(limits: Partial<typeof SERVER_DEFAULTS.limits> = {}) {
  const [clock, meter] = [new FakeClock(), new MemoryMeter()];
  return { clock, meter, door: new Door({ clock, meter }, { ...SERVER_DEFAULTS.limits, ...limits }) };
}

describe("Door", () => {
  test("gives places with the time at which the peer came, and counts whom it refuses by reason", () => {
    const { door: at, clock, meter } = door({ connections: 2, connectionsPerAddress: 1 });
    clock.advance(1234);
    const first = at.admit("192.0.2.1");
    expect(first?.sinceMs).toBe(clock.monotonicMs());
    expect(at.admit("192.0.2.1")).toBeUndefined();
    expect(at.admit("192.0.2.2")).toBeDefined();
    expect(at.admit("192.0.2.3")).toBeUndefined();
    expect(at.admit("")).toBeUndefined();
    expect(meter.byLabel("connections_refused_total")).toEqual({ address: 1, total: 1, gone: 1 });
    first?.release();
    first?.release();
    expect(at.admit("192.0.2.1")).toBeDefined();
    expect(at.admit("192.0.2.4"), "a place is given back once").toBeUndefined();
  });

  test("whom it turned away is counted always and told while there is room in the log", () => {
    const { door: at, clock, meter } = door();
    const log = recordingLog();
    for (let i = 0; i < 150; i++) at.turnedAway(log, new Fault("handshake-timeout", { afterMs: 5 }));
    expect(meter.byLabel("connections_dropped_total")).toEqual({ "handshake-timeout": 150 });
    expect(log.lines.filter(({ level }) => level === "info")).toHaveLength(100);
    clock.advance(1000);
    expect([1, 2, 3, 4, 5, 6].map(() => at.tryTell())).toEqual([true, true, true, true, true, false]);
  });
});
