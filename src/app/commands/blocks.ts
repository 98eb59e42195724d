/** `blocks`: what was found, newest first; `blocks <key or hash>`: everything that happened to one. */

import type { Coin } from "../../ledger/payouts/coins.ts";
import type { BlockHistory } from "../../ledger/reports/block-history.ts";
import type { BlockReport } from "../../ledger/reports/blocks.ts";
import { coinNumber, coinText } from "../reports/coin-text.ts";
import type { CsvValue } from "../reports/csv.ts";
import type { BlocksAnswer } from "../reports/ledger-reports.ts";
import { plainText } from "../reports/plain-text.ts";
import { tableLines } from "../reports/table.ts";
import { isoText, timeText } from "../reports/time-text.ts";
import type { Terminal } from "../terminal.ts";
import { type CoinOf, printReport, type ReportForm, type ReportOptions } from "./report-command.ts";

/** Prints the report; returns the exit code. Throws `Fault` `config-*`, `report-*` or `ledger-*`. */
export function blocks(options: ReportOptions, terminal: Terminal): Promise<number> {
  return printReport(options, terminal, (reports) => reports.blocks(options), BLOCKS_FORM);
}

/** Its forms. */
export const BLOCKS_FORM: ReportForm<BlocksAnswer> = {
  csv: (answer, coinOf) =>
    "histories" in answer
      ? [EVENT_TITLES, ...answer.histories.flatMap((history) => eventRows(history, coinOf(history.block.chain)))]
      : [BLOCK_TITLES, ...answer.blocks.map((block) => blockRow(block, coinOf(block.chain)))],
  text: (answer, coinOf) =>
    "histories" in answer
      ? answer.histories.flatMap((history) => historyLines(history, coinOf(history.block.chain)))
      : blockLines(answer.blocks, answer.next, coinOf),
};

const BLOCK_TITLES = [
  "found",
  "chain",
  "height",
  "state",
  "confirmations",
  "uncle",
  "expected",
  "actual",
  "paid to finder",
  "unit",
  "finder",
  "block hash",
  "header hash",
  "also won",
  "key",
  "note",
];

function blockRow(block: BlockReport, coin: Coin | undefined): CsvValue[] {
  const number = (amount: bigint | undefined) => (amount === undefined ? undefined : coinNumber(amount, coin));
  return [
    isoText(block.foundMs),
    block.chain,
    block.height,
    block.state,
    block.confirmations,
    block.uncle ? "yes" : "no",
    number(block.expected),
    number(block.actual),
    number(block.paidToFinder),
    coin?.symbol ?? "units",
    block.finder,
    block.blockHash,
    block.headerHash,
    block.alsoWon.join(" "),
    block.key,
    block.note,
  ];
}

function blockLines(found: readonly BlockReport[], next: number | undefined, coinOf: CoinOf): string[] {
  if (found.length === 0) return ["no block was found, or none that this was asked for"];
  const table = tableLines(
    [
      { title: "found (UTC)" },
      { title: "chain" },
      { title: "height", right: true },
      { title: "state" },
      { title: "reward", right: true },
      { title: "finder" },
      { title: "also won" },
      { title: "block", width: 64 },
    ],
    found.map((block) => [
      timeText(block.foundMs),
      block.chain,
      String(block.height),
      block.uncle && block.state !== "uncle" ? `${block.state}, uncle` : block.state,
      rewardText(block, coinOf(block.chain)),
      block.finder,
      block.alsoWon.join(", "),
      block.blockHash,
    ]),
  );
  return next === undefined ? table : [...table, `older ones: --after ${next}`];
}

/** What it pays, or in brackets what it was expected to pay as long as its chain has not said. */
function rewardText({ actual, expected }: BlockReport, coin: Coin | undefined): string {
  if (actual !== undefined) return coinText(actual, coin);
  return expected === undefined ? "" : `(${coinText(expected, coin)})`;
}

function historyLines({ block, events, splits }: BlockHistory, coin: Coin | undefined): string[] {
  const facts: readonly (readonly [string, string])[] = [
    ["key", block.key],
    ["block", block.blockHash],
    ["Bitcoin header", block.headerHash],
    ["also won", block.alsoWon.join(", ")],
    ["finder", block.finder],
    ["reward", rewardText(block, coin)],
    ["paid to finder", block.paidToFinder === 0n ? "" : coinText(block.paidToFinder, coin)],
    ["to address", block.finderAddress ?? ""],
    ["confirmations", String(block.confirmations)],
  ];
  const lines = [`${plainText(block.chain)} ${block.height}: ${block.state}${block.uncle ? " (uncle)" : ""}`];
  for (const [name, value] of facts) if (value !== "") lines.push(`  ${name.padEnd(14)}  ${plainText(value)}`);
  lines.push(
    ...events.map(({ atMs, state, note }) => `  ${timeText(atMs)}  ${plainText(`${state}  ${note}`.trimEnd())}`),
  );
  for (const { kind, atMs, parts, largest } of splits) {
    const shown = largest.length < parts ? `the ${largest.length} largest of ${parts} parts` : `${parts} parts`;
    lines.push(`  ${timeText(atMs)}  ${kind}, ${shown}:`);
    const table = tableLines(
      [{ title: "account" }, { title: "name" }, { title: "amount", right: true }],
      largest.map(({ account, name, amount }) => [account, name, coinText(amount, coin)]),
    );
    lines.push(...table.map((line) => `    ${line}`));
  }
  return lines;
}

const EVENT_TITLES = ["chain", "height", "time", "what", "note or name", "amount", "unit"];

function eventRows({ block, events, splits }: BlockHistory, coin: Coin | undefined): CsvValue[][] {
  const { chain, height } = block;
  return [
    ...events.map(({ atMs, state, note }): CsvValue[] => [
      chain,
      height,
      isoText(atMs),
      state,
      note,
      undefined,
      undefined,
    ]),
    ...splits.flatMap(({ kind, atMs, largest }) =>
      largest.map(({ account, name, amount }): CsvValue[] => [
        chain,
        height,
        isoText(atMs),
        `${kind} ${account}`,
        name,
        coinNumber(amount, coin),
        coin?.symbol ?? "units",
      ]),
    ),
  ];
}
