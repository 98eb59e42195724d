/**
 * Accepted shares of a channel that the miner was not told of yet (SubmitShares.Success, spec 5.3.13). One message
 * acknowledges a batch: that is where most of SV2's saving in bandwidth comes from.
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

/**
 * Collects accepted shares into batches. `newSharesSum` is a whole number on the wire while a small miner's shares have
 * difficulties below 1: SRI cuts the fraction of each batch off, so such a miner reads 0 for ever. Here the fraction
 * is carried to the next batch, so the sums over time are right.
 */
export class Acknowledgement {
  readonly #options: AcknowledgementOptions;
  #count = 0;
  #sum = 0;
  #lastSequenceNumber = 0;
  #firstMs = 0;

  constructor(_deps: object, options: AcknowledgementOptions) {
    this.#options = options;
  }

  /** Accepted shares that were not acknowledged. */
  get pending(): number {
    return this.#count;
  }

  /** Adds an accepted share. `nowMs`: monotonic time. Returns whether the batch is full. */
  accept(sequenceNumber: number, difficulty: number, nowMs: number): boolean {
    if (this.#count === 0) this.#firstMs = nowMs;
    this.#count += 1;
    this.#sum += difficulty;
    this.#lastSequenceNumber = sequenceNumber;
    return this.#count >= this.#options.batchSize;
  }

  /** Whether shares have waited long enough. `nowMs`: monotonic time. */
  due(nowMs: number): boolean {
    return this.#count > 0 && nowMs - this.#firstMs >= this.#options.maxDelayMs;
  }

  /** The batch, which is empty afterwards; `undefined` when nothing is pending. */
  take(): Acknowledged | undefined {
    if (this.#count === 0) return undefined;
    const whole = Math.floor(this.#sum);
    const taken = {
      lastSequenceNumber: this.#lastSequenceNumber,
      newSubmitsAcceptedCount: this.#count,
      newSharesSum: BigInt.asUintN(64, BigInt(whole)),
    };
    this.#sum -= whole;
    this.#count = 0;
    return taken;
  }
}
