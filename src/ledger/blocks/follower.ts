/**
 * Follows found blocks: "accepted" is not "won", so each block's chain is asked again and again until nothing can change any more. Each chain has
 * a lane of its own, with a bound on the questions that are open: one that hangs or is away holds up no other.
 *
 * What is due stands in the database, so a restart needs nothing else; only how long a daemon has not known a block is counted anew.
 */

import { type Clock, sleep, type Timer } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { BlockStatus, SubmittedBlock } from "../../merge/plugin.ts";
import type { LedgerAccess } from "../store/access.ts";
import { BITCOIN } from "../store/schema.ts";
import { auxWorkFromText } from "./aux-work-text.ts";
import type { BlockRow } from "./block-row.ts";
import type { BlockWrites } from "./block-writes.ts";
import { CHECK_PACE, type CheckPace, checkPauseMs } from "./check-pace.ts";

import { writeStatus } from "./write-status.ts";

/** What `BlockFollower` works with. */
export interface BlockFollowerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly ledger: LedgerAccess;
  readonly writes: BlockWrites;
  /** What became of an aux block. Rejects when nobody can say: the chain does not run, its daemons are away. */
  readonly statusOf: (chain: string, block: SubmittedBlock) => Promise<BlockStatus>;
  /** What became of a Bitcoin block, by its hash in display hex; rejects as `statusOf`. */
  readonly bitcoinStatus: (blockHash: string) => Promise<BlockStatus>;
}

/** How blocks are followed. */
export interface BlockFollowerOptions {
  /** Ms between two looks at what is due. */
  readonly everyMs: number;
  /** Questions to one chain that may be open at a time. */
  readonly perChain: number;
  /** Ms after which a question counts as unanswered; longer than the host's own deadline. It stays among the open ones until it ends. */
  readonly statusTimeoutMs: number;
  /** Ms for which a chain rests that gave no answer; twice as long each time, up to `mostRestMs`. */
  readonly restMs: number;
  readonly mostRestMs: number;
  readonly pace: CheckPace;
}

/** Values for main networks. */
export const BLOCK_FOLLOWER_DEFAULTS: BlockFollowerOptions = {
  everyMs: 5_000,
  perChain: 4,
  statusTimeoutMs: 60_000,
  restMs: 15_000,
  mostRestMs: 300_000,
  pace: CHECK_PACE,
};

/** Blocks of a chain that are read at a time. */
const BATCH = 100;
/** Blocks whose time without a daemon that knows them is remembered. */
const MAX_UNKNOWN = 10_000;
/** Questions without an answer, one after the other, after which a chain rests. */
const FAILURES_TO_REST = 3;

/** One chain. */
interface Lane {
  busy: boolean;
  /** Questions that are open, those given up included. */
  open: number;
  failures: number;
  restMs: number;
  /** Monotonic ms. */
  restsUntilMs: number;
  /** Whether its silence was logged. */
  said: boolean;
}

/** The follower. */
export class BlockFollower implements Part {
  readonly name = "block follower";
  readonly #deps: BlockFollowerDeps;
  readonly #options: BlockFollowerOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Monotonic ms since which no daemon knows a block, by its ID. */
  readonly #unknownSinceMs = new Map<number, number>();
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #isDatabaseAway = false;

  constructor(deps: BlockFollowerDeps, options: BlockFollowerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Begins to look at what is due; waits for nothing. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#timer = this.#deps.clock.every(this.#options.everyMs, () => this.#run(this.round()));
    this.#run(this.round());
  }

  /** Asks nothing more and waits for what is being written; questions that are open are left. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stop.abort(new Error("the follower stops"));
    await Promise.allSettled(this.#work);
  }

  /** Looks once at all that is due. Resolves when every chain that was idle has been asked, or rests. Never rejects. */
  async round(): Promise<void> {
    const { clock, ledger, log } = this.#deps;
    if (this.#stop.signal.aborted) return;
    try {
      const nowMs = clock.nowMs();
      const rows = await ledger.run((db) =>
        db.selectFrom("blocks").select("chain").distinct().where("next_check_ms", "<=", nowMs).execute(),
      );
      const visits = await Promise.allSettled(rows.map(({ chain }) => this.#visit(chain)));
      for (const visit of visits) if (visit.status === "rejected") throw visit.reason;
      if (this.#isDatabaseAway) log.info("the ledger's database is back: blocks are followed again");
      this.#isDatabaseAway = false;
    } catch (error) {
      this.#databaseFailed(error);
    }
  }

  async #visit(chain: string): Promise<void> {
    const { clock, ledger } = this.#deps;
    const lane = this.#lane(chain);
    if (lane.busy || clock.monotonicMs() < lane.restsUntilMs) return;
    lane.busy = true;
    try {
      const nowMs = clock.nowMs();
      const due = await ledger.run((db) =>
        db
          .selectFrom("blocks")
          .selectAll()
          .where("chain", "=", chain)
          .where("next_check_ms", "<=", nowMs)
          .orderBy("next_check_ms")
          .limit(BATCH)
          .execute(),
      );
      const queue = due.values();
      const free = Math.max(0, this.#options.perChain - lane.open);
      await Promise.all(Array.from({ length: free }, () => this.#askInTurn(chain, lane, queue)));
    } finally {
      lane.busy = false;
    }
  }

  async #askInTurn(chain: string, lane: Lane, queue: Iterator<BlockRow>): Promise<void> {
    const { clock } = this.#deps;
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      if (this.#stop.signal.aborted || clock.monotonicMs() < lane.restsUntilMs) return;
      if (lane.open >= this.#options.perChain) return;
      await this.#follow(chain, lane, next.value);
    }
  }

  /** One question. Rejects only when the database fails. */
  async #follow(chain: string, lane: Lane, row: BlockRow): Promise<void> {
    const { clock, meter, writes } = this.#deps;
    const { pace } = this.#options;
    let said: BlockStatus;
    try {
      said = await this.#ask(lane, row);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#silent(chain, lane, error);
      // Behind the others, so that a block that nobody can say a word about is not all that is asked for.
      await this.#postpone(row);
      return;
    }
    if (this.#stop.signal.aborted) return;
    this.#answered(chain, lane);
    meter.count("ledger_block_checks_total", 1, { chain, answer: said.state });
    const unknownForMs = this.#unknownFor(row.id, said);
    await writes.commit((db) => writeStatus(db, { blockId: row.id, said, atMs: clock.nowMs(), unknownForMs }, pace));
  }

  async #ask(lane: Lane, row: BlockRow): Promise<BlockStatus> {
    const { clock } = this.#deps;
    const { statusTimeoutMs } = this.#options;
    const over = new AbortController();
    const onStop = (): void => over.abort(this.#stop.signal.reason);
    this.#stop.signal.addEventListener("abort", onStop, { once: true });
    lane.open += 1;
    const asked = this.#question(row).finally(() => {
      lane.open -= 1;
    });
    try {
      const late = sleep(clock, statusTimeoutMs, over.signal).then((): never => {
        throw new Error(`no answer within ${statusTimeoutMs / 1000} s`);
      });
      return await Promise.race([asked, late]);
    } finally {
      over.abort();
      this.#stop.signal.removeEventListener("abort", onStop);
      asked.catch(() => undefined);
    }
  }

  async #question({ chain, aux_work, block_hash, height }: BlockRow): Promise<BlockStatus> {
    if (chain === BITCOIN) return await this.#deps.bitcoinStatus(block_hash);
    const work = aux_work === null ? undefined : auxWorkFromText(aux_work);
    if (work === undefined) throw new Error("its work is not in the ledger, or is no work");
    return await this.#deps.statusOf(chain, { work, blockHash: block_hash, height });
  }

  #unknownFor(id: number, { state }: BlockStatus): number {
    if (state !== "unknown") {
      this.#unknownSinceMs.delete(id);
      return 0;
    }
    const nowMs = this.#deps.clock.monotonicMs();
    const sinceMs = this.#unknownSinceMs.get(id) ?? nowMs;
    if (this.#unknownSinceMs.size >= MAX_UNKNOWN) this.#unknownSinceMs.clear();
    this.#unknownSinceMs.set(id, sinceMs);
    return nowMs - sinceMs;
  }

  async #postpone({ id, found_ms, next_check_ms }: BlockRow): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    const next = nowMs + checkPauseMs(nowMs - found_ms, this.#options.pace);
    await this.#deps.ledger.run((db) =>
      db
        .updateTable("blocks")
        .set({ next_check_ms: next })
        .where("id", "=", id)
        .where("next_check_ms", "=", next_check_ms)
        .execute(),
    );
  }

  #silent(chain: string, lane: Lane, error: unknown): void {
    const { clock, log, meter } = this.#deps;
    meter.count("ledger_block_checks_total", 1, { chain, answer: "none" });
    lane.failures += 1;
    const isResting = error instanceof Fault && RESTING.has(error.code);
    if (!isResting && lane.failures < FAILURES_TO_REST) return;
    lane.restsUntilMs = clock.monotonicMs() + lane.restMs;
    lane.restMs = Math.min(2 * lane.restMs, this.#options.mostRestMs);
    // A chain that the operator stopped is no trouble.
    if (isResting || lane.said) return;
    lane.said = true;
    log.warn(`${chain}: nobody can say what became of its blocks; they are asked for again: ${describe(error)}`, {
      chain,
      error,
    });
  }

  #answered(chain: string, lane: Lane): void {
    if (lane.said) this.#deps.log.info(`${chain}: it answers again, its blocks are followed`, { chain });
    lane.said = false;
    lane.failures = 0;
    lane.restMs = this.#options.restMs;
  }

  #databaseFailed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const { log } = this.#deps;
    const line = `blocks are not followed: the ledger's database does not take it: ${describe(error)}`;
    if (this.#isDatabaseAway) log.debug(line, { error });
    else log.warn(`${line}; tried again every ${this.#options.everyMs / 1000} s`, { error });
    this.#isDatabaseAway = true;
  }

  #lane(chain: string): Lane {
    let lane = this.#lanes.get(chain);
    if (lane === undefined) {
      lane = { busy: false, open: 0, failures: 0, restMs: this.#options.restMs, restsUntilMs: 0, said: false };
      this.#lanes.set(chain, lane);
    }
    return lane;
  }

  #run(work: Promise<void>): void {
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }
}

/** What the host says of a chain that does not run. */
const RESTING: ReadonlySet<string> = new Set(["chain-not-running", "chain-unknown"]);
