/**
 * Accepted shares of a channel that the miner was not told of yet (SubmitShares.Success, spec 5.3.13). One message
 * acknowledges a batch: that is where most of SV2's saving in bandwidth comes from.
 *
 * A client may take a Success for everything up to its sequence number that was not refused; a proxy credits its own miners by it. So a share that
 * another pool is asked about keeps its place: what was accepted behind it is acknowledged after it is settled, never before.
 */

/** The fields of a SubmitShares.Success besides the channel id. */
export interface Acknowledged {
  /** Sequence number of the newest accepted share. */
  readonly lastSequenceNumber: number;
  /** Shares accepted since the last acknowledgement. */
  readonly newSubmitsAcceptedCount: number;
  /** Sum of their difficulties, rounded down; what was cut off counts towards the next one. */
  readonly newSharesSum: bigint;
}

/** Options of `Acknowledgement`. */
export interface AcknowledgementOptions {
  /** A batch is due with this many shares. */
  readonly batchSize: number;
  /** A batch is due when its first share is this old, in ms. */
  readonly maxDelayMs: number;
}

/** Accepted shares, added up. */
interface Batch {
  count: number;
  sum: number;
  lastSequenceNumber: number;
  firstMs: number;
}

/** The place of a share that is not settled yet. */
export interface AwaitedShare {
  readonly sequenceNumber: number;
  /** What it counts if it is accepted. */
  readonly difficulty: number;
}

/** A place with what came of it, and what was accepted behind it and before the next place. */
interface Place extends AwaitedShare {
  accepted: boolean | undefined;
  settledMs: number;
  readonly behind: Batch;
}

const emptyBatch = (): Batch => ({ count: 0, sum: 0, lastSequenceNumber: 0, firstMs: 0 });

/**
 * Collects accepted shares into batches. `newSharesSum` is a whole number on the wire while a small miner's shares have
 * difficulties below 1: SRI cuts the fraction of each batch off, so such a miner reads 0 for ever. Here the fraction
 * is carried to the next batch, so the sums over time are right.
 */
export class Acknowledgement {
  readonly #options: AcknowledgementOptions;
  /** What may be acknowledged. */
  readonly #ready = emptyBatch();
  /** Shares that are not settled, the oldest first, and those behind it. As many at most as whoever settles them takes. */
  readonly #places: Place[] = [];
  /** The oldest of them; those before it are settled, and leave in bulk: a pool that is lost settles thousands at once. */
  #first = 0;

  constructor(_deps: object, options: AcknowledgementOptions) {
    this.#options = options;
  }

  /** Accepted shares that were not acknowledged and may be. */
  get pending(): number {
    return this.#ready.count;
  }

  /** Shares that are not settled, or that were settled behind one that is not. */
  get awaited(): number {
    return this.#places.length - this.#first;
  }

  /** Adds an accepted share. `nowMs`: monotonic time. Returns whether the batch is full. */
  accept(sequenceNumber: number, difficulty: number, nowMs: number): boolean {
    const ready = this.#ready;
    const last = this.#places[this.#places.length - 1];
    add(last === undefined ? ready : last.behind, 1, difficulty, sequenceNumber, nowMs);
    return ready.count >= this.#options.batchSize;
  }

  /** Keeps the place of a share that is to be settled later. */
  await(sequenceNumber: number, difficulty: number): AwaitedShare {
    const place: Place = { sequenceNumber, difficulty, accepted: undefined, settledMs: 0, behind: emptyBatch() };
    this.#places.push(place);
    return place;
  }

  /**
   * A share was accepted or refused after all. `nowMs`: monotonic time. Returns whether the batch is full. A refusal has to be told before: what was
   * accepted behind the share may be acknowledged from now on.
   */
  settle(share: AwaitedShare, accepted: boolean, nowMs: number): boolean {
    const settled = share as Place;
    settled.accepted = accepted;
    settled.settledMs = nowMs;
    for (let place = this.#places[this.#first]; place?.accepted !== undefined; place = this.#places[this.#first]) {
      this.#first += 1;
      const { difficulty, sequenceNumber, settledMs, behind } = place;
      if (place.accepted) add(this.#ready, 1, difficulty, sequenceNumber, settledMs);
      if (behind.count > 0) add(this.#ready, behind.count, behind.sum, behind.lastSequenceNumber, behind.firstMs);
    }
    if (this.#first > 0 && 2 * this.#first >= this.#places.length) {
      this.#places.splice(0, this.#first);
      this.#first = 0;
    }
    return this.#ready.count >= this.#options.batchSize;
  }

  /** Whether shares have waited long enough. `nowMs`: monotonic time. */
  due(nowMs: number): boolean {
    return this.#ready.count > 0 && nowMs - this.#ready.firstMs >= this.#options.maxDelayMs;
  }

  /** The batch, which is empty afterwards; `undefined` when nothing is pending. */
  take(): Acknowledged | undefined {
    const ready = this.#ready;
    if (ready.count === 0) return undefined;
    const whole = Math.floor(ready.sum);
    const taken = {
      lastSequenceNumber: ready.lastSequenceNumber,
      newSubmitsAcceptedCount: ready.count,
      newSharesSum: BigInt.asUintN(64, BigInt(whole)),
    };
    ready.sum -= whole;
    ready.count = 0;
    return taken;
  }
}

/** The batch's last sequence number is that of the share that came last, whatever numbers the client gives. */
function add(batch: Batch, count: number, sum: number, lastSequenceNumber: number, firstMs: number): void {
  if (batch.count === 0 || firstMs < batch.firstMs) batch.firstMs = firstMs;
  batch.count += count;
  batch.sum += sum;
  batch.lastSequenceNumber = lastSequenceNumber;
}
