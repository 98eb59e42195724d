/**
 * Divides rewards: looks every few seconds for blocks whose books owe something (`next-step.ts`), works out the parts and writes them. Nothing is kept
 * in memory from one pass to the next but a place to go on at, so it may be killed at any instant and run in several processes at once:
 * what a step was prepared from is looked at again in the transaction that writes it, and each transaction's key is unique.
 */
import type { Clock, Timer } from "../../kernel/clock.ts";
import { describe, Fault, type FaultCode } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { LedgerAccess } from "../store/access.ts";
import type { LedgerDb } from "../store/schema.ts";
import { type BlockBooks, readBlockBooks } from "./block-books.ts";
import { type CandidatePage, chainsWithConfirmed, dividedBlocks, dueBlocks, orphansToReverse } from "./candidates.ts";
import { type Entries, entriesOf, writeStep } from "./entries.ts";
import { nextStep, type Step } from "./next-step.ts";
import type { RewardRules } from "./reward-rules.ts";
import { partsOf } from "./round.ts";
import { WINDOW_DEFAULTS, type WindowOptions } from "./window.ts";

/** Something was done about a block's reward. */
export interface RewardStep {
  readonly step: Step;
  readonly chain: string;
  readonly blockId: number;
  readonly key: string;
  readonly blockHash: string;
  readonly height: number;
  /** User identity of the finder. */
  readonly finder: string;
  /** Whether the block came from `mature` to `distributed` with it. */
  readonly isDone: boolean;
  /** What was divided, or taken back, in the chain's base unit, with what the coinbase paid; the standing amount for `finish`. */
  readonly amount: bigint;
  /** Accounts that have a part in it; 0 when no new parts were worked out. */
  readonly accounts: number;
  readonly atMs: number;
}

/** What `Distribution` works with. */
export interface DistributionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly ledger: LedgerAccess;
  /** The rules of a chain, also of one that is not configured any more but has blocks. */
  readonly rules: (chain: string) => RewardRules;
  /** Writes down the credit that is still in memory. */
  readonly beforeRead: () => Promise<void>;
  /** Told once a step is on the disk. Must not throw. */
  readonly onDistributed: (step: RewardStep) => void;
}

/** Options of `Distribution`. */
export interface DistributionOptions {
  /** Ms between two looks at the blocks. */
  readonly everyMs: number;
  /** Blocks that are read at once; as many of those that were divided before are looked at in each pass. */
  readonly batch: number;
  readonly window: WindowOptions;
}

/** What holds unless the operator says otherwise. */
export const DISTRIBUTION_DEFAULTS: DistributionOptions = { everyMs: 10_000, batch: 200, window: WINDOW_DEFAULTS };

/** Blocks that the log has spoken of and that are not spoken of again: more at once fail for one reason. */
const MAX_SAID = 1000;

/** The part of the program that divides rewards. */
export class Distribution implements Part {
  readonly name = "distribution";
  readonly #deps: DistributionDeps;
  readonly #options: DistributionOptions;
  #timer: Timer | undefined;
  #pass: Promise<number> | undefined;
  #stopped = false;
  #flushed = false;
  /** Where the look at blocks that were divided goes on: a transaction's id. */
  #checkedTo = 0;
  /** What kept the last pass from its end, as the log said it. */
  #saidAway: string | undefined;
  /** What is wrong with blocks whose books cannot be written, as the log said it; by the block's id. */
  readonly #saidOf = new Map<number, string>();

  constructor(deps: DistributionDeps, options: DistributionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    this.#timer = this.#deps.clock.every(this.#options.everyMs, () => this.wake());
    this.wake();
  }

  /** Resolves once the step under way is written or given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#pass?.catch(() => undefined);
  }

  /** Looks at the blocks now, e.g. since one became mature; not while it looks. What keeps it from them is said once. */
  wake(): void {
    if (this.#pass !== undefined) return;
    this.pass().catch((error: unknown) => {
      const reason = reasonOf(error);
      const level = this.#saidAway === reason ? "debug" : "warn";
      this.#saidAway = reason;
      this.#deps.log[level](`rewards wait to be divided: ${describe(error)}`, { error });
    });
  }

  /**
   * Looks at all blocks that are due and resolves with the number of steps that were written; one that runs already is waited for. A block whose
   * books cannot be written is logged and holds up no other. Rejects with `Fault` `ledger-*` when the ledger is away.
   */
  pass(): Promise<number> {
    this.#pass ??= this.#run().finally(() => {
      this.#pass = undefined;
    });
    return this.#pass;
  }

  async #run(): Promise<number> {
    const { ledger, rules } = this.#deps;
    const { batch } = this.#options;
    const chains = (await ledger.run(chainsWithConfirmed)).filter((chain) => rules(chain).distributeAt === "confirmed");
    let written = await this.#all((db, after) => orphansToReverse(db, after, batch));
    written += await this.#all((db, after) => dueBlocks(db, chains, after, batch));
    // Amounts that were corrected after they were divided: rare, so a part of the blocks in each pass is enough.
    const page = await ledger.run((db) => dividedBlocks(db, this.#checkedTo, batch));
    this.#checkedTo = page.after ?? 0;
    written += await this.#steps(page.blockIds);
    this.#saidAway = undefined;
    return written;
  }

  async #all(read: (db: LedgerDb, after: number) => Promise<CandidatePage>): Promise<number> {
    let written = 0;
    for (let after: number | undefined = 0; after !== undefined && !this.#stopped; ) {
      const from: number = after;
      const page = await this.#deps.ledger.run((db) => read(db, from));
      written += await this.#steps(page.blockIds);
      after = page.after;
    }
    return written;
  }

  async #steps(blockIds: readonly number[]): Promise<number> {
    const { ledger, rules } = this.#deps;
    let written = 0;
    // A long pass comes to blocks that were found after it began: their work is to be written down too.
    this.#flushed = false;
    for (const books of await ledger.run((db) => readBlockBooks(db, blockIds))) {
      if (this.#stopped) break;
      const { block } = books;
      try {
        const step = nextStep(books, rules(block.chain));
        if (step !== undefined && (await this.#step(step, books))) written += 1;
        this.#saidOf.delete(block.id);
      } catch (error) {
        if (error instanceof Fault && isAway(error.code)) throw error;
        this.#tellOf(block, error);
      }
    }
    return written;
  }

  /** Says once what is wrong with a block: it is tried again in every pass. */
  #tellOf({ id, chain, blockHash }: BlockBooks["block"], error: unknown): void {
    const reason = reasonOf(error);
    const level = this.#saidOf.get(id) === reason ? "debug" : "error";
    this.#saidOf.set(id, reason);
    const [oldest] = this.#saidOf.keys();
    if (this.#saidOf.size > MAX_SAID && oldest !== undefined) this.#saidOf.delete(oldest);
    const facts = { chain, block: blockHash, error };
    this.#deps.log[level](`the reward of a block could not be divided: ${describe(error)}`, facts);
  }

  async #step(step: Step, books: BlockBooks): Promise<boolean> {
    const { clock, ledger, log, meter, onDistributed, rules } = this.#deps;
    const { block } = books;
    const chosen = rules(block.chain);
    const entries = step === "distribute" || step === "correct" ? await this.#entries(books, chosen) : undefined;
    const atMs = Math.round(clock.nowMs());
    const written = await ledger.transaction((db) => writeStep(db, { step, books, entries, atMs }, chosen));
    if (written === undefined) return false;
    const { isDone } = written;
    const { id: blockId, chain, key, blockHash, height, finder } = block;
    const amount = entries === undefined ? (books.standing ?? 0n) : (block.actual ?? 0n) + block.finderPaid;
    const accounts = entries === undefined || "again" in entries ? 0 : entries.distribution.length - 1;
    meter.count("ledger_rewards_total", 1, { chain, step });
    log.info(IN_WORDS[step], { chain, height, block: blockHash, amount: String(amount), accounts });
    onDistributed({ step, chain, blockId, key, blockHash, height, finder, isDone, amount, accounts, atMs });
    return true;
  }

  /** An orphan that came back is divided as before, to the unit, whatever the ledger or the rules say by now. */
  async #entries(books: BlockBooks, rules: RewardRules): Promise<Entries> {
    const { beforeRead, ledger } = this.#deps;
    const { block, lastTotal } = books;
    if (lastTotal !== undefined && lastTotal === (block.actual ?? 0n) + block.finderPaid) return { again: true };
    if (!this.#flushed) await beforeRead();
    this.#flushed = true;
    const parts = await partsOf((work) => ledger.run(work), books, rules, this.#options.window);
    return await ledger.transaction((db) => entriesOf(db, books, parts));
  }
}

/** Whether the ledger would refuse the next block as well. A statement that it refused, or a conflict, is this block's. */
function isAway(code: FaultCode): boolean {
  return code.startsWith("ledger-") && code !== "ledger-failed" && code !== "ledger-conflict";
}

/** What went wrong, the same however often and with whatever facts it does. */
function reasonOf(error: unknown): string {
  return error instanceof Fault ? error.code : describe(error);
}

const IN_WORDS: Readonly<Record<Step, string>> = {
  distribute: "divided a block's reward",
  correct: "divided a block's reward anew: its chain pays another amount",
  reverse: "took back the division of a block's reward: it is an orphan",
  finish: "a block that was divided is mature",
};
