/** A bound on the bytes that declarations under way hold, over all clients: what each takes is returned at its end, however it ends. */

/** A share of the budget. */
export interface Reservation {
  /** Takes `bytes` more; `false`, and nothing taken, when there is not so much. */
  grow(bytes: number): boolean;
  /** Gives all of it back; once. */
  release(): void;
}

/** The budget. */
export class ByteBudget {
  readonly #limit: number;
  #taken = 0;

  constructor(options: { readonly limit: number }) {
    this.#limit = options.limit;
  }

  /** Bytes that are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** An empty share. */
  reservation(): Reservation {
    let own = 0;
    return {
      grow: (bytes) => {
        if (this.#taken + bytes > this.#limit) return false;
        this.#taken += bytes;
        own += bytes;
        return true;
      },
      release: () => {
        this.#taken -= own;
        own = 0;
      },
    };
  }
}
