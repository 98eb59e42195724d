/** `workers`: who mines, how fast, for which pools, and what each is owed. */
import { coinNumber, coinText } from "../reports/coin-text.ts";
import type { CsvValue } from "../reports/csv.ts";
import type { WorkersAnswer } from "../reports/ledger-reports.ts";
import { tableLines } from "../reports/table.ts";
import { isoText, spanText, timeText } from "../reports/time-text.ts";
import { hashrateText, type Terminal } from "../terminal.ts";
import { type CoinOf, printReport, type ReportForm, type ReportOptions } from "./report-command.ts";

/** Prints the report; returns the exit code. Throws `Fault` `config-*`, `report-*` or `ledger-*`. */
export function workers(options: ReportOptions, terminal: Terminal): Promise<number> {
  return printReport(options, terminal, (reports) => reports.workers(options), FORM);
}

const TITLES = [
  "name",
  "workers",
  "shares",
  "work (hashes)",
  "of it for pools (hashes)",
  "H/s over 10 min",
  "H/s over 1 h",
  "H/s over 24 h",
  "last share",
  "owed on",
  "owed",
  "unit",
];

const FORM: ReportForm<WorkersAnswer> = { csv: csvRows, text };

/** A line for each chain on which a worker is owed something; one without an amount for a worker who is owed nothing. */
function csvRows({ workers: found }: WorkersAnswer, coinOf: CoinOf): CsvValue[][] {
  const rows = found.flatMap(
    ({ name, workers: count, shares, work, pools, hashrate, lastShareMs, owed }): CsvValue[][] => {
      const rates = [hashrate.minutes10, hashrate.hour, hashrate.day].map((rate) => Math.round(rate));
      const facts = [name, count, shares, work, sumOf(pools), ...rates, isoText(lastShareMs)];
      if (owed.length === 0) return [[...facts, undefined, undefined, undefined]];
      return owed.map(({ chain, amount }) => {
        const coin = coinOf(chain);
        return [...facts, chain, coinNumber(amount, coin), coin?.symbol ?? "units"];
      });
    },
  );
  return [TITLES, ...rows];
}

function text({ workers: found, total, fromMs, next }: WorkersAnswer, coinOf: CoinOf, nowMs: number): string[] {
  if (found.length === 0) return ["no share came in this time, or none that this was asked for"];
  const table = tableLines(
    [
      { title: "name" },
      { title: "workers", right: true },
      { title: "shares", right: true },
      { title: "10 min", right: true },
      { title: "1 h", right: true },
      { title: "24 h", right: true },
      { title: "for pools", width: 80 },
      { title: "last share" },
      { title: "owed", width: 200 },
    ],
    found.map(({ name, workers: count, shares, work, pools, hashrate, lastShareMs, owed }) => [
      name,
      count === 1 ? "" : String(count),
      String(shares),
      ...[hashrate.minutes10, hashrate.hour, hashrate.day].map((rate) => (rate === 0 ? "-" : hashrateText(rate))),
      pools.map(({ pool, work: part }) => `${pool} ${partText(part, work)}`).join(", "),
      `${spanText(nowMs - lastShareMs)} ago`,
      owed
        .filter(({ amount }) => amount !== 0n)
        .map(({ chain, amount }) => coinText(amount, coinOf(chain)))
        .join(", "),
    ]),
  );
  const shown = found.length < total ? `${found.length} of ${total}` : `${total}`;
  const since = `${shown} with shares since ${timeText(fromMs)} UTC, those with most work first`;
  return [...table, since, ...(next === undefined ? [] : [`more: --after ${next}`])];
}

function sumOf(pools: WorkersAnswer["workers"][number]["pools"]): bigint {
  return pools.reduce((sum, { work }) => sum + work, 0n);
}

function partText(part: bigint, all: bigint): string {
  return all === 0n ? "-" : `${(Number((part * 1000n) / all) / 10).toFixed(1)} %`;
}
