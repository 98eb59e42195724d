/** `effort`: the work since each chain's last block, and its luck. */

import type { Coin } from "../../ledger/payouts/coins.ts";
import type { ChainEffort } from "../../ledger/reports/effort.ts";
import type { Chance } from "../../ledger/reports/luck.ts";
import { coinNumber, coinText } from "../reports/coin-text.ts";
import type { CsvValue } from "../reports/csv.ts";
import type { EffortAnswer } from "../reports/ledger-reports.ts";
import { plainText } from "../reports/plain-text.ts";
import { isoText, spanText, timeText } from "../reports/time-text.ts";
import type { Terminal } from "../terminal.ts";
import { type CoinOf, printReport, type ReportForm, type ReportOptions } from "./report-command.ts";

/** Prints the report; returns the exit code. Throws `Fault` `config-*`, `report-*` or `ledger-*`. */
export function effort(options: ReportOptions, terminal: Terminal): Promise<number> {
  return printReport(options, terminal, (reports) => reports.effort(options), FORM);
}

const TITLES = [
  "chain",
  "last block",
  "work since (hashes)",
  "difficulty (hashes)",
  "effort",
  "window from",
  "work (hashes)",
  "found",
  "expected",
  "mean effort",
  "luck",
  "chance",
  "chance of",
  "expected reward",
  "found reward",
  "actual reward",
  "unit",
];

const FORM: ReportForm<EffortAnswer> = {
  csv: ({ chains }, coinOf) => [TITLES, ...chains.map((chain) => row(chain, coinOf(chain.chain)))],
  text,
};

function row({ chain, lastBlockMs, workSince, difficulty, effort: now, window }: ChainEffort, coin: Coin | undefined) {
  const number = (value: number | undefined): string | undefined => value?.toFixed(6);
  const values: CsvValue[] = [chain, isoText(lastBlockMs), workSince, difficulty, number(now), isoText(window.fromMs)];
  return [
    ...values,
    window.work,
    window.found,
    number(window.expected),
    number(window.meanEffort),
    number(window.luck),
    number(window.chance?.probability),
    window.chance === undefined ? undefined : `so ${window.chance.side === "more" ? "many" : "few"}`,
    window.expectedReward === undefined ? undefined : coinNumber(window.expectedReward, coin),
    coinNumber(window.foundReward, coin),
    coinNumber(window.actualReward, coin),
    coin?.symbol ?? "units",
  ];
}

function text({ chains }: EffortAnswer, coinOf: CoinOf, nowMs: number): string[] {
  const told = chains.filter(({ workSince, window, lastBlockMs }) => workSince + window.work > 0n || lastBlockMs);
  if (told.length === 0) return ["no share was credited yet"];
  return told.flatMap((chain) => chainLines(chain, coinOf(chain.chain), nowMs));
}

function chainLines({ chain, lastBlockMs, effort: now, window }: ChainEffort, coin: Coin | undefined, nowMs: number) {
  const since =
    lastBlockMs === undefined
      ? "no block yet"
      : `last block ${spanText(nowMs - lastBlockMs)} ago (${timeText(lastBlockMs)} UTC)`;
  const lines = [`${plainText(chain)}: ${now === undefined ? "effort unknown" : `effort ${percent(now)}`}, ${since}`];
  const { fromMs, found, expected, meanEffort, luck, chance } = window;
  const worth = expected === undefined ? "" : `, ${expected.toFixed(2)} expected by work`;
  lines.push(`  since ${timeText(fromMs)}: ${found} found${worth}`);
  const facts = [
    ...(luck === undefined ? [] : [`luck ${percent(luck)}`]),
    ...(meanEffort === undefined ? [] : [`mean effort ${percent(meanEffort)}`]),
    ...(chance === undefined ? [] : [chanceText(chance)]),
  ];
  if (facts.length > 0) lines.push(`  ${facts.join(", ")}`);
  const { expectedReward, foundReward, actualReward } = window;
  const byWork = expectedReward === undefined ? "" : `expected by work about ${coinText(expectedReward, coin)}, `;
  lines.push(
    `  reward: ${byWork}of blocks found ${coinText(foundReward, coin)}, actual ${coinText(actualReward, coin)}`,
  );
  return lines;
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}

function chanceText({ side, probability }: Chance): string {
  const shown = probability < 0.0001 ? "less than 0.01 %" : `${(probability * 100).toFixed(2)} %`;
  return `the chance of so ${side === "more" ? "many or more" : "few or fewer"} is ${shown}`;
}
