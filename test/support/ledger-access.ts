/** Ways to a ledger's database that fail as databases do, and what is in it. */
import { Fault } from "../../src/kernel/fault.ts";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import { fromColumns } from "../../src/ledger/store/amount.ts";
import type { LedgerStore } from "../../src/ledger/store/open.ts";
import type { LedgerDb } from "../../src/ledger/store/schema.ts";
import { storeAccess } from "../../src/ledger/store/transaction.ts";

/** What befalls the next transactions: it works, it is not done, or it is done and the answer is lost. */
export type Fate = "works" | "away" | "answer lost";

/** A database whose transactions meet `fates`, one each and the first first; without any left they work. */
export class FatefulAccess implements LedgerAccess {
  readonly #access: LedgerAccess;
  readonly fates: Fate[] = [];
  /** While `true`, every transaction is not done. */
  isAway = false;
  /** Transactions that were asked for. */
  asked = 0;

  constructor(store: LedgerStore) {
    this.#access = storeAccess(store);
  }

  async run<T>(work: (db: LedgerDb) => Promise<T>): Promise<T> {
    if (this.isAway) throw gone();
    return await this.#access.run(work);
  }

  async transaction<T>(work: (db: LedgerDb) => Promise<T>): Promise<T> {
    this.asked += 1;
    const fate = this.isAway ? "away" : (this.fates.shift() ?? "works");
    const result = await this.#access.transaction(async (db) => {
      const done = await work(db);
      // The worst moment: all statements were made, and nothing may remain of them.
      if (fate === "away") throw gone();
      return done;
    });
    if (fate === "answer lost") throw gone();
    return result;
  }
}

/** What a database that is away is reported with. */
function gone(): Fault {
  return new Fault("ledger-unreachable", {}, { cause: new Error("the database is away") });
}

/** A slice with its credit. */
export interface ReadSlice {
  readonly server: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly open: number;
  /** Shares by identity and set of chains, `alice,namecoin,rsk,`. */
  readonly shares: Readonly<Record<string, number>>;
}

/** All slices in order. */
export async function readSlices({ db }: LedgerStore): Promise<ReadSlice[]> {
  const slices = await db.selectFrom("slices").selectAll().orderBy("server").orderBy("start_ms").execute();
  const credits = await db
    .selectFrom("credits")
    .innerJoin("workers", "workers.id", "credits.worker_id")
    .innerJoin("chain_sets", "chain_sets.id", "credits.chain_set_id")
    .select(["slice_id", "identity", "chains", "shares"])
    .orderBy("identity")
    .orderBy("chains")
    .execute();
  return slices.map(({ id, server, start_ms, end_ms, open }) => ({
    server,
    startMs: start_ms,
    endMs: end_ms,
    open,
    shares: Object.fromEntries(
      credits.filter(({ slice_id }) => slice_id === id).map((row) => [row.identity + row.chains, row.shares]),
    ),
  }));
}

/** Hashes by `identity/chain`, over all slices or those that `where` takes; Bitcoin is in every own set. Work for a pool is under `identity/pool:NAME`, and under its chains where the job was ours. */
export async function readWork(
  { db }: LedgerStore,
  where: (slice: { readonly start_ms: number; readonly end_ms: number }) => boolean = () => true,
): Promise<Record<string, bigint>> {
  const rows = await db
    .selectFrom("credits")
    .innerJoin("slices", "slices.id", "credits.slice_id")
    .innerJoin("workers", "workers.id", "credits.worker_id")
    .innerJoin("chain_sets", "chain_sets.id", "credits.chain_set_id")
    .select(["start_ms", "end_ms", "identity", "chains", "work_hi", "work_lo"])
    .execute();
  const sums: Record<string, bigint> = {};
  for (const row of rows) {
    if (!where(row)) continue;
    for (const chain of countsUnder(row.chains)) {
      const key = `${row.identity}/${chain}`;
      sums[key] = (sums[key] ?? 0n) + fromColumns(row.work_hi, row.work_lo);
    }
  }
  return sums;
}

function countsUnder(set: string): readonly string[] {
  if (set.startsWith("pool:")) return [set];
  const [list = "", pool] = set.replace(/^declared/, "").split(":");
  const chains = list.split(",").filter((name) => name !== "");
  return pool === undefined ? ["bitcoin", ...chains] : [...chains, `pool:${decodeURIComponent(pool)}`];
}
