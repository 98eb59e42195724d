/** What `doctor` says of the ledger: whether the next start can use it. It looks only, beside a running server too, and makes nothing. */
import { existsSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { Fault } from "../../kernel/fault.ts";
import { type LedgerAddress, openLedger, showAddress } from "../../ledger/store/address.ts";
import { migrationsFor } from "../../ledger/store/migrations.ts";
import { migrate } from "../../ledger/store/open.ts";
import { storeFault } from "../../ledger/store/store-fault.ts";
import { SQLITE_CHILD } from "../parts.ts";
import { systemClock } from "../system.ts";
import type { Finding } from "./doctor-chains.ts";

/** The name of the check. */
export const LEDGER_CHECK = "ledger";

/** Looks at the ledger. Throws `Fault` `ledger-*` for one that a server could not use as it is. */
export async function checkLedger(address: LedgerAddress): Promise<Finding[]> {
  try {
    return [{ check: LEDGER_CHECK, result: "ok", detail: await seen(address) }];
  } catch (error) {
    throw storeFault(error) ?? error;
  }
}

async function seen(address: LedgerAddress): Promise<string> {
  const shown = showAddress(address);
  if (address.kind === "sqlite") {
    const { path } = address;
    await mustBeWritable(nearestExisting(dirname(path)));
    if (!existsSync(path)) return `${shown} does not exist yet; the first start makes it`;
    await mustBeWritable(path);
  }
  const store = openLedger(address, {
    access: "read",
    create: false,
    script: SQLITE_CHILD,
    clock: systemClock,
    onLost() {},
  });
  try {
    await migrate(store, { lookOnly: true });
    return `${shown} can be opened; its schema is this version's, ${Object.keys(migrationsFor(store.kind)).at(-1)}`;
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "ledger-schema-older") throw error;
    return `${shown} can be opened; the next start brings its schema up to date (${error.data.steps})`;
  } finally {
    await store.close();
  }
}

async function mustBeWritable(path: string): Promise<void> {
  await access(path, constants.R_OK | constants.W_OK);
}

function nearestExisting(folder: string): string {
  return existsSync(folder) ? folder : nearestExisting(dirname(folder));
}
