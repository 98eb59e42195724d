/** What a run sent, by kind of message. */

/** Messages of one kind: how many, and their bytes as they are handed to the transport. */
export interface Sum {
  readonly count: number;
  readonly bytes: number;
}

/** Adds up messages by name. */
export class Tally {
  readonly #sums: Record<string, Sum> = {};

  /** Counts a message of `bytes` bytes. */
  add(name: string, bytes: number): void {
    const before = this.#sums[name] ?? { count: 0, bytes: 0 };
    this.#sums[name] = { count: before.count + 1, bytes: before.bytes + bytes };
  }

  /** All kinds. */
  get messages(): Readonly<Record<string, Sum>> {
    return this.#sums;
  }
}
