/** What a run sent, by kind of message. */

/** Messages of one kind: how many, and their bytes as they are handed to the transport. */
export interface Sum {
  readonly count: number;
  readonly bytes: number;
}

/** Adds up messages by name. */
export class Tally {
  readonly #sums = new Map<string, Sum>();

  /** Counts a message of `bytes` bytes. */
  add(name: string, bytes: number): void {
    const { count, bytes: before } = this.of(name);
    this.#sums.set(name, { count: count + 1, bytes: before + bytes });
  }

  /** What was counted under `names` together. */
  of(...names: readonly string[]): Sum {
    return names.reduce(
      (sum, name) => {
        const { count, bytes } = this.#sums.get(name) ?? { count: 0, bytes: 0 };
        return { count: sum.count + count, bytes: sum.bytes + bytes };
      },
      { count: 0, bytes: 0 },
    );
  }

  /** Bytes of all messages. */
  get total(): number {
    return this.of(...this.#sums.keys()).bytes;
  }
}
