/** Times as operators type and read them. */
import { Fault } from "../../kernel/fault.ts";

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const AGO = /^(\d{1,6})([mhdw])$/;
/** A date alone is midnight UTC; a time must say its zone, or it would mean another moment on another machine. */
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/** The wall time that `text` means, ms: `2026-08-30`, `2026-08-30T12:00:00Z`, `24h`, `7d`. Throws `Fault("report-query")`. */
export function sinceMsOf(text: string, nowMs: number): number {
  const [, count, unit = ""] = AGO.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (count !== undefined && unitMs !== undefined) return Math.max(0, nowMs - Number(count) * unitMs);
  const at = ISO.test(text) ? Date.parse(text) : Number.NaN;
  // The 30th of February would quietly be the 2nd of March.
  const day = text.slice(0, 10);
  const isDay = !Number.isNaN(at) && isoOf(Date.parse(day)).startsWith(day);
  if (!isDay || at < 0) throw new Fault("report-query", { since: text.slice(0, 40) });
  return at;
}

/** `2026-08-30 12:00:00`, UTC; empty for `undefined`. */
export function timeText(atMs: number | undefined): string {
  return atMs === undefined ? "" : isoOf(atMs).slice(0, 19).replace("T", " ");
}

/** `2026-08-30T12:00:00.000Z` for machines; empty for `undefined`. */
export function isoText(atMs: number | undefined): string {
  return atMs === undefined ? "" : isoOf(atMs);
}

/** How long something took: `3 d 4 h`, `5 min`, `12 s`. */
export function spanText(spanMs: number): string {
  const seconds = Math.max(0, Math.round(spanMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Times that no date can hold come from a database that somebody changed. */
function isoOf(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString();
}
