/** A ledger with blocks, slices and credits for the tests of the books, and what its books say. */
import { silentLog } from "../../../src/kernel/log.ts";
import { silentMeter } from "../../../src/kernel/meter.ts";
import {
  DISTRIBUTION_DEFAULTS,
  Distribution,
  type DistributionDeps,
  type RewardStep,
} from "../../../src/ledger/books/distribution.ts";
import { REWARD_RULES_DEFAULTS, type RewardRules } from "../../../src/ledger/books/reward-rules.ts";
import { fromColumns, toColumns } from "../../../src/ledger/store/amount.ts";
import type { LedgerStore } from "../../../src/ledger/store/open.ts";
import type { BlockState } from "../../../src/ledger/store/schema.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { directAccess } from "../../support/ledger-store.ts";

/** A block as tests name it. */
export interface TestBlock {
  readonly chain: string;
  readonly state: BlockState;
  readonly finder: string;
  readonly foundMs: number;
  readonly difficulty: bigint;
  readonly actual: bigint | undefined;
  readonly finderPaid: bigint;
  readonly gift: 0 | 1;
  readonly nextCheckMs: number | null;
}

const BLOCK: TestBlock = {
  chain: "namecoin",
  state: "mature",
  finder: "anna.1",
  foundMs: 10_000,
  difficulty: 50n,
  actual: 1000n,
  finderPaid: 0n,
  gift: 0,
  nextCheckMs: null,
};

/** A ledger that tests fill. */
export class BooksWorld {
  readonly store: LedgerStore;
  readonly clock = new FakeClock();
  readonly steps: RewardStep[] = [];
  rules: RewardRules = REWARD_RULES_DEFAULTS;
  #blocks = 0;

  constructor(store: LedgerStore) {
    this.store = store;
  }

  /** A distribution over the ledger, as one process has it. */
  distribution(some: Partial<DistributionDeps> = {}, batch = DISTRIBUTION_DEFAULTS.batch): Distribution {
    const deps: DistributionDeps = {
      clock: this.clock,
      log: silentLog,
      meter: silentMeter,
      ledger: directAccess(this.store),
      rules: () => this.rules,
      beforeRead: async () => {},
      onDistributed: (step) => void this.steps.push(step),
      ...some,
    };
    return new Distribution(deps, { everyMs: 1000, batch, window: { slicesAtOnce: 3 } });
  }

  /** Adds a block and gives its id. */
  async block(some: Partial<TestBlock> = {}): Promise<number> {
    const block = { ...BLOCK, ...some };
    this.#blocks += 1;
    const [difficulty, paid] = [toColumns(block.difficulty), toColumns(block.finderPaid)];
    const actual = block.actual === undefined ? undefined : toColumns(block.actual);
    const { id } = await this.store.db
      .insertInto("blocks")
      .values({
        chain: block.chain,
        key: `${block.chain}:${this.#blocks}`,
        block_hash: `hash ${this.#blocks}`,
        header_hash: "header",
        height: this.#blocks,
        worker_id: null,
        finder: block.finder,
        found_ms: block.foundMs,
        state: block.state,
        state_ms: block.foundMs,
        note: "",
        confirmations: 1,
        uncle: 0,
        difficulty_hi: difficulty.hi,
        difficulty_lo: difficulty.lo,
        expected_hi: null,
        expected_lo: null,
        actual_hi: actual?.hi ?? null,
        actual_lo: actual?.lo ?? null,
        finder_paid_hi: paid.hi,
        finder_paid_lo: paid.lo,
        finder_address: null,
        gift: block.gift,
        aux_work: null,
        next_check_ms: block.nextCheckMs,
      })
      .returning("id")
      .executeTakeFirstOrThrow();
    return id;
  }

  /** Lets the chain say something else about a block. */
  async chainSays(id: number, state: BlockState, actual?: bigint): Promise<void> {
    const columns = actual === undefined ? undefined : toColumns(actual);
    await this.store.db
      .updateTable("blocks")
      .set({ state, ...(columns === undefined ? {} : { actual_hi: columns.hi, actual_lo: columns.lo }) })
      .where("id", "=", id)
      .execute();
  }

  /** Adds a slice with its work: worker to hashes, under a set of chains. */
  async slice(
    [start_ms, end_ms]: readonly [number, number],
    work: Readonly<Record<string, bigint>>,
    { chains = ",namecoin,", server = 0 } = {},
  ): Promise<void> {
    const { db } = this.store;
    const { id } = await db
      .insertInto("slices")
      .values({ server, start_ms, end_ms, open: 0 })
      .returning("id")
      .executeTakeFirstOrThrow();
    const set = await this.#idOf("chain_sets", { chains });
    for (const [identity, hashes] of Object.entries(work)) {
      const worker = await this.#worker(identity);
      const { hi, lo } = toColumns(hashes);
      await db
        .insertInto("credits")
        .values({ slice_id: id, worker_id: worker, chain_set_id: set, work_hi: hi, work_lo: lo, shares: 1 })
        .execute();
    }
  }

  /** What every account of a chain has, `worker anna` and the like; accounts at 0 are left out. */
  async balances(chain = "namecoin"): Promise<Record<string, bigint>> {
    const rows = await this.store.db
      .selectFrom("postings")
      .innerJoin("accounts", "accounts.id", "postings.account_id")
      .select(["kind", "name", "amount_hi", "amount_lo"])
      .where("chain", "=", chain)
      .execute();
    const balances: Record<string, bigint> = {};
    for (const { kind, name, amount_hi, amount_lo } of rows) {
      const account = `${kind} ${name}`.trim();
      balances[account] = (balances[account] ?? 0n) + fromColumns(amount_hi, amount_lo);
    }
    return Object.fromEntries(Object.entries(balances).filter(([, amount]) => amount !== 0n));
  }

  /** Keys of all transactions in the order in which they were written. */
  async keys(): Promise<string[]> {
    const rows = await this.store.db.selectFrom("transactions").select("key").orderBy("id").execute();
    return rows.map(({ key }) => key);
  }

  /** The state of a block. */
  async state(id: number): Promise<BlockState> {
    const row = await this.store.db.selectFrom("blocks").select("state").where("id", "=", id).executeTakeFirstOrThrow();
    return row.state;
  }

  async #worker(identity: string): Promise<number> {
    const { db } = this.store;
    const known = await db.selectFrom("workers").select("id").where("identity", "=", identity).executeTakeFirst();
    if (known !== undefined) return known.id;
    const made = await db
      .insertInto("workers")
      .values({ identity, first_share_ms: 0, last_share_ms: 0 })
      .returning("id")
      .executeTakeFirstOrThrow();
    return made.id;
  }

  async #idOf(table: "chain_sets", value: { readonly chains: string }): Promise<number> {
    const { db } = this.store;
    const known = await db.selectFrom(table).select("id").where("chains", "=", value.chains).executeTakeFirst();
    if (known !== undefined) return known.id;
    return (await db.insertInto(table).values(value).returning("id").executeTakeFirstOrThrow()).id;
  }
}
