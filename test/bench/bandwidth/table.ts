/** The tables of the bandwidth bench, in Markdown as docs/benchmarks.md has them. */
import { type Figures, jobBytes, shareBytes } from "./figures.ts";

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
  const { upBytes, downBytes, ip } = figures;
  const isBaseline = baseline === undefined || baseline === figures;
  const saved = (part: number | undefined, whole: number | undefined): string =>
    isBaseline || part === undefined || whole === undefined ? "" : `${(100 * (1 - part / whole)).toFixed(1)} %`;
  return [
    name,
    size(upBytes),
    size(downBytes),
    size(jobBytes(figures)),
    `${size(shareBytes(figures))}${isBaseline ? "" : ` (${saved(shareBytes(figures), shareBytes(baseline))} saved)`}`,
    saved(upBytes + downBytes, baseline === undefined ? undefined : baseline.upBytes + baseline.downBytes),
    ip === undefined ? "" : ip.packets.toLocaleString("en"),
    ip === undefined ? "" : size(ip.bytes),
    saved(ip?.bytes, baseline?.ip?.bytes),
  ];
}

/** A row that was counted twice. */
export interface TwiceCounted {
  readonly name: string;
  readonly hurried: Figures;
  readonly unhurried: Figures;
}

/** The lines of the table that shows what hurrying changes. */
export function paceLines(rows: readonly TwiceCounted[]): string[] {
  const told = ({ ip }: Figures): string => (ip === undefined ? "" : `${ip.packets} packets, ${size(ip.bytes)}`);
  return [
    "| | without waiting | a third of a second of silence after each message |",
    "|---|---|---|",
    ...rows.map(({ name, hurried, unhurried }) => `| ${name} | ${told(hurried)} | ${told(unhurried)} |`),
  ];
}

/** Thousands of bytes. */
function size(bytes: number): string {
  return `${Math.round(bytes / 1000).toLocaleString("en")} kB`;
}
