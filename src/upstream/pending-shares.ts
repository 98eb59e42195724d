/**
 * Shares of one channel that the pool has not answered yet. Every share gets one answer: the pool's, or `null` when there is none.
 *
 * SubmitShares.Success speaks of a batch (spec 5.3.13): the newest share in it and how many were accepted. Where that is as many as wait up to
 * there, all of them are meant. Where it is fewer, a refusal is still on its way or a share got lost, and nobody can tell yet which: those
 * shares stay a batch in doubt until refusals for the difference have come. Such a doubt never reaches into the next batch.
 */
import type { UpstreamAnswer } from "../mining/upstream-ports.ts";

/** Gets a share's answer, once. */
export type OnAnswer = (said: UpstreamAnswer) => void;

/**
 * Shares that were given up (answered with `null`) and whose late answer is still recognised: SRI's pool acknowledges by tens, however long that takes.
 * So many of one channel …
 */
const MAX_GIVEN_UP = 1_024;

/** … and of all channels of a connection together, where each keeps more than a batch: a pool may acknowledge nothing at all. */
const MAX_GIVEN_UP_TOGETHER = 65_536;
const LEAST_GIVEN_UP = 16;

/** For how long, ms after they were sent. */
const FORGET_MS = 3_600_000;

interface Waiting {
  /** `undefined` once it was given up. */
  onAnswer: OnAnswer | undefined;
  readonly sentMs: number;
  /** The batch in doubt that it is part of. */
  batch: Batch | undefined;
}

/** Shares of which the pool accepted some. */
interface Batch {
  readonly members: Set<number>;
  /** How many of them it accepted. */
  accepted: number;
}

/** The table. Answers are given from inside its methods; each share is forgotten before its answer is told. */
export class PendingShares {
  readonly #timeoutMs: number;
  /** Sent and spoken of in no batch, in order of their numbers. */
  readonly #fresh = new Map<number, Waiting>();
  /** Members of batches in doubt, in order of their numbers. */
  readonly #doubtful = new Map<number, Waiting>();
  readonly #batches = new Set<Batch>();
  #size = 0;
  #givenUp = 0;
  /** Shares in no batch that were forgotten since the last one. */
  #forgotten = 0;

  /** `timeoutMs`: a share is given up after this time. */
  constructor(_deps: object, options: { readonly timeoutMs: number }) {
    this.#timeoutMs = options.timeoutMs;
  }

  /** Shares that wait for their answer. */
  get size(): number {
    return this.#size;
  }

  /** Adds the share `sequenceNumber`, u32, one above the last or 0 behind 2^32 - 1. `nowMs`: monotonic time. */
  add(sequenceNumber: number, onAnswer: OnAnswer, nowMs: number): void {
    this.#fresh.set(sequenceNumber, { onAnswer, sentMs: nowMs, batch: undefined });
    this.#size += 1;
  }

  /** Takes a SubmitShares.Success. Returns whether its count can be explained. */
  accept(lastSequenceNumber: number, count: number): boolean {
    const spoken: number[] = [];
    for (const sequenceNumber of this.#fresh.keys()) {
      // Numbers wrap around, so "not after" is a distance of less than half the range.
      if ((lastSequenceNumber - sequenceNumber) >>> 0 >= 0x80000000) break;
      spoken.push(sequenceNumber);
    }
    // Shares that were forgotten may all be among those accepted: what is left is certain of the others.
    const certain = Math.max(0, count - this.#forgotten);
    this.#forgotten = 0;
    if (certain >= spoken.length) {
      for (const sequenceNumber of spoken) this.#answer(this.#fresh, sequenceNumber, undefined);
      return count > 0 && this.#acceptEarlier(certain - spoken.length);
    }
    // The pool names the last one, so that one is accepted for sure.
    const named = this.#fresh.has(lastSequenceNumber);
    if (named) this.#answer(this.#fresh, lastSequenceNumber, undefined);
    const members = new Set(spoken);
    members.delete(lastSequenceNumber);
    const batch: Batch = { members, accepted: Math.max(0, named ? certain - 1 : certain) };
    for (const sequenceNumber of members) this.#move(sequenceNumber, batch);
    this.#batches.add(batch);
    this.#settle(batch);
    return count > 0;
  }

  /** Takes a SubmitShares.Error. `late`: the share was given up before. */
  refuse(sequenceNumber: number, code: string): "answered" | "late" | "unknown" {
    const table = this.#fresh.has(sequenceNumber) ? this.#fresh : this.#doubtful;
    const waiting = table.get(sequenceNumber);
    if (waiting === undefined) return "unknown";
    const found = waiting.onAnswer === undefined ? "late" : "answered";
    this.#answer(table, sequenceNumber, code);
    if (waiting.batch !== undefined) this.#settle(waiting.batch);
    return found;
  }

  /** Gives up what was sent too long ago. `nowMs`: monotonic time. `channels`: of the connection. Returns how many shares that were. */
  expire(nowMs: number, channels = 1): number {
    const most = Math.min(MAX_GIVEN_UP, Math.max(LEAST_GIVEN_UP, Math.floor(MAX_GIVEN_UP_TOGETHER / channels)));
    let expired = 0;
    // Both tables are in order of time, the oldest first.
    for (const table of [this.#doubtful, this.#fresh]) {
      for (const waiting of table.values()) {
        if (nowMs - waiting.sentMs < this.#timeoutMs) break;
        if (waiting.onAnswer !== undefined) expired += this.#giveUp(waiting);
      }
    }
    for (const table of [this.#doubtful, this.#fresh]) {
      for (const [sequenceNumber, { onAnswer, sentMs }] of table) {
        const isOld = nowMs - sentMs >= FORGET_MS || this.#givenUp > most;
        if (onAnswer !== undefined || !isOld) break;
        this.#forget(table, sequenceNumber);
      }
    }
    return expired;
  }

  /** Nothing is answered any more. Returns how many shares still waited. */
  abandon(): number {
    const all = [...this.#doubtful.values(), ...this.#fresh.values()];
    this.#doubtful.clear();
    this.#fresh.clear();
    this.#batches.clear();
    this.#givenUp = 0;
    return all.reduce((sum, waiting) => sum + (waiting.onAnswer === undefined ? 0 : this.#giveUp(waiting)), 0);
  }

  /** The pool accepted `count` more than wait in front of the batch's end: shares of earlier batches then. Returns whether there are so many. */
  #acceptEarlier(count: number): boolean {
    let left = count;
    for (const batch of this.#batches) {
      if (left === 0) return true;
      const taken = Math.min(left, batch.members.size - batch.accepted);
      left -= taken;
      batch.accepted += taken;
      this.#settle(batch);
    }
    return left === 0;
  }

  /** Accepts the members of a batch once nothing is in doubt any more. */
  #settle(batch: Batch): void {
    if (batch.accepted < batch.members.size) return;
    this.#batches.delete(batch);
    for (const sequenceNumber of [...batch.members]) this.#answer(this.#doubtful, sequenceNumber, undefined);
  }

  #move(sequenceNumber: number, batch: Batch): void {
    const waiting = this.#fresh.get(sequenceNumber);
    if (waiting === undefined) return;
    this.#fresh.delete(sequenceNumber);
    waiting.batch = batch;
    this.#doubtful.set(sequenceNumber, waiting);
  }

  #answer(table: Map<number, Waiting>, sequenceNumber: number, said: UpstreamAnswer): void {
    const waiting = table.get(sequenceNumber);
    if (waiting === undefined) return;
    table.delete(sequenceNumber);
    waiting.batch?.members.delete(sequenceNumber);
    const { onAnswer } = waiting;
    if (onAnswer === undefined) {
      this.#givenUp -= 1;
      return;
    }
    this.#size -= 1;
    onAnswer(said);
  }

  #giveUp(waiting: Waiting): 1 {
    const { onAnswer } = waiting;
    waiting.onAnswer = undefined;
    this.#size -= 1;
    this.#givenUp += 1;
    onAnswer?.(null);
    return 1;
  }

  /** Lets go of a share that was given up. It may have been one of those that its batch counts, so nothing is accepted on its account. */
  #forget(table: Map<number, Waiting>, sequenceNumber: number): void {
    const batch = table.get(sequenceNumber)?.batch;
    table.delete(sequenceNumber);
    this.#givenUp -= 1;
    if (batch === undefined) {
      this.#forgotten += 1;
      return;
    }
    batch.members.delete(sequenceNumber);
    batch.accepted = Math.max(0, batch.accepted - 1);
    if (batch.members.size === 0) this.#batches.delete(batch);
  }
}
