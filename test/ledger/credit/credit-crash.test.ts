/** What a crash takes with it: credit of the last flush interval at most, by a clock that moves only when told. */
import { expect, test } from "vitest";
import { silentLog } from "../../../src/kernel/log.ts";
import { silentMeter } from "../../../src/kernel/meter.ts";
import { CreditLedger } from "../../../src/ledger/credit/credit-ledger.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FatefulAccess, readWork } from "../../support/ledger-access.ts";
import { memoryLedger } from "../../support/ledger-store.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const FLUSH_MS = 5000;
const STEP_MS = 100;

test("at any instant what is not in the database came within one flush interval", async () => {
  const store = await memoryLedger();
  const clock = new FakeClock(1_800_000_000_000);
  const access = new FatefulAccess(store);
  const random = seededRandom(1);
  const ledger = new CreditLedger(
    { clock, log: silentLog, meter: silentMeter, ledger: access, random },
    { server: 1, flushMs: FLUSH_MS },
  );
  await ledger.start();
  const times: number[] = [];
  let oldestMs = 0;
  for (let at = 0; at < 60_000; at += STEP_MS) {
    clock.advance(STEP_MS);
    // Each share has a worker of its own, so that the database can be asked which are in.
    const atMs = clock.nowMs();
    ledger.credit({ userIdentity: `${times.length}`, difficulty: 1, chains: [], height: 1, jobId: 1, atMs });
    times.push(atMs);
    // The flush that may have come due takes no time by this clock.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    const written = Object.keys(await readWork(store)).length;
    expect(ledger.pendingShares).toBe(times.length - written);
    const lost = times.slice(written);
    if (lost[0] !== undefined) oldestMs = Math.max(oldestMs, clock.nowMs() - lost[0]);
  }
  expect(oldestMs).toBeLessThanOrEqual(FLUSH_MS);
  expect(oldestMs).toBeGreaterThan(FLUSH_MS / 2);
});
