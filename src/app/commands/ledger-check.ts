/** `ledger check`: whether the database is whole and its books balance. Looks only; a server may run meanwhile. */
import { describe, Fault } from "../../kernel/fault.ts";
import { checkBooks } from "../../ledger/books/balance-check.ts";
import { databaseFlaws } from "../../ledger/reports/integrity.ts";
import type { LedgerStore } from "../../ledger/store/open.ts";
import { loadConfig } from "../config/load.ts";
import { EXIT } from "../exit-codes.ts";
import { LedgerReader } from "../ledger-reading.ts";
import { plainJson, plainText } from "../reports/plain-text.ts";
import { colours, jsonLine, type Terminal } from "../terminal.ts";

/** Every page of a large ledger on a slow disk takes an hour; whoever asked for it waits. */
const READING = { answerMs: 24 * 3_600_000 };

/** What was looked at. */
interface Finding {
  readonly check: string;
  /** What was seen, or what is wrong, in sentences. */
  readonly seen: string;
  readonly flaws: readonly string[];
}

/** Prints what was found; the exit code says whether something is wrong. Throws `Fault` `config-*`, `report-*` or `ledger-*`. */
export async function checkLedger(
  options: { readonly config?: string; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const reader = new LedgerReader(loadConfig(options.config), READING);
  const findings = await reader.run(look).catch((error: unknown): Finding[] => {
    // Damage may also keep the check itself from reading on.
    if (!(error instanceof Fault) || error.code !== "ledger-corrupt") throw error;
    return [{ check: "database", seen: "", flaws: [`${describe(error)}. ${error.help}`] }];
  });
  const ok = findings.every(({ flaws }) => flaws.length === 0);
  if (options.json) terminal.out(plainJson(jsonLine({ ok, findings })));
  else for (const finding of findings) tell(finding, terminal);
  return ok ? EXIT.ok.code : EXIT.problems.code;
}

async function look({ db, kind }: LedgerStore): Promise<Finding[]> {
  const seen = kind === "sqlite" ? "every page and index is whole" : "PostgreSQL looks after it";
  const database: Finding = { check: "database", seen, flaws: await databaseFlaws(db, kind) };
  const { problems, owing, transactions, blocks } = await checkBooks((work) => work(db));
  const others = owing.filter(({ kind: of }) => of !== "operator").length;
  const debts = others === 0 ? "" : `; ${others} accounts owe what was paid out and taken back since`;
  // Every payout's fee is the operator's, also when no reward ever brings him something.
  const fees =
    others === owing.length ? "" : "; the operator's account is below 0 by fees of payouts, or what was taken back";
  const books = `${transactions} transactions sum up to 0 and agree with ${blocks} blocks${debts}${fees}`;
  return [database, { check: "books", seen: books, flaws: problems }];
}

function tell({ check, seen, flaws }: Finding, terminal: Terminal): void {
  const paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
  if (flaws.length === 0) terminal.out(`${paint.green("ok     ")} ${paint.bold(check)}: ${seen}`);
  else terminal.out(`${paint.red("failed ")} ${paint.bold(check)}`);
  for (const flaw of flaws) terminal.out(`        ${plainText(flaw)}`);
}
