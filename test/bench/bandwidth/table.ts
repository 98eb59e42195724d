/** The tables of the bandwidth bench, in Markdown as docs/benchmarks.md has them. */
import type { Figures } from "./figures.ts";

/** A row with its name. */
export interface Row {
  readonly name: string;
  readonly figures: Figures;
}

const HEAD = [
  "| | up | down | of it jobs | of it shares and answers | bytes saved | IP packets | IP bytes | IP bytes saved |",
  "|---|---|---|---|---|---|---|---|---|",
];

/** The lines of one table; the first row is the baseline of the others. */
export function tableLines(rows: readonly Row[]): string[] {
  const [baseline] = rows;
  return [...HEAD, ...rows.map(({ name, figures }) => `| ${cells(name, figures, baseline?.figures).join(" | ")} |`)];
}

function cells(name: string, figures: Figures, baseline: Figures | undefined): string[] {
  const { upBytes, downBytes, jobs, shares, ip } = figures;
  const isBaseline = baseline === undefined || baseline === figures;
  const saved = (part: number | undefined, whole: number | undefined): string =>
    isBaseline || part === undefined || whole === undefined ? "" : `${(100 * (1 - part / whole)).toFixed(1)} %`;
  return [
    name,
    size(upBytes),
    size(downBytes),
    size(jobs.bytes),
    `${size(shares.bytes)}${isBaseline ? "" : ` (${saved(shares.bytes, baseline.shares.bytes)} saved)`}`,
    saved(upBytes + downBytes, baseline === undefined ? undefined : baseline.upBytes + baseline.downBytes),
    ip === undefined ? "" : ip.packets.toLocaleString("en"),
    ip === undefined ? "" : size(ip.bytes),
    saved(ip?.bytes, baseline?.ip?.bytes),
  ];
}

/** Thousands of bytes. */
function size(bytes: number): string {
  return `${Math.round(bytes / 1000).toLocaleString("en")} kB`;
}
