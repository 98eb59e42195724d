import { expect, test } from "vitest";
import { ledgerHealthOf } from "../../../src/app/status.ts";
import { StatusLine } from "../../../src/app/status-line.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

const WELL = { open: true, sinceMs: 5, fault: undefined };
const NONE = { pendingShares: 0, lostShares: 0 };

async function lineOf(...health: Parameters<typeof ledgerHealthOf>): Promise<string> {
  const [clock, log, meter] = [new FakeClock(), recordingLog(), new MemoryMeter()];
  meter.count("shares_accepted_total", 7);
  const deps = { clock, log, meter, server: { connections: 2 }, ledger: () => ledgerHealthOf(...health) };
  const line = new StatusLine(deps, { everyMs: 60_000 });
  await line.start(new AbortController().signal);
  await clock.advance(60_000);
  await line.stop();
  return log.lines.map(({ message }) => message).join("\n");
}

test("the line of a minute says nothing of a ledger that is well", async () => {
  expect(await lineOf(WELL, { pendingShares: 3, lostShares: 0 })).toBe(
    "2 connections, 0 channels, 0.00 H/s, 7 shares, 0 blocks",
  );
});

test("it says what keeps the ledger from being written, and what that costs", async () => {
  const fault = new Fault("ledger-disk-full");
  const away = ledgerHealthOf({ ...WELL, fault }, { pendingShares: 3, lostShares: 0 });
  expect(away).toEqual({
    open: true,
    sinceMs: 5,
    trouble: "the disk that has the ledger is full",
    unwrittenShares: 3,
    lostShares: 0,
  });
  expect(await lineOf({ ...WELL, fault }, { pendingShares: 3, lostShares: 0 })).toMatch(
    / blocks; credit of 3 shares waits in memory: the disk that has the ledger is full$/,
  );
  expect(await lineOf(WELL, { pendingShares: 0, lostShares: 4 })).toMatch(/ blocks; nobody gets credit for 4 shares$/);
});

test("in pool mode it says what is mined for", async () => {
  const [clock, log, meter] = [new FakeClock(), recordingLog(), new MemoryMeter()];
  const deps = { clock, log, meter, server: { connections: 0 }, ledger: () => ledgerHealthOf(WELL, NONE) };
  for (const miningFor of ["main", "solo", undefined]) {
    const line = new StatusLine({ ...deps, miningFor: () => miningFor }, { everyMs: 60_000 });
    await line.start(new AbortController().signal);
    clock.advance(60_000);
    await line.stop();
  }
  expect(log.lines.map(({ message }) => message.split("; ")[1])).toEqual([
    "for pool main",
    "for own templates",
    "no pool works",
  ]);
});
