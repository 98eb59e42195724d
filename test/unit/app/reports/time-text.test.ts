import { describe, expect, test } from "vitest";
import { isoText, sinceMsOf, spanText, timeText } from "../../../../src/app/reports/time-text.ts";

const NOW = Date.UTC(2026, 7, 30, 12);

describe("times", () => {
  test.each([
    ["90m", NOW - 90 * 60_000],
    ["24h", NOW - 86_400_000],
    ["7d", NOW - 7 * 86_400_000],
    ["2w", NOW - 14 * 86_400_000],
    ["999999w", 0],
    ["2026-08-30", Date.UTC(2026, 7, 30)],
    ["2026-08-30T10:30Z", Date.UTC(2026, 7, 30, 10, 30)],
    ["2026-08-30T10:30:05+02:00", Date.UTC(2026, 7, 30, 8, 30, 5)],
    ["2028-02-29", Date.UTC(2028, 1, 29)],
  ])("since %s", (text, expected) => {
    expect(sinceMsOf(text, NOW)).toBe(expected);
  });

  test.each([
    "",
    "yesterday",
    "24",
    "-7d",
    "7 d",
    "1.5h",
    "7y",
    "2026-02-30",
    "2026-13-01",
    "2026-08-30T10:30",
    "2026-08-30T25:00Z",
    "1969-01-01",
    "20260830",
  ])("%j is none", (text) => {
    expect(() => sinceMsOf(text, NOW)).toThrow(/a value that cannot be used \(since /);
  });

  test("are told in UTC, and how long something took in the two largest units", () => {
    expect(timeText(NOW + 5678)).toBe("2026-08-30 12:00:05");
    expect(isoText(NOW + 5678)).toBe("2026-08-30T12:00:05.678Z");
    expect(timeText(undefined) + isoText(undefined)).toBe("");
    expect(timeText(9e15)).toBe("9000000000000000");
    expect([0, 59_000, 61_000, 3_600_000, 90_000_000, -5].map(spanText)).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "1 h 0 min",
      "1 d 1 h",
      "0 s",
    ]);
  });
});
