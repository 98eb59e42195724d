/** Rows of a ledger for tests of what reads them, written without the code that writes them in the program. */
import { toColumns } from "../../src/ledger/store/amount.ts";
import type { AccountKind, BlockState, LedgerDb, TransactionKind } from "../../src/ledger/store/schema.ts";

/** A found block; what is left out is a plain Namecoin block. */
export interface BlockSpec {
  readonly chain?: string;
  readonly height?: number;
  readonly header?: string;
  readonly hash?: string;
  readonly finder?: string;
  readonly foundMs?: number;
  readonly state?: BlockState;
  readonly uncle?: boolean;
  readonly difficulty?: bigint;
  readonly expected?: bigint | null;
  readonly actual?: bigint | null;
  readonly finderPaid?: bigint;
  readonly note?: string;
}

/** Writes a block and returns its ID. */
export async function addBlock(db: LedgerDb, spec: BlockSpec = {}): Promise<number> {
  const { chain = "namecoin", height = 1, header = `header${height}`, state = "found", foundMs = 1000 * height } = spec;
  const { hash = `${chain}-hash${height}`, difficulty = 1000n, expected = null, actual = null, finderPaid = 0n } = spec;
  const { id } = await db
    .insertInto("blocks")
    .values({
      chain,
      key: `${chain}:${hash}:${header}`,
      block_hash: hash,
      header_hash: header,
      height,
      worker_id: null,
      finder: spec.finder ?? "farm.rig1",
      found_ms: foundMs,
      state,
      state_ms: foundMs,
      note: spec.note ?? "",
      confirmations: 0,
      uncle: spec.uncle === true ? 1 : 0,
      difficulty_hi: toColumns(difficulty).hi,
      difficulty_lo: toColumns(difficulty).lo,
      expected_hi: expected === null ? null : toColumns(expected).hi,
      expected_lo: expected === null ? null : toColumns(expected).lo,
      actual_hi: actual === null ? null : toColumns(actual).hi,
      actual_lo: actual === null ? null : toColumns(actual).lo,
      finder_paid_hi: toColumns(finderPaid).hi,
      finder_paid_lo: toColumns(finderPaid).lo,
      finder_address: finderPaid === 0n ? null : "address of the finder",
      aux_work: null,
      next_check_ms: null,
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

/** A transaction of the books: amounts by account, `worker farm.rig1` or `reward`. */
export interface TransactionSpec {
  readonly chain?: string;
  readonly kind: TransactionKind;
  /** `<kind>:<n>` when left out. */
  readonly key?: string;
  readonly atMs?: number;
  readonly blockId?: number;
  readonly amounts: Readonly<Record<string, bigint>>;
}

/** Writes a transaction, and the accounts that are missing. */
export async function addTransaction(db: LedgerDb, spec: TransactionSpec): Promise<void> {
  const { chain = "namecoin", kind, atMs = 5000, blockId, amounts } = spec;
  const count = await db
    .selectFrom("transactions")
    .select((each) => each.fn.countAll<number>().as("n"))
    .executeTakeFirstOrThrow();
  const { id } = await db
    .insertInto("transactions")
    .values({
      key: spec.key ?? `${kind}:${count.n}`,
      chain,
      kind,
      block_id: blockId ?? null,
      payout_id: null,
      at_ms: atMs,
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  for (const [account, amount] of Object.entries(amounts)) {
    const [, accountKind = "", name = ""] = /^(\w+) ?([\s\S]*)$/.exec(account) ?? [];
    const account_id = await accountId(db, chain, accountKind as AccountKind, name);
    const { hi, lo } = toColumns(amount);
    await db.insertInto("postings").values({ transaction_id: id, account_id, amount_hi: hi, amount_lo: lo }).execute();
  }
}

async function accountId(db: LedgerDb, chain: string, kind: AccountKind, name: string): Promise<number> {
  const known = await db
    .selectFrom("accounts")
    .select("id")
    .where("chain", "=", chain)
    .where("kind", "=", kind)
    .where("name", "=", name)
    .executeTakeFirst();
  if (known !== undefined) return known.id;
  const { id } = await db
    .insertInto("accounts")
    .values({ chain, kind, name })
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

/** Work of one worker in one slice. */
export interface CreditSpec {
  readonly startMs: number;
  readonly endMs: number;
  readonly worker?: string;
  /** Chains beside Bitcoin. */
  readonly chains?: readonly string[];
  /** The pool whose jobs it was done on, instead of chains. */
  readonly pool?: string;
  readonly work: bigint;
  readonly shares?: number;
}

/** Writes credits, each in a slice that others with the same times share. */
export async function addCredits(db: LedgerDb, specs: readonly CreditSpec[]): Promise<void> {
  const ids = new Map<string, number>();
  const idOf = async (key: string, make: () => Promise<{ id: number }>): Promise<number> => {
    const known = ids.get(key);
    if (known !== undefined) return known;
    const { id } = await make();
    ids.set(key, id);
    return id;
  };
  for (const { startMs, endMs, worker = "farm.rig1", chains = ["namecoin"], pool, work, shares = 1 } of specs) {
    const slice_id = await idOf(`slice ${startMs} ${endMs}`, () =>
      db
        .insertInto("slices")
        .values({ server: 0, start_ms: startMs, end_ms: endMs, open: 0 })
        .returning("id")
        .executeTakeFirstOrThrow(),
    );
    const worker_id = await idOf(`worker ${worker}`, () =>
      db
        .insertInto("workers")
        .values({ identity: worker, first_share_ms: startMs, last_share_ms: endMs })
        .returning("id")
        .executeTakeFirstOrThrow(),
    );
    await db.updateTable("workers").set({ last_share_ms: endMs }).where("id", "=", worker_id).execute();
    const own = `,${[...chains].sort().join(",")}${chains.length === 0 ? "" : ","}`;
    const set = pool === undefined ? own : `pool:${pool}`;
    const chain_set_id = await idOf(`set ${set}`, () =>
      db.insertInto("chain_sets").values({ chains: set }).returning("id").executeTakeFirstOrThrow(),
    );
    const { hi, lo } = toColumns(work);
    await db
      .insertInto("credits")
      .values({ slice_id, worker_id, chain_set_id, work_hi: hi, work_lo: lo, shares })
      .execute();
  }
}
