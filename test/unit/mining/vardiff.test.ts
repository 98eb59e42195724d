import { describe, expect, test } from "vitest";
import { Vardiff } from "../../../src/mining/vardiff.ts";
import { CASES, playCase } from "../../bench/vardiff.ts";
import { average, type Figures, quantile } from "../../support/simulated-miner.ts";

const RUNS = 20;

function played(name: string): Figures[] {
  const found = CASES.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no scenario is called ${name}`);
  return playCase(found, "ours", RUNS);
}

const converged = (all: readonly Figures[], p: number): number =>
  quantile(
    all.map(({ convergedS }) => convergedS),
    p,
  );

describe("simulated miners", () => {
  test.each(["1 GH/s, claim right", "10 EH/s, claim right"])("%s: four of five channels are left alone", (name) => {
    const all = played(name);
    expect(all.filter(({ changes }) => changes === 0).length).toBeGreaterThanOrEqual(0.75 * RUNS);
    expect(converged(all, 0.5)).toBe(0);
  });

  test.each([
    ["10 EH/s, claims 10 TH/s (10^-6)", 10],
    ["100 TH/s, claims 100 GH/s (10^-3)", 5],
    ["100 TH/s, claims 10 TH/s", 110],
    ["1 TH/s, claims 0", 20],
    ["10 EH/s, claims 0", 40],
    ["100 TH/s, claims 100 GH/s, one second each way", 10],
    ["1 GH/s, claims 1 TH/s as small bitaxes do", 90],
    ["1 GH/s, claims 1 PH/s (10^6)", 120],
    ["full to 10 %", 300],
    ["ten times as much", 120],
    ["off for 5 minutes, back", 30],
    ["off for an hour, back", 30],
  ])("%s: half of the channels have their rate after %d s", (name, seconds) => {
    const all = played(name);
    expect(converged(all, 0.5)).toBeLessThanOrEqual(seconds);
    expect(average(all.map(({ changes }) => changes))).toBeLessThan(6);
  });

  test.each(["100 TH/s, claim right", "1 GH/s, claims 1 PH/s (10^6)", "full to 10 %"])(
    "%s: afterwards the rate is the wanted one and stays, with less than a change an hour",
    (name) => {
      const all = played(name).filter(({ rate }) => Number.isFinite(rate));
      expect(average(all.map(({ within }) => within))).toBeGreaterThan(0.95);
      expect(average(all.map(({ rate }) => rate))).toBeCloseTo(1, 1);
      // Chance alone gives 0.13 for 60 shares.
      expect(average(all.map(({ spread }) => spread))).toBeLessThan(0.18);
      expect(average(all.map(({ changesPerHour }) => changesPerHour))).toBeLessThan(1);
    },
  );

  test("a flood ends within seconds and costs a few hundred shares", () => {
    const all = played("100 TH/s, claims 100 GH/s (10^-3)");
    expect(Math.max(...all.map(({ surplus }) => surplus))).toBeLessThan(400);
  });
});

/** A controller for 6 shares a minute that was begun at 0. */
function begun(options: Partial<ConstructorParameters<typeof Vardiff>[1]> = {}): Vardiff {
  const vardiff = new Vardiff(
    {},
    { sharesPerMinute: 6, difficulty: 1000, minDifficulty: 1, maxDifficulty: 1e9, ...options },
  );
  vardiff.begin(0);
  return vardiff;
}

/** Feeds shares every `everyMs` and asks after each; the first answer and when. */
function feed(
  vardiff: Vardiff,
  fromMs: number,
  untilMs: number,
  everyMs: number,
): { ms: number; to: number } | undefined {
  for (let ms = fromMs; ms <= untilMs; ms += everyMs) {
    vardiff.share(vardiff.difficulty, ms);
    const to = vardiff.decide(ms);
    if (to !== undefined) return { ms, to };
  }
  return undefined;
}

describe("Vardiff", () => {
  test("says nothing before the miner has a job, however long that takes", () => {
    const vardiff = new Vardiff({}, { sharesPerMinute: 6, difficulty: 1000, minDifficulty: 1, maxDifficulty: 1e9 });
    expect(vardiff.decide(1e6)).toBeUndefined();
    vardiff.share(1000, 1e6);
    expect(vardiff.decide(1e6)).toBeUndefined();
    vardiff.begin(2e6);
    expect(vardiff.decide(2e6 + 20_000)).toBeUndefined();
    expect(vardiff.decide(2e6 + 40_000)).toBeLessThan(1000);
  });

  test("begins once: a later job does not start the clock again", () => {
    const vardiff = begun();
    vardiff.begin(30_000);
    expect(vardiff.decide(34_000)).toBeLessThan(1000);
  });

  test("leaves the wanted rate alone", () => {
    expect(feed(begun(), 10_000, 7_200_000, 10_000)).toBeUndefined();
  });

  test("climbs by what it sees: ten shares a second are a hundred times too many", () => {
    const change = feed(begun(), 100, 60_000, 100);
    expect(change?.ms).toBeGreaterThan(8000);
    expect(change?.ms).toBeLessThan(10_000);
    expect(change!.to / 1000 / 100).toBeCloseTo(1, 1);
  });

  test("does not take a burst in one instant for hashrate before a second has passed", () => {
    const vardiff = begun();
    for (let i = 0; i < 500; i++) {
      vardiff.share(1000, 900);
      expect(vardiff.decide(900)).toBeUndefined();
    }
  });

  test("goes down on silence in growing steps, each when one share more was promised", () => {
    const vardiff = begun({ minDifficulty: 1e-9 });
    const steps: number[] = [];
    const times: number[] = [];
    for (let ms = 0; ms <= 80_000; ms += 1000) {
      const to = vardiff.decide(ms);
      if (to === undefined) continue;
      steps.push(vardiff.difficulty / to);
      times.push(ms);
      vardiff.applied(to, ms);
    }
    expect(steps.map(Math.round)).toEqual([64, 1024, 1024, 1024]);
    expect(times).toEqual([34_000, 48_000, 62_000, 76_000]);
  });

  test("never leaves its limits, and one step up is at most 2^16", () => {
    const low = begun({ minDifficulty: 900 });
    expect(low.decide(60_000)).toBe(900);
    low.applied(900, 60_000);
    expect(low.decide(600_000)).toBeUndefined();
    expect(feed(begun({ maxDifficulty: 1100 }), 10, 60_000, 10)?.to).toBe(1100);
    expect(feed(begun({ maxDifficulty: 1e30 }), 1010, 60_000, 0.01)?.to).toBeLessThanOrEqual(1000 * 65_536);
  });

  test("moves at once when the limits do", () => {
    const vardiff = begun();
    vardiff.limit(1, 500);
    expect(vardiff.decide(10)).toBe(500);
    vardiff.limit(2000, 1e9);
    expect(vardiff.decide(10)).toBe(2000);
  });

  test("waits after a change: late shares of the old difficulty count nothing, for three seconds or until a new one", () => {
    const vardiff = begun();
    const change = feed(vardiff, 100, 60_000, 100)!;
    vardiff.applied(change.to, change.ms);
    for (let ms = change.ms; ms < change.ms + 2900; ms += 10) {
      vardiff.share(1000, ms);
      expect(vardiff.decide(ms)).toBeUndefined();
    }
    // From here on the miner is silent at the new difficulty.
    let next: number | undefined;
    for (let ms = change.ms + 3000; next === undefined && ms < change.ms + 300_000; ms += 1000)
      next = vardiff.decide(ms);
    expect(next).toBeLessThan(change.to);
  });

  test("a claim of the client starts anew from there", () => {
    const vardiff = begun();
    feed(vardiff, 10_000, 600_000, 10_000);
    vardiff.restart(5000, 600_000);
    expect(vardiff.difficulty).toBe(5000);
    expect(vardiff.decide(620_000)).toBeUndefined();
    expect(vardiff.decide(634_000)).toBeCloseTo(5000 / 64, 6);
  });

  test("recognises a miner that comes back as it was, from some two dozen shares", () => {
    const vardiff = begun();
    feed(vardiff, 10_000, 3_600_000, 10_000);
    for (let ms = 3_600_000; ms < 3_900_000; ms += 1000) {
      const to = vardiff.decide(ms);
      if (to !== undefined) vardiff.applied(to, ms);
    }
    const down = vardiff.difficulty;
    expect(down).toBeLessThan(50);
    const everyMs = (10_000 * down) / 1000;
    const change = feed(vardiff, 3_900_000, 4_000_000, everyMs);
    expect((change!.ms - 3_900_000) / everyMs).toBeLessThan(1100 / everyMs + 30);
    expect(change!.to / 1000).toBeCloseTo(1, 1);
  });

  test("estimates the hashrate: the claim at first, what was measured later", () => {
    const vardiff = begun();
    expect(vardiff.hashrate).toBeCloseTo(100 * 2 ** 32, 0);
    feed(vardiff, 10_000, 3_600_000, 11_000);
    expect(vardiff.hashrate / 2 ** 32).toBeGreaterThan(88);
    expect(vardiff.hashrate / 2 ** 32).toBeLessThan(94);
  });
});
