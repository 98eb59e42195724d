/**
 * The shares that a channel was credited for on the current previous block, so that none is credited twice. Header hashes
 * of accepted shares are kept by their lowest 64 bits, which no target constrains: among 65,536 shares two different ones
 * look the same once in 2^33 cases, and then the miner loses that one share.
 */

/** What `add` found. */
export type DuplicateVerdict = "new" | "duplicate" | "full";

/** Slots of the smallest table; 8 bytes each. */
const LEAST_SLOTS = 32;

/**
 * A set of share hashes in one flat array (open addressing, at most three quarters full), which grows with its content
 * up to `capacity` shares. At the bound a new share is refused ("full") instead of forgetting the oldest, because what is
 * forgotten could be sent again for a second credit. An honest miner does not get there: vardiff is off by a factor of
 * thousands when 65,536 shares come between two blocks.
 */
export class DuplicateShares {
  readonly #capacity: number;
  #slots = new Uint32Array(2 * LEAST_SLOTS);
  #size = 0;

  /** `capacity`: shares that are kept at most. */
  constructor(_deps: object, options: { readonly capacity: number }) {
    this.#capacity = options.capacity;
  }

  /** Shares that are kept. */
  get size(): number {
    return this.#size;
  }

  /** Memory of the table in bytes: at most 8 * 2^ceil(log2(capacity / 0.75)). */
  get bytes(): number {
    return this.#slots.byteLength;
  }

  /** Keeps `hash`, `Uint8Array(32)` in internal byte order, unless it is known or there is no room. */
  add(hash: Uint8Array): DuplicateVerdict {
    const low = word(hash, 0);
    // 0 and 0 marks an empty slot.
    const high = word(hash, 4) || 1;
    let at = this.#find(low, high);
    if (this.#slots[at + 1] !== 0) return "duplicate";
    if (this.#size >= this.#capacity) return "full";
    if ((this.#size + 1) * 8 > this.#slots.length * 3) {
      this.#grow();
      at = this.#find(low, high);
    }
    this.#slots[at] = low;
    this.#slots[at + 1] = high;
    this.#size += 1;
    return "new";
  }

  /** Forgets everything: shares of an older previous block are refused as stale anyhow. Gives the memory back. */
  clear(): void {
    if (this.#size === 0) return;
    this.#size = 0;
    if (this.#slots.length > 2 * LEAST_SLOTS) this.#slots = new Uint32Array(2 * LEAST_SLOTS);
    else this.#slots.fill(0);
  }

  /** Where the key is, or the empty slot where it belongs. */
  #find(low: number, high: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = (low << 1) & mask;
    while (slots[at + 1] !== 0 && (slots[at] !== low || slots[at + 1] !== high)) at = (at + 2) & mask;
    return at;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    for (let i = 0; i < old.length; i += 2) {
      const high = old[i + 1] as number;
      if (high === 0) continue;
      const low = old[i] as number;
      const at = this.#find(low, high);
      this.#slots[at] = low;
      this.#slots[at + 1] = high;
    }
  }
}

/** Four bytes of `hash` as a number; `Uint32Array` takes it modulo 2^32. */
function word(hash: Uint8Array, at: number): number {
  return (
    ((hash[at] as number) |
      ((hash[at + 1] as number) << 8) |
      ((hash[at + 2] as number) << 16) |
      ((hash[at + 3] as number) << 24)) >>>
    0
  );
}
