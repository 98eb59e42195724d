/** A plan as a table for people, as CSV and as JSON for programs: amounts exact, in coins and in base units. */

import type { Payee } from "./addresses.ts";
import { coinsText } from "./coins.ts";
import { isCommons } from "./commons.ts";
import type { PayoutPlan } from "./plan.ts";

/** Forms of a plan. */
export type PlanFormat = "table" | "csv" | "json";

/** Written into JSON plans; a later form has another number. */
export const PLAN_FORMAT = 1;

/** One account in a row. */
interface Row {
  readonly result: string;
  readonly kind: string;
  readonly name: string;
  readonly address: string;
  readonly coins: string;
  readonly units: string;
  readonly detail: string;
  /** Who it comes from; empty for nobody in particular. */
  readonly contributor: string;
}

/** `1 payment`, `2 payments`. */
export function countText(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** `plan` as text that ends with a line feed. */
export function planText(plan: PayoutPlan, format: PlanFormat): string {
  if (format === "json") return `${JSON.stringify(planJson(plan), undefined, 1)}\n`;
  return format === "csv" ? csv(plan) : table(plan);
}

/** `plan` as plain JSON values, big integers as decimal text. */
export function planJson(plan: PayoutPlan) {
  const amounts = (units: bigint) => ({ coins: coinsText(units, plan.coin), units: String(units) });
  return {
    format: PLAN_FORMAT,
    chain: plan.chain,
    coin: plan.coin,
    created: new Date(plan.createdMs).toISOString(),
    total: amounts(plan.total),
    payments: plan.payments.map(({ address, amount, accounts }) => ({
      address,
      ...amounts(amount),
      accounts: accounts.map((account) => ({
        account: account.accountId,
        kind: account.kind,
        name: account.name,
        ...amounts(account.amount),
        ...contributorOf(plan, account),
      })),
    })),
    leftOut: plan.leftOut.map(({ account, address, reason, detail }) => ({
      account: account.accountId,
      kind: account.kind,
      name: account.name,
      ...amounts(account.amount),
      address,
      reason,
      detail,
      ...contributorOf(plan, account),
    })),
  };
}

function contributorOf({ contributor }: PayoutPlan, payee: Payee): { readonly contributor?: string } {
  return contributor !== undefined && isCommons(payee) ? { contributor } : {};
}

function rowsOf(plan: PayoutPlan): Row[] {
  const { coin, payments, leftOut } = plan;
  const from = (payee: Payee): string => contributorOf(plan, payee).contributor ?? "";
  return [
    ...payments.flatMap(({ address, accounts }) =>
      accounts.map((account) => ({
        result: "pay",
        kind: account.kind,
        name: account.name,
        address,
        coins: coinsText(account.amount, coin),
        units: String(account.amount),
        detail: "",
        contributor: from(account),
      })),
    ),
    ...leftOut.map(({ account, address, reason, detail }) => ({
      result: reason,
      kind: account.kind,
      name: account.name,
      address,
      coins: coinsText(account.amount, coin),
      units: String(account.amount),
      detail,
      contributor: from(account),
    })),
  ];
}

function csv(plan: PayoutPlan): string {
  const lines = rowsOf(plan).map((row) => [
    plan.chain,
    row.result,
    row.kind,
    row.name,
    row.address,
    row.coins,
    plan.coin.symbol,
    row.units,
    row.detail,
    row.contributor,
  ]);
  const head = ["chain", "result", "kind", "name", "address", "coins", "coin", "units", "detail", "contributor"];
  return [head, ...lines].map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

/** RFC 4180; what a spreadsheet would take for a formula begins with a quote: names are the miners' own words. Amounts are ours. */
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

function table(plan: PayoutPlan): string {
  const { chain, coin, payments, leftOut, total } = plan;
  const rows = rowsOf(plan);
  const columns = [
    (row: Row) => row.result,
    (row: Row) => (row.kind === "worker" ? row.name : row.name === "" ? row.kind : `${row.kind}:${row.name}`),
    (row: Row) => `${row.coins} ${coin.symbol}`,
    (row: Row) => row.address,
    (row: Row) => row.detail,
    (row: Row) => (row.contributor === "" ? "" : `contributor ${row.contributor}`),
  ];
  const widths = columns.map((of) => Math.max(0, ...rows.map((row) => of(row).length)));
  const lines = rows.map((row) =>
    columns
      .map((of, i) => (i === 2 ? of(row).padStart(widths[i] ?? 0) : of(row).padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  const sum = `${chain}: ${countText(payments.length, "payment")} of ${coinsText(total, coin)} ${coin.symbol} (${total} base units), ${countText(leftOut.length, "account")} left out`;
  return `${[...lines, sum].join("\n")}\n`;
}
