/** A plan of payouts as a table for people and as CSV: amounts exact, in coins and in base units; names are the miners' own words. */
import type { Payee } from "../../ledger/payouts/addresses.ts";
import type { Balance } from "../../ledger/payouts/balances.ts";
import type { PayoutPlan } from "../../ledger/payouts/plan.ts";
import { contributorOf, countText } from "../../ledger/payouts/plan-json.ts";
import { coinNumber, coinText } from "./coin-text.ts";
import { csvLine } from "./csv.ts";
import { type Column, tableLines } from "./table.ts";

/** One account in a row. */
interface Row {
  readonly result: string;
  readonly account: Balance;
  readonly address: string;
  readonly detail: string;
  /** Who it comes from; empty for nobody in particular. */
  readonly contributor: string;
}

/** Wide enough for the longest identity: whoever says yes to a payment sees whom and where. */
const WHOLE = 255;
const COLUMNS: readonly Column[] = [
  { title: "result" },
  { title: "account", width: WHOLE },
  { title: "amount", right: true, width: WHOLE },
  { title: "address", width: WHOLE },
  { title: "detail", width: WHOLE },
  { title: "contributor", width: WHOLE },
];
const CSV_TITLES = ["chain", "result", "kind", "name", "address", "coins", "coin", "units", "detail", "contributor"];

/** `plan` as CSV, a row for each account; it ends with a line feed. */
export function planCsv(plan: PayoutPlan): string {
  const lines = rowsOf(plan).map(({ result, account: { kind, name, amount }, address, detail, contributor }) => {
    const coins = coinNumber(amount, plan.coin);
    return [plan.chain, result, kind, name, address, coins, plan.coin.symbol, amount, detail, contributor];
  });
  return [CSV_TITLES, ...lines].map((line) => `${csvLine(line)}\r\n`).join("");
}

/** `plan` as a table with a row for each account, and its sum below; it ends with a line feed. */
export function planTable(plan: PayoutPlan): string {
  const { chain, coin, payments, leftOut, total } = plan;
  const rows = rowsOf(plan).map(({ result, account, address, detail, contributor }) => {
    return [result, nameOf(account), coinText(account.amount, coin), address, detail, contributor];
  });
  const sum = `${chain}: ${countText(payments.length, "payment")} of ${coinText(total, coin)} (${total} base units), ${countText(leftOut.length, "account")} left out`;
  return `${[...(rows.length === 0 ? [] : tableLines(COLUMNS, rows)), sum].join("\n")}\n`;
}

function rowsOf(plan: PayoutPlan): Row[] {
  const { payments, leftOut } = plan;
  const from = (payee: Payee): string => contributorOf(plan, payee).contributor ?? "";
  return [
    ...payments.flatMap(({ address, accounts }) =>
      accounts.map((account) => ({ result: "pay", account, address, detail: "", contributor: from(account) })),
    ),
    ...leftOut.map(({ account, address, reason, detail }) => {
      return { result: reason, account, address, detail, contributor: from(account) };
    }),
  ];
}

function nameOf({ kind, name }: Payee): string {
  if (kind === "worker") return name;
  return name === "" ? kind : `${kind}:${name}`;
}
