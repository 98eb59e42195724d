/** `ledger check`: whether the database is whole and its books balance. Looks only; a server may run meanwhile. */
import { databaseFlaws } from "../../ledger/reports/integrity.ts";
import { loadConfig } from "../config/load.ts";
import { EXIT } from "../exit-codes.ts";
import { openLedgerForReading } from "../ledger-of.ts";
import { plainJson, plainText } from "../reports/plain-text.ts";
import { colours, jsonLine, type Terminal } from "../terminal.ts";

/** Prints what was found; the exit code says whether something is wrong. Throws `Fault` `config-*`, `report-*` or `ledger-*`. */
export async function checkLedger(
  options: { readonly config?: string; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const store = await openLedgerForReading(loadConfig(options.config));
  let flaws: readonly string[];
  try {
    flaws = await databaseFlaws(store.db, store.kind);
  } catch (error) {
    // A damaged page may end the check itself.
    flaws = [error instanceof Error ? error.message : String(error)];
  } finally {
    await store.close();
  }
  const ok = flaws.length === 0;
  if (options.json) terminal.out(plainJson(jsonLine({ ok, findings: [{ check: "database", flaws }] })));
  else {
    const paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
    terminal.out(`${ok ? paint.green("ok     ") : paint.red("failed ")} ${paint.bold("database")}`);
    for (const flaw of flaws) terminal.out(`        ${plainText(flaw)}`);
  }
  return ok ? EXIT.ok.code : EXIT.problems.code;
}
