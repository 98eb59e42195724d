import { describe, expect, test } from "vitest";
import { Goodbye } from "../../../../src/app/module/goodbye.ts";
import { Bus } from "../../../../src/kernel/events.ts";
import type { BllvmEvents } from "../../../../src/node/bllvm/bllvm-node.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { recordingLog } from "../../../support/recording-log.ts";

const SHUTDOWN = { reason: "graceful", timeoutS: 30 };

function world(flush: () => Promise<void>) {
  const bus = new Bus<BllvmEvents>({ onError: (error) => expect.fail(String(error)) });
  const log = recordingLog();
  const credit = {
    pendingShares: 7,
    flushes: 0,
    flush() {
      credit.flushes += 1;
      return flush();
    },
  };
  const goodbye = new Goodbye({
    node: { on: (name, listener) => bus.on(name, listener) },
    credit,
    clock: new FakeClock(),
    log,
  });
  return { bus, log, credit, goodbye };
}

describe("the node's goodbye", () => {
  test("NodeShutdown and a flush write credit within the same turn, other maintenance does not", async () => {
    const { bus, credit, goodbye } = world(async () => undefined);
    bus.emit("NodeShutdown", SHUTDOWN);
    expect(credit.flushes).toBe(0);
    await goodbye.start(new AbortController().signal);
    bus.emit("NodeShutdown", SHUTDOWN);
    expect(credit.flushes).toBe(1);
    bus.emit("DataMaintenance", { operation: "cleanup", urgency: "low", reason: "disk" });
    expect(credit.flushes).toBe(1);
    bus.emit("DataMaintenance", { operation: "flush", urgency: "high", reason: "shutdown" });
    expect(credit.flushes).toBe(2);
    credit.pendingShares = 0;
    bus.emit("NodeShutdown", SHUTDOWN);
    expect(credit.flushes).toBe(2);
    await goodbye.stop();
  });

  test("a database that does not take it is told, with the number of shares", async () => {
    const { bus, log, goodbye } = world(async () => {
      throw new Error("the disk is full");
    });
    await goodbye.start(new AbortController().signal);
    bus.emit("NodeShutdown", SHUTDOWN);
    await Promise.resolve();
    await Promise.resolve();
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "warn the bllvm node stops (graceful): credit for shares is written now",
      "error credit for 7 shares could not be written: the disk is full",
    ]);
  });
});
