/**
 * The one door through which blocks are changed: one transaction at a time, and what it changed is told after it is committed. Two transactions at
 * once could each count a solution of the same block.
 *
 * When the answer to a commit is lost nobody knows whether it holds. Its changes are looked up with the next transaction and told then, so that
 * each is told once or, when the process ends in between, not at all: those who would hear it are in the same process.
 */
import type { Log } from "../../kernel/log.ts";
import type { BlockStateChanged, LedgerBus } from "../events.ts";
import type { LedgerAccess } from "../store/access.ts";
import type { LedgerDb } from "../store/schema.ts";
import { amount, blockByKey, type Told } from "./block-row.ts";
import { keptNote } from "./state.ts";

/** What `BlockWrites` works with. */
export interface BlockWritesDeps {
  readonly log: Log;
  readonly ledger: LedgerAccess;
  readonly bus: LedgerBus;
}

/** Changes of which it is not known whether they were committed. */
const MAX_DOUBTFUL = 1000;

/** Changes blocks and tells of it. */
export class BlockWrites {
  readonly #deps: BlockWritesDeps;
  #turn: Promise<unknown> = Promise.resolve();
  #doubtful: Told[] = [];

  constructor(deps: BlockWritesDeps) {
    this.#deps = deps;
  }

  /** Runs `work` in a transaction of its own and tells the changes that it returns. Rejects as `LedgerAccess.transaction`; then nothing is told. */
  commit(work: (db: LedgerDb) => Promise<readonly Told[]>): Promise<void> {
    const done = this.#turn.then(() => this.#commit(work));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #commit(work: (db: LedgerDb) => Promise<readonly Told[]>): Promise<void> {
    const doubtful = this.#doubtful;
    let made: readonly Told[] = [];
    let told: readonly Told[];
    try {
      told = await this.#deps.ledger.transaction(async (db) => {
        made = [];
        const late: Told[] = [];
        for (const each of doubtful) if (await isWritten(db, each)) late.push(each);
        made = await work(db);
        return [...late, ...made];
      });
    } catch (error) {
      this.#doubtful = [...doubtful, ...made].slice(-MAX_DOUBTFUL);
      throw error;
    }
    this.#doubtful = [];
    for (const each of told) this.#tell(each);
  }

  #tell({ changed, reward }: Told): void {
    const { bus, log } = this.#deps;
    if (changed !== undefined) {
      logChange(log, changed);
      bus.emit("BlockStateChanged", changed);
    }
    if (reward !== undefined) bus.emit("MergeMiningReward", reward);
  }
}

/** A line for the operator. What comes before an answer, and answers, are told where they happen; a block that was won and is lost is a warning. */
function logChange(log: Log, { chain, key, blockHash, height, from, to, note, reward }: BlockStateChanged): void {
  const level = to === "orphaned" ? "warn" : to === "confirmed" || to === "uncle" || to === "mature" ? "info" : "debug";
  const why = note === "" ? "" : `: ${note}`;
  log[level](`${chain} block ${blockHash} at height ${height} is ${to}${why}`, {
    chain,
    key,
    height,
    from,
    to,
    reward,
  });
}

/** Whether a transaction is in the database, by what it wrote: the event of a change, or the reward that was unknown before. */
async function isWritten(db: LedgerDb, { key, changed, reward }: Told): Promise<boolean> {
  if (changed === undefined) {
    const row = await blockByKey(db, key);
    return row !== undefined && amount(row.actual_hi, row.actual_lo) === reward?.rewardAmount;
  }
  const { to, atMs, note } = changed;
  const row = await db
    .selectFrom("block_events")
    .innerJoin("blocks", "blocks.id", "block_events.block_id")
    .select("block_events.id")
    .where("blocks.key", "=", key)
    .where("block_events.state", "=", to)
    .where("block_events.at_ms", "=", atMs)
    .where("block_events.note", "=", keptNote(note))
    .executeTakeFirst();
  return row !== undefined;
}
