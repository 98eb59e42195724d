/**
 * A ledger with a year behind it, as compaction leaves one: slices of 10 minutes for two days, of an hour for twelve, of a day for the rest. The database
 * makes the rows itself, so that a year of 10,000 workers (some 9 million credits) takes a minute or two; a few workers take no time. Who needs a number asks the
 * same formula: `workOf`.
 */
import { sql } from "kysely";
import { toColumns } from "../../src/ledger/store/amount.ts";
import type { LedgerStore } from "../../src/ledger/store/open.ts";
import type { BlockState, LedgerDb } from "../../src/ledger/store/schema.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What a year is made of. */
export interface LedgerYear {
  /** End of the newest slice, wall time in ms. */
  readonly nowMs: number;
  /** 1 to 10,000; worker n is `account<n / 10>.rig<n>`. */
  readonly workers: number;
  /** Days, 14 at least and 366 at most. */
  readonly days: number;
  /** Chains beside Bitcoin; half of the work counts for all of them, the other half for Bitcoin alone. */
  readonly chains: readonly string[];
  /** Blocks of each chain, evenly over the time, 100,000 at most. */
  readonly blocks: number;
  /** How many of each chain's newest mature blocks have their distribution to all workers in the books. */
  readonly distributions: number;
}

/** What a block of a year takes and pays. */
export const YEAR_BLOCK = { difficulty: 5n * 10n ** 18n, reward: 625_000_000n } as const;

/** Start and end of each slice, oldest first. */
export function yearSlices({ nowMs, days }: Pick<LedgerYear, "nowMs" | "days">): { startMs: number; endMs: number }[] {
  if (days < 14 || days > 366) throw new RangeError("a year has 14 to 366 days here");
  const slices: { startMs: number; endMs: number }[] = [];
  const fill = (fromMs: number, toMs: number, stepMs: number): void => {
    for (let startMs = fromMs; startMs < toMs; startMs += stepMs) slices.push({ startMs, endMs: startMs + stepMs });
  };
  fill(nowMs - days * DAY, nowMs - 14 * DAY, DAY);
  fill(nowMs - 14 * DAY, nowMs - 2 * DAY, HOUR);
  fill(nowMs - 2 * DAY, nowMs, 10 * MINUTE);
  return slices;
}

/** Hashes of worker `worker` (its ID, from 1) in a slice of `lengthMs`: a tera a second, and a little more for each later worker. */
export function workOf(worker: number, lengthMs: number): bigint {
  return BigInt(lengthMs) * (1_000_000_000n + BigInt(worker));
}

/** Fills an empty ledger. Throws `RangeError` for a year out of bounds. */
export async function fillYear({ db, kind }: LedgerStore, year: LedgerYear): Promise<void> {
  const { nowMs, workers, blocks } = year;
  if (workers < 1 || workers > 10_000 || blocks > 100_000) throw new RangeError("too many workers or blocks");
  const firstMs = nowMs - year.days * DAY;
  await db.transaction().execute(async (at) => {
    await inBatches(numbers(workers), async (batch) => {
      await at
        .insertInto("workers")
        .values(
          batch.map((n) => ({
            identity: `account${Math.floor(n / 10)}.rig${n}`,
            first_share_ms: firstMs,
            last_share_ms: nowMs - n,
          })),
        )
        .execute();
    });
    await at
      .insertInto("chain_sets")
      .values([{ chains: "," }, { chains: `,${[...year.chains].sort().join(",")},` }])
      .execute();
    await inBatches(yearSlices(year), async (batch) => {
      await at
        .insertInto("slices")
        .values(batch.map(({ startMs, endMs }) => ({ server: 0, start_ms: startMs, end_ms: endMs, open: 0 })))
        .execute();
    });
    // Hashes of one worker in a day stay below 2^63.
    await sql`
      insert into credits (slice_id, worker_id, chain_set_id, work_hi, work_lo, shares)
      select s.id, w.id, 1 + w.id % 2, (s.end_ms - s.start_ms) * (1000000000 + w.id) / 1000000000000000000,
        (s.end_ms - s.start_ms) * (1000000000 + w.id) % 1000000000000000000, 1 + (s.end_ms - s.start_ms) / 10000
      from slices s cross join workers w`.execute(at);
    for (const chain of ["bitcoin", ...year.chains]) await addChain(at, chain, year);
  });
  // As its autovacuum does with so many new rows; nothing does so in SQLite.
  if (kind === "postgres") await sql`vacuum analyze`.execute(db);
}

async function addChain(db: LedgerDb, chain: string, year: LedgerYear): Promise<void> {
  const { nowMs, days, blocks, distributions } = year;
  const stepMs = Math.floor((days * DAY) / (blocks + 1));
  await inBatches(numbers(blocks), async (batch) => {
    const rows = batch.map((n) => {
      const state: BlockState = n % 50 === 0 ? "orphaned" : n % 75 === 0 ? "stale" : "distributed";
      const foundMs = nowMs - (blocks + 1 - n) * stepMs;
      const reward = toColumns(YEAR_BLOCK.reward);
      const difficulty = toColumns(YEAR_BLOCK.difficulty);
      return {
        chain,
        key: `${chain}:${n}`,
        block_hash: hashOf(chain, n),
        // The chains find their blocks with the same headers.
        header_hash: hashOf("header", n),
        height: n,
        worker_id: 1 + (n % year.workers),
        finder: `account${Math.floor((1 + (n % year.workers)) / 10)}.rig${1 + (n % year.workers)}`,
        found_ms: foundMs,
        state,
        state_ms: foundMs + HOUR,
        note: "",
        confirmations: 100,
        uncle: 0,
        difficulty_hi: difficulty.hi,
        difficulty_lo: difficulty.lo,
        expected_hi: reward.hi,
        expected_lo: reward.lo,
        actual_hi: state === "distributed" ? reward.hi : null,
        actual_lo: state === "distributed" ? reward.lo : null,
        finder_paid_hi: 0n,
        finder_paid_lo: 0n,
        finder_address: null,
        aux_work: chain === "bitcoin" ? null : "x".repeat(600),
        next_check_ms: null,
      };
    });
    await db.insertInto("blocks").values(rows).execute();
  });
  if (distributions === 0) return;
  await sql`insert into accounts (chain, kind, name) values (${chain}, 'reward', ''), (${chain}, 'operator', '')`.execute(
    db,
  );
  await sql`insert into accounts (chain, kind, name) select ${chain}, 'worker', identity from workers order by id`.execute(
    db,
  );
  await sql`
    insert into transactions (key, chain, kind, block_id, payout_id, at_ms)
    select 'distribution:' || id || ':1', chain, 'distribution', id, null, state_ms from blocks
    where chain = ${chain} and state = 'distributed' order by found_ms desc limit ${distributions}`.execute(db);
  const part = YEAR_BLOCK.reward / BigInt(year.workers);
  await sql`
    insert into postings (transaction_id, account_id, amount_hi, amount_lo)
    select t.id, a.id, 0, case a.kind when 'worker' then cast(${part} as bigint) when 'reward' then ${0n - YEAR_BLOCK.reward}
      else ${YEAR_BLOCK.reward - part * BigInt(year.workers)} end
    from transactions t join accounts a on a.chain = t.chain where t.chain = ${chain}`.execute(db);
}

function hashOf(what: string, n: number): string {
  return `${Buffer.from(what).toString("hex")}${n.toString(16).padStart(16, "0")}`.padEnd(64, "0");
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

async function inBatches<T>(all: readonly T[], run: (batch: readonly T[]) => Promise<void>): Promise<void> {
  for (let i = 0; i < all.length; i += 500) await run(all.slice(i, i + 500));
}
