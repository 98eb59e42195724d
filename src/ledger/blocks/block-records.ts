/**
 * The ledger's record of every found block. What is found and answered is taken in at once and written in order by one writer behind, with as
 * many attempts as it takes while the database is away: neither a share nor a block ever waits for it. The journals on disk are what makes a
 * block safe; whatever a kill, a full queue or a long outage kept out of the database is taken up from them (`take-up.ts`).
 */
import type { JournalFile } from "../../daemon/journal-file.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import { describe } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { AuxAnswer, FoundAux } from "../../merge/found-aux.ts";
import type { BlockAnswer, FoundBlock } from "../../mining/ports.ts";
import type { LedgerAccess } from "../store/access.ts";
import type { Told } from "./block-row.ts";
import type { BlockWrites } from "./block-writes.ts";
import { CHECK_PACE, type CheckPace } from "./check-pace.ts";
import { auxRecord, auxVerdict, bitcoinRecord, bitcoinVerdict } from "./found-record.ts";
import { type Histories, isRecorded, takeUp } from "./take-up.ts";
import { type BlockNews, writeRecord } from "./write-record.ts";

/** What `BlockRecords` works with. */
export interface BlockRecordsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly ledger: LedgerAccess;
  readonly writes: BlockWrites;
  /** The journals that blocks are taken up from. */
  readonly histories: Histories;
  /** A block was found at `atMs` (wall time); called at once, before it is written. */
  readonly onFound: (atMs: number) => void;
}

/** How blocks are recorded. */
export interface BlockRecordsOptions {
  /** News that may wait for the database; beyond that the oldest are left to the journals. */
  readonly maxWaiting: number;
  /** Pause before another attempt, ms; twice as long each time, up to `mostRetryMs`. */
  readonly retryMs: number;
  readonly mostRetryMs: number;
  /** Ms that a stop waits for the database. */
  readonly stopWaitMs: number;
  /** Ms that a journal waits for the word that its files are recorded. */
  readonly recordedWaitMs: number;
  readonly pace: CheckPace;
}

/** Values for every network. News have some kilobytes, 128 KiB at most. */
export const BLOCK_RECORDS_DEFAULTS: BlockRecordsOptions = {
  maxWaiting: 1000,
  retryMs: 250,
  mostRetryMs: 30_000,
  stopWaitMs: 3_000,
  recordedWaitMs: 5_000,
  pace: CHECK_PACE,
};

/** News that are written in one transaction: a wait for the disk costs the same for one as for many, and on a regtest there are many. */
const TOGETHER = 32;
/** Attempts after which it is looked whether the database is away, or does not take these news alone. */
const TRIES_IN_FRONT = 10;

/** News that wait for the database. */
interface Waiting {
  readonly news: BlockNews;
  tries: number;
}

/** Records found blocks. */
export class BlockRecords implements Part {
  readonly name = "block records";
  readonly #deps: BlockRecordsDeps;
  readonly #options: BlockRecordsOptions;
  readonly #waiting: Waiting[] = [];
  readonly #stop = new AbortController();
  readonly #idleListeners = new Set<() => void>();
  /** Wakes the writer. */
  #wake: (() => void) | undefined;
  #isWriting = false;
  #isStopping = false;
  #isDatabaseAway = false;
  /** Whether news were left to the journals. */
  #isIncomplete = true;
  #isTakingUp = false;
  #failedTakeUps = 0;
  #work: Promise<unknown> = Promise.resolve();

  constructor(deps: BlockRecordsDeps, options: BlockRecordsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** A Bitcoin block was found. Returns at once and never throws. */
  bitcoinFound(block: FoundBlock): void {
    this.#found(block.foundMs);
    this.#take(() => ({ record: bitcoinRecord(block), verdicts: [] }));
  }

  /** A node's answer to a Bitcoin block (`BlockSink.onAnswer`). As `bitcoinFound`. */
  bitcoinAnswered(block: FoundBlock, answer: BlockAnswer): void {
    const atMs = this.#deps.clock.nowMs();
    this.#take(() => ({ record: bitcoinRecord(block), verdicts: [bitcoinVerdict(answer, atMs)] }));
  }

  /** An aux block was found (event `AuxBlockFound`). As `bitcoinFound`. */
  auxFound(found: FoundAux): void {
    this.#found(found.foundMs);
    this.#take(() => ({ record: auxRecord(found), verdicts: [] }));
  }

  /** The final word on an aux block (event `AuxBlockAnswered`). As `bitcoinFound`. */
  auxAnswered({ found, answer }: { readonly found: FoundAux; readonly answer: AuxAnswer }): void {
    this.#take(() => ({ record: auxRecord(found), verdicts: [auxVerdict(answer)] }));
  }

  /** Begins to write, and to take up what the journals have; waits for neither. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#work = this.#serve();
  }

  /** Writes what waits, for `stopWaitMs` at most. What is left over is in the journals and is taken up at the next start. */
  async stop(): Promise<void> {
    const { clock, log } = this.#deps;
    this.#isStopping = true;
    const patience = new AbortController();
    const late = sleep(clock, this.#options.stopWaitMs, patience.signal).catch(() => undefined);
    this.#wake?.();
    await Promise.race([this.#work, late]);
    patience.abort();
    this.#stop.abort(new Error("the block records stop"));
    if (this.#waiting.length > 0) {
      log.warn(
        `${this.#waiting.length} news of found blocks are not in the database; they are taken up at the next start`,
      );
    }
  }

  /** Resolves when all that was taken in until now is written, and what the journals have was taken up; or when `signal` aborts. */
  settled(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!signal.aborted && this.#isBusy) return;
        this.#idleListeners.delete(check);
        signal.removeEventListener("abort", check);
        resolve();
      };
      this.#idleListeners.add(check);
      signal.addEventListener("abort", check, { once: true });
      check();
    });
  }

  /**
   * Which of a journal's finished files the database has with their final word: those the journal may drop. None when the
   * database does not say so within `recordedWaitMs`. Never rejects.
   */
  async recorded(files: readonly JournalFile[]): Promise<readonly JournalFile[]> {
    const { clock, ledger } = this.#deps;
    const patience = new AbortController();
    const late = sleep(clock, this.#options.recordedWaitMs, patience.signal).then(
      () => [],
      () => [],
    );
    const asked = ledger.run((db) => isRecorded(db, files)).catch(() => []);
    const recorded = await Promise.race([asked, late]);
    patience.abort();
    return recorded;
  }

  get #isBusy(): boolean {
    return this.#isWriting || this.#isTakingUp || this.#isIncomplete || this.#waiting.length > 0;
  }

  #found(atMs: number): void {
    try {
      this.#deps.onFound(atMs);
    } catch (error) {
      this.#deps.log.error(`a listener for found blocks failed: ${describe(error)}`, { error });
    }
  }

  #take(make: () => BlockNews): void {
    const { log, meter } = this.#deps;
    let news: BlockNews;
    try {
      news = make();
    } catch (error) {
      log.error(`a found block could not be recorded: ${describe(error)}`, { error });
      return;
    }
    if (this.#waiting.length >= this.#options.maxWaiting) {
      this.#waiting.shift();
      if (!this.#isIncomplete) {
        log.error("news of found blocks are left to the journals: too many wait for the ledger's database");
      }
      this.#isIncomplete = true;
    }
    this.#waiting.push({ news, tries: 0 });
    meter.gauge("ledger_records_waiting", this.#waiting.length);
    this.#wake?.();
  }

  /** Ends when it was told to stop and nothing waits, or at once when the stop was waited for long enough. */
  async #serve(): Promise<void> {
    for (;;) {
      if (this.#stop.signal.aborted) return;
      if (this.#waiting.length > 0) await this.#writeNext();
      else if (this.#isStopping) return;
      else if (this.#isIncomplete) await this.#takeUp();
      else {
        for (const check of [...this.#idleListeners]) check();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }

  async #writeNext(): Promise<void> {
    const { log, meter } = this.#deps;
    const entry = this.#waiting[0];
    if (entry === undefined) return;
    // After a failure one at a time: one that the database does not take must not hold up the others.
    const isTroubled = this.#waiting.findIndex(({ tries }) => tries > 0);
    const some = this.#waiting.slice(0, isTroubled < 0 ? TOGETHER : Math.max(1, Math.min(TOGETHER, isTroubled)));
    this.#isWriting = true;
    try {
      await this.#write(some.map(({ news }) => news));
      // More may have come meanwhile, and pushed some out.
      const written = new Set<Waiting | undefined>(some);
      while (this.#waiting.length > 0 && written.has(this.#waiting[0])) this.#waiting.shift();
      meter.gauge("ledger_records_waiting", this.#waiting.length);
      if (this.#isDatabaseAway) log.info("the ledger's database is back: found blocks are recorded again");
      this.#isDatabaseAway = false;
    } catch (error) {
      entry.tries += 1;
      const isAlone = entry.tries >= TRIES_IN_FRONT && (await this.#isThere());
      if (isAlone) this.#putBack(entry, error);
      else this.#databaseFailed(error);
      await this.#pause(isAlone && this.#waiting.length > 1 ? 1 : entry.tries);
    } finally {
      this.#isWriting = false;
    }
  }

  /** Whether the database answers at all. */
  async #isThere(): Promise<boolean> {
    const asked = this.#deps.ledger.run((db) => db.selectFrom("blocks").select("id").limit(1).execute());
    return await asked.then(
      () => true,
      () => false,
    );
  }

  /** News that the database does not take, for whatever reason, hold up no others. */
  #putBack(entry: Waiting, error: unknown): void {
    if (this.#waiting[0] !== entry) return;
    this.#waiting.shift();
    this.#waiting.push(entry);
    const { key } = entry.news.record;
    const line = `the ledger's database does not take the record of block ${key}: ${describe(error)}`;
    this.#deps.log[entry.tries === TRIES_IN_FRONT ? "error" : "debug"](line, { key, error });
  }

  #databaseFailed(error: unknown): void {
    const { log } = this.#deps;
    const line = `found blocks are not recorded, the ledger's database does not take them: ${describe(error)}`;
    if (this.#isDatabaseAway) log.debug(line, { error });
    else log.error(`${line}. They are in the journals, and tried again`, { error });
    this.#isDatabaseAway = true;
  }

  async #pause(tries: number): Promise<void> {
    const { retryMs, mostRetryMs } = this.#options;
    const pauseMs = Math.min(mostRetryMs, retryMs * 2 ** Math.min(20, tries - 1));
    await sleep(this.#deps.clock, pauseMs, this.#stop.signal).catch(() => undefined);
  }

  #write(some: readonly BlockNews[]): Promise<void> {
    const { clock, writes } = this.#deps;
    const { pace } = this.#options;
    return writes.commit(async (db) => {
      const told: Told[] = [];
      for (const news of some) told.push(...(await writeRecord(db, news, { nowMs: clock.nowMs(), pace })));
      return told;
    });
  }

  async #takeUp(): Promise<void> {
    const { ledger, log, histories } = this.#deps;
    this.#isIncomplete = false;
    this.#isTakingUp = true;
    try {
      const push = (news: BlockNews): void => void this.#waiting.push({ news, tries: 0 });
      await takeUp({ ledger, log, histories, push, drain: () => this.#drain() });
      this.#failedTakeUps = 0;
    } catch (error) {
      this.#isIncomplete = true;
      if (this.#isStopping) return;
      this.#failedTakeUps += 1;
      this.#databaseFailed(error);
      await this.#pause(this.#failedTakeUps);
    } finally {
      this.#isTakingUp = false;
    }
  }

  /** Writes what waits, so that a long history holds up no news and fills no memory; what the database does not take is left behind. Rejects on a stop. */
  async #drain(): Promise<void> {
    const room = this.#options.maxWaiting / 2;
    const isFew = this.#waiting.length < TOGETHER;
    while (!isFew && (this.#waiting.length > room || this.#waiting.some(({ tries }) => tries < TRIES_IN_FRONT))) {
      if (this.#stop.signal.aborted) break;
      await this.#writeNext();
    }
    if (this.#isStopping || this.#stop.signal.aborted) throw new Error("the block records stop");
  }
}
