/** Any shares in any order, with flushes, failures, finds and restarts between them, add up as plain addition has them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { silentLog } from "../../../src/kernel/log.ts";
import { silentMeter } from "../../../src/kernel/meter.ts";
import { CreditLedger } from "../../../src/ledger/credit/credit-ledger.ts";
import type { LedgerStore } from "../../../src/ledger/store/open.ts";
import type { ShareCredit } from "../../../src/mining/ports.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type Fate, FatefulAccess, readSlices, readWork } from "../../support/ledger-access.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { workOfDifficulty } from "../../support/share-work.ts";

type Step =
  | {
      readonly kind: "share";
      readonly user: string;
      readonly chains: readonly string[];
      readonly pool: string | undefined;
      readonly difficulty: number;
    }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "jump"; readonly ms: number }
  | { readonly kind: "cut"; readonly agoMs: number }
  | { readonly kind: "flush"; readonly fates: readonly Fate[] }
  | { readonly kind: "restart" };

const fate = fc.constantFrom<Fate>("works", "away", "answer lost");
const share = fc.record({
  kind: fc.constant("share" as const),
  user: fc.constantFrom("alice", "bob", "carol.rig1", "dave"),
  chains: fc.subarray(["namecoin", "rsk", "hathor"]),
  // A pool's job has no chains of ours; one of ours that was declared to the pool has, and counts for them and not for Bitcoin.
  pool: fc.option(fc.constantFrom("main", ",namecoin,"), { nil: undefined, freq: 2 }),
  difficulty: fc.oneof(fc.double({ min: 1e-9, max: 1e13, noNaN: true }), fc.constantFrom(1, 2 ** 29)),
});
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: share },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 900_000 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("jump" as const), ms: fc.integer({ min: -1e7, max: 1e7 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("cut" as const), agoMs: fc.integer({ min: 0, max: 5000 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("flush" as const), fates: fc.array(fate, { maxLength: 3 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  ),
  { maxLength: 60 },
);

async function empty({ db }: LedgerStore): Promise<void> {
  for (const table of ["credits", "slices", "workers", "chain_sets", "credit_batches"] as const)
    await db.deleteFrom(table).execute();
}

/** Runs the steps; gives the shares that must be in the database then. */
async function play(store: LedgerStore, script: readonly Step[], seed: number): Promise<ShareCredit[]> {
  const clock = new FakeClock(1_800_000_123_456);
  const access = new FatefulAccess(store);
  const random = seededRandom(seed);
  const deps = { clock, log: silentLog, meter: silentMeter, ledger: access, random };
  // Small batches and slices, so that few shares meet all of their ends.
  const run = (): CreditLedger => new CreditLedger(deps, { server: 3, batchSize: 3, sliceMs: 60_000 });
  let ledger = run();
  const given: ShareCredit[] = [];
  for (const step of script) {
    if (step.kind === "share") {
      const { user, chains, pool, difficulty } = step;
      const share = { userIdentity: user, difficulty, chains, height: 1, jobId: 1, atMs: clock.nowMs() };
      const credit = pool === undefined ? share : { ...share, pool };
      ledger.credit(credit);
      given.push(credit);
    } else if (step.kind === "pass") clock.advance(step.ms);
    else if (step.kind === "jump") clock.jumpTo(clock.nowMs() + step.ms);
    else if (step.kind === "cut") ledger.cut(clock.nowMs() - step.agoMs);
    else if (step.kind === "flush") {
      access.fates.push(...step.fates);
      await ledger.flush().catch(() => undefined);
    } else {
      // A clean stop, or a kill right behind a flush: what was credited after one may be lost, and is tested elsewhere.
      access.fates.length = 0;
      if (given.length % 2 === 0) await ledger.stop();
      else await ledger.flush();
      // Two runs of a server do not share a millisecond.
      clock.advance(1);
      ledger = run();
    }
  }
  access.fates.length = 0;
  await ledger.flush();
  expect([ledger.pendingShares, ledger.lostShares]).toEqual([0, 0]);
  return given;
}

function plain(given: readonly ShareCredit[]): Record<string, bigint> {
  const sums: Record<string, bigint> = {};
  for (const { userIdentity, chains, pool, difficulty } of given) {
    for (const chain of pool === undefined ? ["bitcoin", ...chains] : [...chains, `pool:${pool}`]) {
      const key = `${userIdentity}/${chain}`;
      sums[key] = (sums[key] ?? 0n) + workOfDifficulty(difficulty);
    }
  }
  return sums;
}

describe.each(LEDGERS)("credit on $name", ({ name, open }) => {
  const numRuns = name === "sqlite" ? 150 : 25;

  test("adds up to what was given, in slices that are in order and do not overlap", async () => {
    const store = await open();
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (script, seed) => {
        await empty(store);
        const given = await play(store, script, seed);
        expect(await readWork(store)).toEqual(plain(given));
        const slices = await readSlices(store);
        const total = slices.flatMap(({ shares }) => Object.values(shares)).reduce((sum, each) => sum + each, 0);
        expect(total).toBe(given.length);
        expect(slices.every(({ startMs, endMs }) => startMs < endMs)).toBe(true);
        expect(slices.every(({ startMs }, i) => i === 0 || startMs >= slices[i - 1]!.endMs)).toBe(true);
        expect(slices.slice(0, -1).every((slice) => slice.open === 0)).toBe(true);
      }),
      { numRuns },
    );
  });

  test("does not depend on the order of shares", async () => {
    const store = await open();
    await fc.assert(
      fc.asyncProperty(fc.array(share, { maxLength: 30 }), fc.nat(), async (shares, seed) => {
        const results: Record<string, bigint>[] = [];
        for (const order of [shares, shares.toReversed()]) {
          await empty(store);
          const flush = { kind: "flush", fates: ["answer lost"] } as const;
          await play(
            store,
            order.flatMap((each, i): Step[] => (i % 4 === 3 ? [each, flush] : [each])),
            seed,
          );
          results.push(await readWork(store));
        }
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: numRuns / 5 },
    );
  });

  test("a find parts all work up to its time from all work after it, while the clock goes forward", async () => {
    const store = await open();
    const forward = steps.map((script) =>
      script.flatMap((step): Step[] => {
        if (step.kind === "jump") return [];
        // Finds are told at once: with the clock at the time of the find and before the next share.
        return step.kind === "cut" ? [{ kind: "cut", agoMs: 0 }] : [step];
      }),
    );
    await fc.assert(
      fc.asyncProperty(forward, fc.nat(), async (script, seed) => {
        await empty(store);
        const finds: number[] = [];
        const clock = { nowMs: 1_800_000_123_456 };
        for (const step of script) {
          if (step.kind === "pass") clock.nowMs += step.ms;
          if (step.kind === "restart") clock.nowMs += 1;
          if (step.kind === "cut") finds.push(clock.nowMs);
        }
        const given = await play(store, script, seed);
        for (const foundMs of finds) {
          const before = given.filter(({ atMs }) => atMs <= foundMs);
          expect(await readWork(store, (slice) => slice.end_ms <= foundMs)).toEqual(plain(before));
          expect(await readWork(store, (slice) => slice.start_ms < foundMs)).toEqual(plain(before));
        }
      }),
      { numRuns },
    );
  });
});
