/**
 * Which streams of a peer were seen: a stream that is over must not look new when a late packet names it, and packets come in any
 * order. Bounded by the streams that a peer may have open, since quiche counts those that were passed over as open.
 */

/** Bidirectional streams of the other side, whose IDs go up by four (RFC 9000, 2.1). */
export class StreamIds {
  #next: number | undefined;
  readonly #passedOver = new Set<number>();

  /** Whether `id` was not seen before; from now on it was. */
  isNew(id: number): boolean {
    this.#next ??= id % 4;
    if (id < this.#next) return this.#passedOver.delete(id);
    for (let skipped = this.#next; skipped < id; skipped += 4) this.#passedOver.add(skipped);
    this.#next = id + 4;
    return true;
  }

  /** IDs below the highest that were not seen. */
  get passedOver(): number {
    return this.#passedOver.size;
  }
}
