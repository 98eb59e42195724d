/** `rewards`: what each chain paid, what became of it, and who is owed what. */

import type { Coin } from "../../ledger/payouts/coins.ts";
import { BLOCK_STATES } from "../../ledger/reports/block-value.ts";
import type { ChainRewards } from "../../ledger/reports/chain-rewards.ts";
import type { WorkerRewards } from "../../ledger/reports/worker-rewards.ts";
import { coinNumber, coinText } from "../reports/coin-text.ts";
import type { CsvValue } from "../reports/csv.ts";
import type { RewardsAnswer } from "../reports/ledger-reports.ts";
import { plainText } from "../reports/plain-text.ts";
import { tableLines } from "../reports/table.ts";
import type { Terminal } from "../terminal.ts";
import { type CoinOf, printReport, type ReportForm, type ReportOptions } from "./report-command.ts";

/** Prints the report; returns the exit code. Throws `Fault` `config-*`, `report-*` or `ledger-*`. */
export function rewards(options: ReportOptions, terminal: Terminal): Promise<number> {
  return printReport(options, terminal, (reports) => reports.rewards(options), REWARDS_FORM);
}

/** Its forms. */
export const REWARDS_FORM: ReportForm<RewardsAnswer> = {
  csv: (answer, coinOf) =>
    "chains" in answer
      ? [CHAIN_TITLES, ...answer.chains.flatMap((chain) => chainRows(chain, coinOf(chain.chain)))]
      : [WORKER_TITLES, ...answer.workers.map((worker) => workerRow(worker, coinOf(worker.chain)))],
  text: (answer, coinOf) =>
    "chains" in answer ? chainLines(answer.chains, coinOf) : workerLines(answer.workers, answer.next, coinOf),
};

/** One amount a line: chains have different numbers of beneficiaries, and a spreadsheet sorts and filters lines. */
const CHAIN_TITLES = ["chain", "what", "name", "blocks", "amount", "unit"];

function chainRows(chain: ChainRewards, coin: Coin | undefined): CsvValue[][] {
  const amounts = amountsOf(chain).map(({ what, name, amount }): CsvValue[] => {
    return [chain.chain, what, name, undefined, coinNumber(amount, coin), coin?.symbol ?? "units"];
  });
  const counts = [
    ["found", chain.found] as const,
    ...BLOCK_STATES.map((state) => [state, chain.states[state]] as const),
  ];
  return [
    ...counts.map(([state, count]): CsvValue[] => [chain.chain, `blocks ${state}`, "", count, undefined, undefined]),
    [chain.chain, "blocks uncle ever", "", chain.uncles, undefined, undefined],
    ...amounts,
  ];
}

interface NamedAmount {
  readonly what: string;
  /** Of a beneficiary. */
  readonly name: string;
  readonly amount: bigint;
  /** Shown also when it is 0. */
  readonly always?: true;
}

function amountsOf(chain: ChainRewards): NamedAmount[] {
  const { rewards: by, beneficiaries } = chain;
  const plain = (what: string, amount: bigint): NamedAmount => ({ what, name: "", amount });
  return [
    { ...plain("expected", chain.expected), always: true },
    plain("waiting", by.waiting),
    plain("immature", by.immature),
    plain("mature", by.mature),
    plain("distributed", by.distributed),
    plain("lost", by.lost),
    plain("split", chain.split),
    plain("earned by workers", chain.workersEarned),
    plain("earned by operator", chain.operatorEarned),
    ...beneficiaries.map(({ name, earned }) => ({ what: "earned by beneficiary", name, amount: earned })),
    plain("paid", chain.paid),
    plain("paid by coinbase", chain.paidByCoinbase),
    plain("network fees", chain.networkFees),
    { ...plain("owed to workers", chain.workersOwed), always: true },
    plain("owed to operator", chain.operatorOwed),
    ...beneficiaries.map(({ name, owed }) => ({ what: "owed to beneficiary", name, amount: owed })),
  ];
}

function chainLines(chains: readonly ChainRewards[], coinOf: CoinOf): string[] {
  if (chains.length === 0) return ["nothing was found yet, and nobody is owed anything"];
  return chains.flatMap((chain) => {
    const coin = coinOf(chain.chain);
    const shown = amountsOf(chain).filter(({ amount, always }) => amount !== 0n || always === true);
    const table = tableLines(
      [
        { title: "", width: 80 },
        { title: coin?.symbol ?? "units", right: true },
      ],
      shown.map(({ what, name, amount }) => [`${what} ${name}`.trimEnd(), coinNumber(amount, coin)]),
    );
    return [`${plainText(chain.chain)}: ${countsText(chain)}`, ...table.map((line) => `  ${line}`)];
  });
}

function countsText({ found, states, uncles }: ChainRewards): string {
  if (found === 0) return "no block found";
  const parts = BLOCK_STATES.filter((state) => states[state] > 0).map((state) => `${states[state]} ${state}`);
  const taken = uncles > 0 ? `; taken as uncle: ${uncles}` : "";
  return `${found} ${found === 1 ? "block" : "blocks"} found (${parts.join(", ")}${taken})`;
}

const WORKER_TITLES = ["chain", "worker", "earned", "reversed", "carried", "paid", "paid by coinbase", "owed", "unit"];

function workerRow(worker: WorkerRewards, coin: Coin | undefined): CsvValue[] {
  const { earned, reversed, carried, paid, paidByCoinbase, owed } = worker;
  const amounts = [earned, reversed, carried, paid, paidByCoinbase, owed].map((amount) => coinNumber(amount, coin));
  return [worker.chain, worker.worker, ...amounts, coin?.symbol ?? "units"];
}

function workerLines(workers: readonly WorkerRewards[], next: number | undefined, coinOf: CoinOf): string[] {
  if (workers.length === 0) return ["no worker has an account in the books yet, or none of that name"];
  const amounts = ["earned", "reversed", "carried", "paid", "paidByCoinbase", "owed"] as const;
  const titles = ["earned", "reversed", "carried", "paid", "by coinbase", "owed"];
  const table = tableLines(
    [{ title: "chain" }, { title: "worker" }, ...titles.map((title) => ({ title, right: true }))],
    workers.map((worker) => {
      const coin = coinOf(worker.chain);
      const cells = amounts.map((name) => (name !== "owed" && worker[name] === 0n ? "" : coinText(worker[name], coin)));
      return [worker.chain, worker.worker, ...cells];
    }),
  );
  return next === undefined ? table : [...table, `more: --after ${next}`];
}
