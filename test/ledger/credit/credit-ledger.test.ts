/** Credit from a share to the database, on every kind of ledger. */
import { describe, expect, onTestFinished, test } from "vitest";
import { CREDIT_DEFAULTS, CreditLedger, type CreditLedgerOptions } from "../../../src/ledger/credit/credit-ledger.ts";
import { AMOUNT_UNIT } from "../../../src/ledger/store/amount.ts";
import type { LedgerStore } from "../../../src/ledger/store/open.ts";
import { NO_CHAINS } from "../../../src/mining/aux.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FatefulAccess, readSlices, readWork } from "../../support/ledger-access.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { until } from "../../support/until.ts";

/** A multiple of the default length of slices. */
const START_MS = 1_800_000_000_000;

class World {
  readonly clock = new FakeClock(START_MS);
  readonly log = recordingLog();
  readonly meter = new MemoryMeter();
  readonly store: LedgerStore;
  readonly access: FatefulAccess;
  #run = 0;

  constructor(store: LedgerStore) {
    this.store = store;
    this.access = new FatefulAccess(store);
  }

  /** Another run of the server; those before are as good as killed. */
  ledger(options: Partial<CreditLedgerOptions> = {}): CreditLedger {
    const { clock, log, meter, access } = this;
    this.#run += 1;
    return new CreditLedger(
      { clock, log, meter, ledger: access, random: seededRandom(this.#run) },
      { server: 7, ...options },
    );
  }

  /** A share now. */
  share(ledger: CreditLedger, userIdentity = "alice", chains = NO_CHAINS, difficulty = 1): void {
    const atMs = this.clock.nowMs();
    ledger.credit({ userIdentity, difficulty, chains, height: 1, jobId: 1, atMs });
  }

  messages(level: string): string[] {
    return this.log.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}

describe.each(LEDGERS)("credit on $name", ({ open }) => {
  const world = async (): Promise<World> => new World(await open());

  test("is in the database after a flush: workers, sets of chains, a slice, work and shares", async () => {
    const w = await world();
    const ledger = w.ledger();
    w.clock.advance(1000);
    w.share(ledger, "farm.rig1", ["namecoin", "rsk"], 2);
    w.share(ledger, "farm.rig1", ["rsk", "namecoin"], 0.5);
    w.clock.advance(1000);
    w.share(ledger, "farm.rig2");
    expect(ledger.pendingShares).toBe(3);
    await ledger.flush();
    expect(ledger.pendingShares).toBe(0);
    expect(await readWork(w.store)).toEqual({
      "farm.rig1/bitcoin": 5n * 2n ** 31n,
      "farm.rig1/namecoin": 5n * 2n ** 31n,
      "farm.rig1/rsk": 5n * 2n ** 31n,
      "farm.rig2/bitcoin": 2n ** 32n,
    });
    expect(await readSlices(w.store)).toEqual([
      {
        server: 7,
        startMs: START_MS + 999,
        endMs: START_MS + 2000,
        open: 1,
        shares: { "farm.rig1,namecoin,rsk,": 2, "farm.rig2,": 1 },
      },
    ]);
    expect(await w.store.db.selectFrom("workers").selectAll().orderBy("identity").execute()).toMatchObject([
      { identity: "farm.rig1", first_share_ms: START_MS + 1000, last_share_ms: START_MS + 1000 },
      { identity: "farm.rig2", first_share_ms: START_MS + 2000, last_share_ms: START_MS + 2000 },
    ]);
    expect(w.meter.total("ledger_shares_credited_total")).toBe(3);
  });

  test("is added up over flushes with a carry from the lower to the upper column", async () => {
    const w = await world();
    const ledger = w.ledger();
    // Two thirds of what the lower column counts up to.
    const difficulty = 2 ** 27 + 2 ** 25;
    for (let i = 0; i < 5; i++) {
      w.share(ledger, "alice", NO_CHAINS, difficulty);
      await ledger.flush();
    }
    const work = 5n * BigInt(difficulty) * 2n ** 32n;
    expect(work / AMOUNT_UNIT).toBeGreaterThan(1n);
    const { work_hi, work_lo, shares } = await w.store.db.selectFrom("credits").selectAll().executeTakeFirstOrThrow();
    expect({ work_hi, work_lo, shares }).toEqual({
      work_hi: work / AMOUNT_UNIT,
      work_lo: work % AMOUNT_UNIT,
      shares: 5,
    });
  });

  test("goes in batches of many rows", async () => {
    const w = await world();
    const ledger = w.ledger({ batchSize: 1500 });
    for (let i = 0; i < 4000; i++) w.share(ledger, `farm.rig${i}`);
    await ledger.flush();
    // Of the four transactions one closes what earlier runs left open.
    expect(w.access.asked).toBe(4);
    const [slice] = await readSlices(w.store);
    expect(Object.keys(slice!.shares)).toHaveLength(4000);
    expect(Object.values(slice!.shares).every((shares) => shares === 1)).toBe(true);
  });

  test("counts once when a commit's answer is lost", async () => {
    const w = await world();
    const ledger = w.ledger();
    w.share(ledger, "alice", ["rsk"]);
    w.access.fates.push("works", "answer lost");
    await expect(ledger.flush()).rejects.toMatchObject({ code: "ledger-unreachable" });
    expect(ledger.pendingShares).toBe(1);
    w.share(ledger, "alice", ["rsk"]);
    w.share(ledger, "bob");
    w.access.fates.push("answer lost", "works", "answer lost");
    for (let i = 0; i < 4 && ledger.pendingShares > 0; i++) await ledger.flush().catch(() => undefined);
    expect(await readSlices(w.store)).toMatchObject([{ shares: { "alice,rsk,": 2, "bob,": 1 } }]);
    expect(await w.store.db.selectFrom("credit_batches").select("id").execute()).toHaveLength(1);
  });

  test("nothing of a batch is counted that could not be written, and all of it later", async () => {
    const w = await world();
    const ledger = w.ledger();
    w.access.isAway = true;
    w.share(ledger);
    await expect(ledger.flush()).rejects.toMatchObject({ code: "ledger-unreachable" });
    w.share(ledger);
    await expect(ledger.flush()).rejects.toMatchObject({ code: "ledger-unreachable" });
    expect(await readWork(w.store)).toEqual({});
    w.access.isAway = false;
    await ledger.flush();
    expect(await readWork(w.store)).toEqual({ "alice/bitcoin": 2n ** 33n });
  });

  test("a slice that an earlier run left open is closed, and the next one begins behind it", async () => {
    const w = await world();
    const killed = w.ledger();
    w.share(killed);
    await killed.flush();
    w.share(killed, "lost");
    const other = w.ledger({ server: 8 });
    w.share(other, "bob");
    await other.flush();
    // The clock is set back by a minute, and a share comes at once.
    w.clock.jumpTo(START_MS - 60_000);
    const next = w.ledger();
    w.share(next);
    await next.flush();
    expect(await readSlices(w.store)).toMatchObject([
      { server: 7, startMs: START_MS - 1, endMs: START_MS, open: 0, shares: { "alice,": 1 } },
      { server: 7, startMs: START_MS, endMs: START_MS + 1, open: 1, shares: { "alice,": 1 } },
      { server: 8, open: 1, shares: { "bob,": 1 } },
    ]);
  });

  test("slices stay in order and apart while the wall clock jumps about", async () => {
    const w = await world();
    const ledger = w.ledger();
    const random = seededRandom(3);
    for (let i = 0; i < 60; i++) {
      const [jump = 0, cut = 0, flush = 0] = random.bytes(3);
      w.clock.jumpTo(START_MS + (jump - 100) * 20_000);
      if (cut < 128) ledger.cut(w.clock.nowMs());
      w.share(ledger);
      if (flush < 64) await ledger.flush();
    }
    await ledger.stop();
    const slices = await readSlices(w.store);
    expect(slices.length).toBeGreaterThan(10);
    expect(slices.every(({ startMs, endMs, open }) => startMs < endMs && open === 0)).toBe(true);
    expect(slices.every(({ startMs }, i) => i === 0 || startMs >= slices[i - 1]!.endMs)).toBe(true);
    expect(await readWork(w.store)).toEqual({ "alice/bitcoin": 60n * 2n ** 32n });
  });

  test("is told of when it comes from the future", async () => {
    const w = await world();
    const ledger = w.ledger();
    w.share(ledger);
    await ledger.flush();
    w.clock.jumpTo(START_MS - 3_600_000);
    await w.ledger().flush();
    expect(w.messages("warn")).toEqual([expect.stringContaining("credit from 3600 seconds in the future")]);
  });

  test("a find parts the slices in the database", async () => {
    const w = await world();
    const ledger = w.ledger();
    w.clock.advance(500);
    w.share(ledger, "early");
    await ledger.flush();
    w.clock.advance(500);
    ledger.cut(w.clock.nowMs());
    w.share(ledger, "finder");
    w.clock.advance(1);
    w.share(ledger, "late");
    await ledger.flush();
    expect(await readSlices(w.store)).toMatchObject([
      { endMs: START_MS + 1000, open: 0, shares: { "early,": 1, "finder,": 1 } },
      { startMs: START_MS + 1000, open: 1, shares: { "late,": 1 } },
    ]);
  });

  test("a burst of a thousand finds a second writes no slice without credit", async () => {
    const w = await world();
    const ledger = w.ledger();
    for (let i = 0; i < 5000; i++) {
      w.clock.advance(1);
      ledger.cut(w.clock.nowMs());
      if (i % 1000 === 0) w.share(ledger);
    }
    await ledger.flush();
    expect(await readSlices(w.store)).toHaveLength(5);
  });

  test("many slices of one flush are written together", async () => {
    const w = await world();
    const ledger = w.ledger();
    for (let i = 0; i < 2500; i++) {
      w.clock.advance(2);
      ledger.cut(w.clock.nowMs());
      w.share(ledger, `finder${i % 10}`);
    }
    await ledger.flush();
    const slices = await readSlices(w.store);
    expect(slices).toHaveLength(2500);
    expect(slices.every(({ startMs, endMs }, i) => endMs === START_MS + 2 * (i + 1) && startMs === endMs - 1)).toBe(
      true,
    );
  });

  test("the last share of a worker is written once a minute while it goes on", async () => {
    const w = await world();
    const ledger = w.ledger();
    const lastShare = async (): Promise<number> =>
      (await w.store.db.selectFrom("workers").select("last_share_ms").executeTakeFirstOrThrow()).last_share_ms -
      START_MS;
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      w.share(ledger);
      await ledger.flush();
      seen.push(await lastShare());
      w.clock.advance(40_000);
    }
    expect(seen).toEqual([0, 0, 80_000, 80_000]);
  });

  test("a stop writes everything and closes the slice", async () => {
    const w = await world();
    const ledger = w.ledger();
    await ledger.start();
    w.share(ledger);
    await ledger.stop();
    expect(await readSlices(w.store)).toMatchObject([{ open: 0, shares: { "alice,": 1 } }]);
    expect(w.clock.pending).toBe(0);
  });

  test("flushes that come together are two at most, and each has what was credited before it", async () => {
    const w = await world();
    const ledger = w.ledger();
    await ledger.flush();
    w.share(ledger, "a");
    const first = ledger.flush();
    // The first is under way from here on.
    await until("it was begun", () => w.access.asked === 2);
    w.share(ledger, "b");
    const more = Array.from({ length: 10 }, () => ledger.flush());
    await Promise.all([first, ...more]);
    expect(w.access.asked).toBe(3);
    expect(await readSlices(w.store)).toMatchObject([{ shares: { "a,": 1, "b,": 1 } }]);
  });
});

describe("while the database is away", () => {
  const [sqlite] = LEDGERS;

  async function away(options: Partial<CreditLedgerOptions> = {}): Promise<{ w: World; ledger: CreditLedger }> {
    const w = new World(await sqlite!.open());
    w.access.isAway = true;
    const ledger = w.ledger(options);
    await ledger.start();
    onTestFinished(() => stopped(w, ledger));
    return { w, ledger };
  }

  /** A stop that has all the time it asks for. */
  async function stopped(w: World, ledger: CreditLedger): Promise<void> {
    let ended = false;
    const stop = ledger.stop().then(() => (ended = true));
    while (!ended) await pass(w, 1);
    await stop;
  }

  /** Lets due flushes run to their end. */
  async function pass(w: World, seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      w.clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  test("it is tried again, more and more seldom, and the log hears of it once", async () => {
    const { w, ledger } = await away();
    w.share(ledger);
    await pass(w, 600);
    // Doubled from a second up to fifteen, give or take a quarter: not the 120 flushes that were due.
    expect(w.access.asked).toBeGreaterThan(25);
    expect(w.access.asked).toBeLessThan(50);
    expect(w.messages("error")).toEqual([expect.stringContaining("credit of shares cannot be written to the ledger")]);
    expect(w.meter.byLabel("ledger_unwritten_shares")).toEqual({ "": 1 });
    w.access.isAway = false;
    await pass(w, 90);
    expect(await readWork(w.store)).toEqual({ "alice/bitcoin": 2n ** 32n });
    expect(w.messages("info")).toEqual([expect.stringContaining("written to the ledger again")]);
    expect(w.meter.byLabel("ledger_unwritten_shares")).toEqual({ "": 0 });
  });

  test("the log hears of it only when there is credit that it keeps out", async () => {
    const { w, ledger } = await away();
    await pass(w, 60);
    expect(w.messages("error")).toEqual([]);
    w.share(ledger);
    await pass(w, 60);
    expect(w.messages("error")).toEqual([expect.stringContaining("cannot be written to the ledger (shares 1)")]);
    w.access.isAway = false;
    await pass(w, 90);
    expect(w.messages("info")).toHaveLength(1);
  });

  test("credit of new workers beyond the bound is lost, counted and told with what to do; that of known ones is not", async () => {
    const { w, ledger } = await away({ maxWorkers: 100 });
    for (let i = 0; i < 150; i++) w.share(ledger, `rig${i}`);
    expect([ledger.pendingShares, ledger.lostShares]).toEqual([100, 50]);
    for (let i = 0; i < 150; i++) w.share(ledger, `rig${i}`);
    expect([ledger.pendingShares, ledger.lostShares]).toEqual([200, 100]);
    expect(w.meter.total("ledger_shares_lost_total")).toBe(100);
    await pass(w, 300);
    const told = w.log.lines.filter(({ message }) => message.includes("nobody gets credit for"));
    expect(told).toMatchObject([
      {
        level: "error",
        message: expect.stringContaining("Mend the database"),
        fields: { error: { code: "ledger-credit-lost" } },
      },
    ]);
    w.access.isAway = false;
    await pass(w, 90);
    const sums = await readWork(w.store);
    expect(Object.keys(sums)).toHaveLength(100);
    expect(Object.values(sums).every((work) => work === 2n ** 33n)).toBe(true);
    w.share(ledger, "rig149");
    expect(ledger.lostShares).toBe(100);
  });

  test("ends of slices are passed over at the bound rather than credit lost, and the log says so", async () => {
    const { w, ledger } = await away({ maxWorkers: 3 });
    w.share(ledger, "a");
    w.share(ledger, "b");
    w.clock.advance(10);
    ledger.cut(w.clock.nowMs());
    w.clock.advance(10);
    w.share(ledger, "a");
    w.share(ledger, "b");
    expect(ledger.lostShares).toBe(0);
    await pass(w, 10);
    expect(w.messages("warn")).toEqual([expect.stringContaining("ends of slices were passed over")]);
  });

  test("a stop gives up in time and says what is lost", async () => {
    const { w, ledger } = await away();
    w.share(ledger);
    const beganMs = w.clock.monotonicMs();
    await stopped(w, ledger);
    expect(w.clock.monotonicMs() - beganMs).toBe(CREDIT_DEFAULTS.stopMs);
    expect(w.messages("error").at(-1)).toMatch(
      /stopped too early.*shares 1.*: the database is away.*nobody gets credit/,
    );
    expect(w.meter.total("ledger_shares_lost_total")).toBe(1);
    expect(w.clock.pending).toBe(0);
  });

  test("a stop writes everything to a database that comes back in time", async () => {
    const { w, ledger } = await away();
    w.share(ledger);
    const stop = ledger.stop();
    await pass(w, 3);
    w.access.isAway = false;
    await pass(w, 1);
    await stop;
    expect(ledger.pendingShares).toBe(0);
    expect(w.messages("error").filter((line) => line.includes("stopped too early"))).toEqual([]);
    expect(w.clock.pending).toBe(0);
  });

  test("a stop with nothing to write waits for nobody", async () => {
    const { w, ledger } = await away();
    await ledger.stop();
    expect(w.messages("error")).toEqual([]);
    expect(w.clock.pending).toBe(0);
  });

  test("a stop does not wait for a database that never answers", async () => {
    const w = new World(await sqlite!.open());
    const never = { run: () => new Promise<never>(() => {}), transaction: () => new Promise<never>(() => {}) };
    const deps = { clock: w.clock, log: w.log, meter: w.meter, ledger: never, random: seededRandom(1) };
    const ledger = new CreditLedger(deps, { server: 7, stopMs: 4000 });
    await ledger.start();
    w.share(ledger);
    const stopped = ledger.stop();
    w.clock.advance(4000);
    await stopped;
    expect(w.messages("error").at(-1)).toContain("did not stop in time");
  });

  test("half of memory asks for a flush before its time", async () => {
    const w = new World(await sqlite!.open());
    const ledger = w.ledger({ maxWorkers: 100, flushMs: 1e9 });
    await ledger.start();
    onTestFinished(() => ledger.stop());
    w.clock.advance(1);
    await until("the start's own flush", () => w.access.asked === 1);
    for (let i = 0; i < 49; i++) w.share(ledger, `rig${i}`);
    await pass(w, 60);
    expect([w.access.asked, ledger.pendingShares]).toEqual([1, 49]);
    w.share(ledger, "rig49");
    w.clock.advance(1);
    await until("all are written", () => ledger.pendingShares === 0);
    expect(Object.keys((await readSlices(w.store))[0]!.shares)).toHaveLength(50);
  });
});
