/** How fast the ledger's databases take what must be on the disk: one row a commit as a found block is, and batches as credit is. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/app/system.ts";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import { type LedgerAddress, openLedger } from "../../src/ledger/store/address.ts";
import { type LedgerStore, migrate } from "../../src/ledger/store/open.ts";
import { storeAccess } from "../../src/ledger/store/transaction.ts";

/** One figure. */
export interface LedgerFigure {
  readonly name: string;
  readonly perSecond: number;
  readonly note: string;
}

/** Compiled beside this file: `npm run bench` builds sources and benches into one folder. */
const CHILD = new URL("../../src/ledger/store/sqlite-child.js", import.meta.url);

const SINGLES = 1000;
const BATCHES = 10;
const ROWS = 10_000;

/** Rows of one statement: SQLite takes 32,766 parameters, six of them a row. */
const ROWS_A_STATEMENT = 500;

/** Measures SQLite in its process, on the disk of the temporary folder, and PostgreSQL at `postgresUrl` in an empty database. */
export async function measureLedgerStores(postgresUrl: string | undefined): Promise<LedgerFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), "ledger-bench-"));
  const addresses: LedgerAddress[] = [{ kind: "sqlite", path: join(folder, "ledger.sqlite") }];
  if (postgresUrl !== undefined) addresses.push({ kind: "postgres", url: postgresUrl });
  try {
    const figures: LedgerFigure[] = [];
    for (const address of addresses) {
      const store = openLedger(address, {
        access: "own",
        create: true,
        script: CHILD,
        clock: systemClock,
        onLost() {},
      });
      try {
        figures.push(...(await measureStore(store)));
      } finally {
        await store.close();
      }
    }
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureStore(store: LedgerStore): Promise<LedgerFigure[]> {
  await migrate(store, { lookOnly: false });
  const ledger = storeAccess(store);
  const name = store.kind === "sqlite" ? "SQLite in its process" : "PostgreSQL";
  const singles = await seconds(() => insertSingles(ledger));
  const batches = await seconds(() => insertBatches(ledger));
  return [
    {
      name: `${name}: durable transactions of one row`,
      perSecond: SINGLES / singles,
      note: `${((1000 * singles) / SINGLES).toFixed(2)} ms each`,
    },
    {
      name: `${name}: credit rows, ${ROWS.toLocaleString("en")} a transaction`,
      perSecond: (BATCHES * ROWS) / batches,
      note: `${Math.round((1000 * batches) / BATCHES)} ms a transaction`,
    },
  ];
}

async function insertSingles(ledger: LedgerAccess): Promise<void> {
  for (let n = 0; n < SINGLES; n++) {
    const row = { identity: `single ${n}`, first_share_ms: n, last_share_ms: n };
    await ledger.transaction((db) => db.insertInto("workers").values(row).execute());
  }
}

async function insertBatches(ledger: LedgerAccess): Promise<void> {
  const [chainSet] = await ledger.run((db) =>
    db.insertInto("chain_sets").values({ chains: "," }).returning("id").execute(),
  );
  for (let batch = 0; batch < BATCHES; batch++) {
    await ledger.transaction(async (db) => {
      const slices = await db
        .insertInto("slices")
        .values(Array.from({ length: ROWS / 1000 }, () => ({ server: 0, start_ms: batch, end_ms: batch, open: 0 })))
        .returning("id")
        .execute();
      const workers = await db.selectFrom("workers").select("id").limit(1000).execute();
      const rows = slices.flatMap((slice) =>
        workers.map(({ id }) => ({
          slice_id: slice.id,
          worker_id: id,
          chain_set_id: chainSet?.id ?? 0,
          work_hi: 0n,
          work_lo: 123_456_789_012_345n,
          shares: 17,
        })),
      );
      for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
        await db
          .insertInto("credits")
          .values(rows.slice(at, at + ROWS_A_STATEMENT))
          .execute();
      }
    });
  }
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
