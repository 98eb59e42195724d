/** What the commands that print reports have in common: the ledger they read, and the three forms that they print. */

import type { Coin } from "../../ledger/payouts/coins.ts";
import { loadConfig } from "../config/load.ts";
import { EXIT } from "../exit-codes.ts";
import { LedgerReader } from "../ledger-reading.ts";
import { pluginLoader } from "../parts.ts";
import { coinsOf } from "../reports/coins.ts";
import { type CsvValue, csvLine } from "../reports/csv.ts";
import { LedgerReports, type ReportRequest, type WithCoins } from "../reports/ledger-reports.ts";
import { plainJson } from "../reports/plain-text.ts";
import { mergeSettingsOf } from "../settings.ts";
import { systemClock } from "../system.ts";
import { jsonLine, type Terminal } from "../terminal.ts";

/** Words behind these commands. */
export interface ReportOptions extends ReportRequest {
  readonly config?: string;
  readonly json: boolean;
  readonly csv: boolean;
}

/** How a report is printed. */
export interface ReportForm<A extends WithCoins> {
  /** The rows of a CSV file, titles first. */
  csv(answer: A, coinOf: CoinOf): readonly (readonly CsvValue[])[];
  /** Lines for people; nothing in them may be unseen. `nowMs`: wall time. */
  text(answer: A, coinOf: CoinOf, nowMs: number): readonly string[];
}

/** The coin of a chain; `undefined` when its plugin is gone. */
export type CoinOf = (chain: string) => Coin | undefined;

/** Asks for a report and prints it. Returns the exit code; throws `Fault` `config-*`, `report-*` or `ledger-*`. */
export async function printReport<A extends WithCoins>(
  options: ReportOptions,
  terminal: Terminal,
  ask: (reports: LedgerReports) => Promise<A>,
  form: ReportForm<A>,
): Promise<number> {
  const loaded = loadConfig(options.config);
  const settings = mergeSettingsOf(loaded);
  const reports = new LedgerReports({
    clock: systemClock,
    reader: new LedgerReader(loaded),
    coins: () => coinsOf(settings, pluginLoader()),
    chains: () => settings.chains.map(({ name }) => name),
    difficulties: () => new Map(),
  });
  printAnswer(await ask(reports), options, terminal, form);
  return EXIT.ok.code;
}

/** Prints an answer in the form that is asked for. */
export function printAnswer<A extends WithCoins>(
  answer: A,
  { json, csv }: Pick<ReportOptions, "json" | "csv">,
  terminal: Pick<Terminal, "out" | "err">,
  form: ReportForm<A>,
): void {
  const gone = new Set<string>();
  const coinOf: CoinOf = (chain) => {
    const coin = answer.coins[chain];
    if (coin === undefined) gone.add(chain);
    return coin;
  };
  // RFC 4180 ends a line with both characters; the terminal adds the second.
  if (json) terminal.out(plainJson(jsonLine(answer)));
  else if (csv) for (const row of form.csv(answer, coinOf)) terminal.out(`${csvLine(row)}\r`);
  else for (const line of form.text(answer, coinOf, systemClock.nowMs())) terminal.out(line);
  for (const chain of gone) {
    terminal.err(
      `${chain}: its plugin is not there, so its amounts are in base units, whatever its coin's decimals are`,
    );
  }
}
