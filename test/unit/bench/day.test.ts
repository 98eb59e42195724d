import { describe, expect, test } from "vitest";
import { type DayEvent, makeDay } from "../../bench/bandwidth/day.ts";

const WISH = { hours: 24, miners: 2, sharesPerMinute: 6, refreshS: 30, seed: 11 };
const day = makeDay(WISH);

function ofKind<K extends DayEvent["kind"]>(kind: K): Extract<DayEvent, { kind: K }>[] {
  return day.events.filter((event): event is Extract<DayEvent, { kind: K }> => event.kind === kind);
}

/** Each event in words. */
function toldOf(events: readonly DayEvent[]): string[] {
  return events.map((event) =>
    event.kind === "job"
      ? `${event.atMs} ${event.cause} ${event.template.coinbaseValue} ${event.template.prevHash[0]}`
      : JSON.stringify(event),
  );
}

describe("a day of the bandwidth bench", () => {
  test("is the same for the same seed and another for another", () => {
    expect(toldOf(makeDay(WISH).events)).toEqual(toldOf(day.events));
    expect(toldOf(makeDay({ ...WISH, seed: 12 }).events)).not.toEqual(toldOf(day.events));
  });

  test("has the wanted shares, about 144 blocks and a template every 30 s at the latest", () => {
    const jobs = ofKind("job");
    const blocks = jobs.filter(({ cause }) => cause === "newBlock").length;
    expect(day.shares).toBe(ofKind("share").length);
    // Within five standard deviations of 17,280 and 144.
    expect(Math.abs(day.shares - 2 * 8640)).toBeLessThan(660);
    expect(Math.abs(blocks - 144)).toBeLessThan(60);
    const gaps = jobs.map(({ atMs }, i) => atMs - (jobs[i - 1]?.atMs ?? 0));
    expect(Math.max(...gaps)).toBe(30_000);
    expect(new Set(jobs.map(({ template }) => template.merklePath.length))).toEqual(new Set([12]));
  });

  test("goes on in time, and late shares come right after a block", () => {
    const times = day.events.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const blocks = new Set(ofKind("job").flatMap(({ atMs, cause }) => (cause === "newBlock" ? [atMs] : [])));
    const late = ofKind("share").filter((share) => share.late);
    expect(late.length).toBe(day.late);
    expect(late.length).toBeGreaterThan(10);
    expect(late.every(({ atMs }) => blocks.has(atMs - 300))).toBe(true);
  });
});
