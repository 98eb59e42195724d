/** `payout`: what a chain owes, and paying it. Without a verb it only looks. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { Fault } from "../../kernel/fault.ts";
import { coinsText } from "../../ledger/payouts/coins.ts";
import { CoreWallet } from "../../ledger/payouts/core-wallet.ts";
import { PAYOUT_DEFAULTS, Payouts } from "../../ledger/payouts/execute.ts";
import { markPaid, readPlanFile } from "../../ledger/payouts/hand-paid.ts";
import { noWallet } from "../../ledger/payouts/no-wallet.ts";
import type { PayoutPlan } from "../../ledger/payouts/plan.ts";
import { countText, planJson } from "../../ledger/payouts/plan-json.ts";
import { PayoutPlanner } from "../../ledger/payouts/planner.ts";
import { type PayoutRecord, payoutsIn } from "../../ledger/payouts/records.ts";
import type { PayoutWallet } from "../../ledger/payouts/wallet.ts";
import type { LedgerAccess } from "../../ledger/store/access.ts";
import { coinOf } from "../coin-of.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { askYes } from "../confirm.ts";
import { EXIT } from "../exit-codes.ts";
import { ledgerOf } from "../ledger-of.ts";
import { addressCheck, planOptionsOf, walletRpc } from "../payout-settings.ts";
import { plainJson } from "../reports/plain-text.ts";
import { planCsv, planTable } from "../reports/plan-text.ts";
import { systemClock } from "../system.ts";
import { jsonLine, type Terminal } from "../terminal.ts";

/** Words behind `payout`. */
export interface PayoutWords {
  readonly config?: string;
  readonly chain: string;
  readonly execute: boolean;
  readonly resume: boolean;
  /** Number of a payout. */
  readonly cancel?: number;
  readonly force: boolean;
  /** A plan's file. */
  readonly markPaid?: string;
  readonly txid?: readonly string[];
  /** A payee. */
  readonly only?: string;
  readonly format: "table" | "csv" | "json";
  readonly out?: string;
  readonly yes: boolean;
}

/** What the command works with; tests have others. */
export interface PayoutWorld {
  /** As `askYes`. */
  readonly confirm: (question: string) => Promise<boolean | undefined>;
}

/** A plan of 2000 payments to 100,000 accounts. */
const MAX_PLAN_BYTES = 64 << 20;
const MAX_TXID_LENGTH = 100_000;

/** Looks, pays, resumes, cancels or marks. Returns the exit code; throws `Fault` `payout-*`, `config-*`, `node-*` and those of plugins and ledger. */
export async function payout(
  words: PayoutWords,
  terminal: Terminal,
  world: PayoutWorld = { confirm: askYes },
): Promise<number> {
  const loaded = loadConfig(words.config);
  const desk = await openDesk(loaded, words, terminal);
  try {
    if (words.markPaid !== undefined) return await mark(desk, words, words.markPaid, terminal);
    if (words.cancel !== undefined) return await cancel(desk, words, words.cancel, terminal);
    if (words.resume) return await resume(desk, terminal);
    if (words.execute) return await execute(desk, words, terminal, world);
    return await look(desk, words, terminal);
  } finally {
    await desk.close();
  }
}

/** Everything that a payout of one chain takes. */
interface Desk {
  readonly chain: string;
  readonly ledger: LedgerAccess;
  readonly payouts: Payouts;
  readonly planner: PayoutPlanner;
  /** Plans without asking the wallet, for when it does not answer and nothing is to be paid. */
  readonly blindPlanner: PayoutPlanner;
  readonly hasWallet: boolean;
  close(): Promise<void>;
}

async function openDesk(loaded: LoadedConfig, { chain, only }: PayoutWords, terminal: Terminal): Promise<Desk> {
  const coin = await coinOf(loaded, chain);
  const { feeFrom, ...settings } = planOptionsOf(loaded, chain, coin);
  const options = only === undefined ? settings : { ...settings, only };
  const rpc = walletRpc(loaded, chain);
  const ledger = await ledgerOf(loaded, { create: false });
  const wallet: PayoutWallet | undefined = rpc === undefined ? undefined : new CoreWallet({ rpc }, { coin });
  const deps = { ledger, clock: systemClock, check: addressCheck(loaded.config.bitcoin.network) };
  const blindPlanner = new PayoutPlanner(deps, options);
  const planner = wallet === undefined ? blindPlanner : new PayoutPlanner({ ...deps, wallet }, options);
  const payouts = new Payouts(
    { ledger, clock: systemClock, wallet: wallet ?? noWallet(chain), planner, say: (line) => terminal.err(line) },
    { chain, feeFrom, confirmations: PAYOUT_DEFAULTS.confirmations },
  );
  const close = async (): Promise<void> => {
    rpc?.close();
    await ledger.close();
  };
  return { chain, ledger, payouts, planner, blindPlanner, hasWallet: wallet !== undefined, close };
}

async function look(desk: Desk, words: PayoutWords, terminal: Terminal): Promise<number> {
  let plan: PayoutPlan;
  try {
    plan = await desk.planner.plan();
  } catch (error) {
    if (!(error instanceof Fault) || !/^(node|payout-wallet)-/.test(error.code)) throw error;
    terminal.err(`the wallet was not asked about the addresses: ${error.message}`);
    plan = await desk.blindPlanner.plan();
  }
  show(plan, words, terminal);
  for (const each of await desk.ledger.run((db) => payoutsIn(db, desk.chain, ["prepared", "signed", "sent"]))) {
    const txid = each.txid === undefined ? "" : ` (${each.txid})`;
    terminal.err(`payout ${each.id}: ${each.state}${txid}, ${coinsText(each.total, plan.coin)} ${plan.coin.symbol}`);
  }
  terminal.err(
    desk.hasWallet
      ? "nothing was paid: --execute does"
      : "nothing was paid: no wallet is configured for this chain, so the plan is to be paid by hand",
  );
  return EXIT.ok.code;
}

async function execute(desk: Desk, words: PayoutWords, terminal: Terminal, world: PayoutWorld): Promise<number> {
  if (!desk.hasWallet) throw new Fault("payout-no-wallet", { chain: desk.chain });
  const troubles = await desk.payouts.resume();
  for (const trouble of troubles) terminal.err(`attention: ${trouble}`);
  const plan = await desk.planner.plan();
  if (words.format !== "json") show(plan, words, terminal);
  let paid: PayoutRecord | undefined;
  if (plan.payments.length > 0) {
    const sum = `${coinsText(plan.total, plan.coin)} ${plan.coin.symbol} in ${countText(plan.payments.length, "payment")}`;
    const sure = words.yes || (await world.confirm(`Pay ${sum}?`));
    if (sure === undefined) {
      terminal.err("error: nobody is here to say yes: give --yes. Nothing was paid");
      return EXIT.usage.code;
    }
    if (!sure) {
      terminal.err("nothing was paid");
      return EXIT.ok.code;
    }
    paid = await desk.payouts.execute(plan);
  }
  if (words.format === "json") {
    show(plan, words, terminal, {
      payout:
        paid === undefined ? null : { id: paid.id, state: paid.state, txid: paid.txid, fee: String(paid.fee ?? 0n) },
    });
  }
  if (paid === undefined) terminal.err("nothing is to be paid");
  return troubles.length > 0 ? EXIT.failed.code : EXIT.ok.code;
}

async function resume(desk: Desk, terminal: Terminal): Promise<number> {
  if (!desk.hasWallet) throw new Fault("payout-no-wallet", { chain: desk.chain });
  const troubles = await desk.payouts.resume();
  for (const trouble of troubles) terminal.err(`attention: ${trouble}`);
  if (troubles.length === 0) {
    const waiting = await desk.ledger.run((db) => payoutsIn(db, desk.chain, ["prepared", "signed", "sent"]));
    const { confirmations } = PAYOUT_DEFAULTS;
    terminal.err(
      waiting.length === 0
        ? "no payout is under way any more"
        : `not final yet: ${waiting.length}. Run this again once they have ${confirmations} confirmations`,
    );
  }
  return troubles.length === 0 ? EXIT.ok.code : EXIT.failed.code;
}

async function cancel(desk: Desk, words: PayoutWords, id: number, terminal: Terminal): Promise<number> {
  const { state, note } = await desk.payouts.cancel(id, { force: words.force });
  terminal.out(`payout ${id}: ${state} (${note})`);
  return EXIT.ok.code;
}

async function mark(desk: Desk, words: PayoutWords, file: string, terminal: Terminal): Promise<number> {
  const txid = (words.txid ?? []).join(" ");
  if (txid === "" || txid.length > MAX_TXID_LENGTH) {
    terminal.err("error: --mark-paid needs the transactions that paid: --txid ID, once for each");
    return EXIT.usage.code;
  }
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > MAX_PLAN_BYTES) throw new Error(`the file has ${size} bytes`);
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new Fault("payout-plan-file", { chain: desk.chain, file }, { cause });
  }
  const plan = readPlanFile(text, desk.chain);
  const id = await markPaid(desk.ledger, plan, { txid, atMs: systemClock.nowMs(), force: words.force });
  terminal.out(`payout ${id}: ${countText(plan.items.length, "account")} of ${desk.chain} marked as paid`);
  return EXIT.ok.code;
}

/** Prints a plan, or writes it into the file that was asked for; `more` goes into the JSON beside it. */
function show(plan: PayoutPlan, { format, out }: PayoutWords, terminal: Terminal, more: object = {}): void {
  const text =
    format === "json"
      ? `${plainJson(jsonLine({ ...planJson(plan), ...more }))}\n`
      : format === "csv"
        ? planCsv(plan)
        : planTable(plan);
  if (out === undefined) {
    terminal.out(text.trimEnd());
    return;
  }
  writeFileSync(out, text, { mode: 0o600 });
  terminal.err(`the plan is in ${out}`);
}
