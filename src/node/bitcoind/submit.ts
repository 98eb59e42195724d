/**
 * Found blocks on their way to the nodes: written down first, sent to all nodes at once, and sent again to each until it
 * gave its last word. What a stop or a crash left undone is taken up at the next start.
 */

import type { Rpc } from "../../daemon/rpc.ts";
import { equal, toDisplayHex } from "../../kernel/bytes.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { BlockAnswer, BlockSink, FoundBlock } from "../../mining/ports.ts";
import { blockPlace, submitAnswer } from "./answers.ts";
import { type BlockJournal, blockHex, type RecordedAnswer } from "./journal.ts";
import { readSubmitError, readSubmitResult, type SubmitReading } from "./submit-answer.ts";

/** What `BitcoindBlockSink` needs. */
export interface BlockSinkDeps {
  /** Every node that blocks are submitted to. Their connections stay the caller's to close. */
  readonly nodes: readonly Rpc[];
  readonly journal: BlockJournal;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Told of each block once it is written down, before any node is: a template's provider takes its solution. Must not throw. */
  readonly solution?: (block: FoundBlock) => void;
  /** The whole block of a solution whose transactions only its source has; `undefined` when that does not have them any more. Must not reject. */
  readonly complete?: (block: FoundBlock) => Promise<Uint8Array | undefined>;
}

/** How blocks are submitted. The defaults stand in `BLOCK_SINK_DEFAULTS`. */
export interface BlockSinkOptions {
  readonly name: string;
  /** Deadline of one `submitblock`, ms: the node checks the whole block before it answers. */
  readonly submitTimeoutMs: number;
  /** Ms for which a node is asked again that lacks the previous block. */
  readonly parentWaitMs: number;
  /** Ms that an accepted block waits for the nodes that have not answered. */
  readonly othersWaitMs: number;
  /** Ms that a submission waits for the journal: a disk that hangs must not cost the block. */
  readonly journalWaitMs: number;
  /** Blocks that may wait for answers at a time. */
  readonly maxPending: number;
}

/** Values for every network. */
export const BLOCK_SINK_DEFAULTS: BlockSinkOptions = {
  name: "block submission",
  submitTimeoutMs: 60_000,
  parentWaitMs: 600_000,
  othersWaitMs: 600_000,
  journalWaitMs: 1_000,
  maxPending: 64,
};

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;
/** Submissions to one node at a time; more would fill its work queue. */
const MAX_CALLS_PER_NODE = 4;

/** A block that waits for answers. */
interface Pending {
  block: FoundBlock;
  readonly shown: string;
  readonly answers: RecordedAnswer[];
  /** Aborts when the entry is over. */
  readonly over: AbortController;
  /** Monotonic ms of the first answer that counts as accepted. */
  acceptedMs: number | undefined;
}

/** Submits found blocks to Bitcoin Core nodes. */
export class BitcoindBlockSink implements BlockSink, Part {
  readonly name: string;
  readonly #deps: BlockSinkDeps;
  readonly #options: BlockSinkOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #listeners = new Set<(block: FoundBlock, answer: BlockAnswer) => void>();
  readonly #drainListeners = new Set<() => void>();
  readonly #work = new Set<Promise<void>>();
  readonly #lanes: ReadonlyMap<Rpc, Lane>;

  constructor(deps: BlockSinkDeps, options: BlockSinkOptions) {
    this.#deps = deps;
    this.#options = options;
    this.name = options.name;
    this.#lanes = new Map(deps.nodes.map((rpc) => [rpc, new Lane(MAX_CALLS_PER_NODE)]));
  }

  /** Takes up what the journal holds unfinished. Throws `Fault("node-journal-folder")` when its folder cannot be used. */
  async start(_signal: AbortSignal): Promise<void> {
    const { journal, log } = this.#deps;
    const { unfinished, broken } = await journal.open();
    for (const fault of broken) log.error(`${describe(fault)}. ${fault.help}`, { error: fault });
    for (const { block, answers } of unfinished) {
      const entry = this.#enter(block, answers);
      if (entry === undefined) continue;
      log.warn(`block ${entry.shown} was found before the last stop and is submitted now`, { height: block.height });
      this.#run(this.#deliverToAll(entry));
    }
  }

  /** Gives up what is under way; it is in the journal and is taken up at the next start. */
  async stop(): Promise<void> {
    for (const { over } of this.#pending.values()) over.abort(STOPPED);
    await Promise.allSettled(this.#work);
    this.#pending.clear();
    this.#checkDrained();
  }

  submit(block: FoundBlock): void {
    const { log } = this.#deps;
    const entry = this.#enter(block, []);
    if (entry === undefined) return;
    // On its way first: nothing that this process does for people may come between a block and the disk.
    this.#run(this.#persistAndDeliver(entry));
    log.info(`block ${entry.shown} found at height ${block.height} by ${JSON.stringify(block.userIdentity)}`, {
      height: block.height,
      hash: entry.shown,
      reward: block.reward,
    });
  }

  onAnswer(listener: (block: FoundBlock, answer: BlockAnswer) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  drained(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        // For a block that somebody else submits there is nothing left to do here.
        const isOurs = ({ answers, block }: Pending): boolean => answers.length === 0 && block.block !== undefined;
        if (!signal.aborted && [...this.#pending.values()].some(isOurs)) return;
        this.#drainListeners.delete(check);
        signal.removeEventListener("abort", check);
        resolve();
      };
      this.#drainListeners.add(check);
      signal.addEventListener("abort", check, { once: true });
      check();
    });
  }

  /** A new entry, or `undefined` when the block is under way already or there is no room for it. */
  #enter(block: FoundBlock, answers: readonly RecordedAnswer[]): Pending | undefined {
    const { log } = this.#deps;
    const shown = toDisplayHex(block.hash);
    if (this.#pending.has(shown)) return undefined;
    if (this.#pending.size >= this.#options.maxPending) {
      const leaving = this.#leastNeeded(block);
      if (leaving === undefined) {
        // Only a network without difficulty gets here: so many blocks on one parent, of which one at most can win.
        log.error(`block ${shown} is not submitted: ${this.#pending.size} others wait for an answer already`);
        return undefined;
      }
      leaving.over.abort(NO_ROOM);
    }
    const entry: Pending = { block, shown, answers: [...answers], over: new AbortController(), acceptedMs: undefined };
    this.#pending.set(shown, entry);
    return entry;
  }

  /**
   * The entry that makes room for `block`: one that a node accepted, else one that any node answered, else one on another
   * parent, which waits in the journal for the next start.
   */
  #leastNeeded(block: FoundBlock): Pending | undefined {
    const waiting = [...this.#pending.values()].filter(({ over }) => !over.signal.aborted);
    return (
      waiting.find(({ acceptedMs }) => acceptedMs !== undefined) ??
      waiting.find(({ answers }) => answers.length > 0) ??
      waiting.find((other) => !equal(other.block.prevHash, block.prevHash))
    );
  }

  async #persistAndDeliver(entry: Pending): Promise<void> {
    const { journal, clock, log } = this.#deps;
    const written = journal.write({ block: entry.block, answers: [] }).catch((error: unknown) => {
      const fault = error instanceof Fault ? error : new Fault("node-journal", {}, { cause: error });
      log.error(`block ${entry.shown}: ${describe(fault)}. ${fault.help}`, { error: fault });
    });
    const patience = new AbortController();
    const waited = sleep(clock, this.#options.journalWaitMs, patience.signal).then(
      () =>
        log.error(`block ${entry.shown}: the journal's disk hangs; the block is submitted before it is written down`),
      () => undefined,
    );
    await Promise.race([written, waited]);
    patience.abort();
    await this.#deliverToAll(entry);
    await written;
  }

  /** Resolves when every node has answered, or the entry is over. */
  async #deliverToAll(entry: Pending): Promise<void> {
    const { nodes, journal, log, solution, complete } = this.#deps;
    const { answers, over } = entry;
    solution?.(entry.block);
    if (entry.block.block === undefined && complete !== undefined) {
      const whole = await complete(entry.block);
      if (whole !== undefined) entry.block = { ...entry.block, block: whole };
    }
    const { block } = entry;
    const missing = nodes.filter(({ name }) => !answers.some(({ node }) => node === name));
    if (block.block === undefined) {
      await Promise.all(missing.map((rpc) => this.#watch(entry, rpc)));
    } else {
      const text = blockHex(block.block);
      await Promise.all(missing.map((rpc) => this.#deliver(entry, rpc, text)));
    }
    if (over.signal.reason === STOPPED) return;
    this.#pending.delete(entry.shown);
    this.#checkDrained();
    if (answers.length === 0) return;
    try {
      await journal.finish({ block, answers });
    } catch (error) {
      log.error(`block ${entry.shown}: ${describe(error)}`, { error });
    }
  }

  /** A block that only somebody else can submit: waits until the node has heard of it. */
  async #watch(entry: Pending, rpc: Rpc): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = entry.over;
    const { submitTimeoutMs: timeoutMs, parentWaitMs } = this.#options;
    const startedMs = clock.monotonicMs();
    for (let pauseMs = FIRST_RETRY_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS)) {
      const place = await rpc
        .call("getblockheader", [entry.shown], blockPlace, { signal, timeoutMs })
        .catch(() => undefined);
      if (signal.aborted) return;
      if (place !== undefined) {
        const isBest = place.confirmations > 0;
        const reason = isBest ? "" : "the node has it beside its best chain";
        return this.#answered(entry, { node: rpc.name, verdict: isBest ? "accepted" : "stale", reason });
      }
      if (clock.monotonicMs() - startedMs >= parentWaitMs) {
        const reason = "the node never heard of it, and its transactions are not known here";
        return this.#answered(entry, { node: rpc.name, verdict: "stale", reason });
      }
      await sleep(clock, pauseMs, signal).catch(() => undefined);
    }
  }

  /** Submits to one node until it gave its last word. */
  async #deliver(entry: Pending, rpc: Rpc, text: string): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = entry.over;
    const startedMs = clock.monotonicMs();
    let retryMs = FIRST_RETRY_MS;
    let said: string | undefined;
    while (!signal.aborted) {
      const reading = await this.#call(rpc, text, signal);
      if (signal.aborted) break;
      if (reading.kind === "verdict") return this.#answered(entry, { node: rpc.name, ...reading });
      const waitedMs = clock.monotonicMs() - startedMs;
      if (reading.kind === "wait" && waitedMs >= this.#options.parentWaitMs) {
        return this.#answered(entry, { node: rpc.name, verdict: reading.otherwise, reason: reading.reason });
      }
      const trouble = reading.kind === "wait" ? `it says ${reading.reason}` : describe(reading.error);
      if (trouble !== said) log.warn(`block ${entry.shown}: node ${rpc.name} has not taken it yet: ${trouble}`);
      said = trouble;
      await sleep(clock, retryMs, signal).catch(() => undefined);
      retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      const { acceptedMs } = entry;
      if (acceptedMs !== undefined && clock.monotonicMs() - acceptedMs >= this.#options.othersWaitMs) break;
    }
    if (signal.reason === STOPPED) return;
    const rest =
      entry.answers.length > 0 ? "others did" : "newer blocks need the room; it is tried again at the next start";
    log.warn(`block ${entry.shown}: node ${rpc.name} gave no answer; ${rest}`);
  }

  async #call(rpc: Rpc, text: string, signal: AbortSignal): Promise<SubmitReading> {
    const lane = this.#lanes.get(rpc);
    await lane?.enter();
    try {
      signal.throwIfAborted();
      const limits = { signal, timeoutMs: this.#options.submitTimeoutMs };
      return readSubmitResult(await rpc.call("submitblock", [text], submitAnswer, limits));
    } catch (error) {
      return readSubmitError(error);
    } finally {
      lane?.leave();
    }
  }

  #answered(entry: Pending, { node, verdict, reason }: BlockAnswer): void {
    const { clock, log, meter } = this.#deps;
    const answer: BlockAnswer = { node, verdict, reason };
    entry.answers.push({ ...answer, atMs: clock.nowMs() });
    if (verdict === "accepted" || verdict === "duplicate") entry.acceptedMs ??= clock.monotonicMs();
    meter.count("blocks_submitted_total", 1, { answer: verdict });
    const fields = { height: entry.block.height, hash: entry.shown, node, verdict, reason };
    const line = `block ${entry.shown} at height ${entry.block.height}`;
    if (verdict === "rejected") log.error(`${line} was REFUSED by node ${node}: ${reason}`, fields);
    else if (verdict === "stale") log.warn(`${line} came too late for node ${node}: ${reason}`, fields);
    else if (verdict === "duplicate") log.info(`${line} was known to node ${node} already`, fields);
    else log.info(`${line} was accepted by node ${node}`, fields);
    for (const listener of this.#listeners) {
      try {
        listener(entry.block, answer);
      } catch (error) {
        log.error(`a listener for block answers failed: ${describe(error)}`, { error });
      }
    }
    this.#checkDrained();
  }

  #checkDrained(): void {
    for (const check of [...this.#drainListeners]) check();
  }

  #run(work: Promise<void>): void {
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }
}

const STOPPED = new Error("the program is stopping");
const NO_ROOM = new Error("newer blocks need the room");

/** Lets a number of callers through at a time, in order. */
class Lane {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(size: number) {
    this.#free = size;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
