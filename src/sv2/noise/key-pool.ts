/**
 * Ephemeral keys made while there is nothing else to do: a key costs as much as the rest of a handshake, and when a
 * thousand miners reconnect at once only the rest is left to pay.
 */
import type { Random } from "../../kernel/random.ts";
import type { NoiseCrypto } from "./crypto.ts";
import type { EllswiftKey } from "./curve.ts";

/** A bounded stock of key pairs, each given out once. */
export class EphemeralKeyPool {
  readonly #deps: { readonly crypto: NoiseCrypto; readonly random: Random };
  readonly #capacity: number;
  readonly #keys: EllswiftKey[] = [];

  /** `capacity`: keys kept at most. One takes about 300 bytes. */
  constructor(deps: { readonly crypto: NoiseCrypto; readonly random: Random }, options: { readonly capacity: number }) {
    this.#deps = deps;
    this.#capacity = options.capacity;
  }

  /** Keys in stock. */
  get size(): number {
    return this.#keys.length;
  }

  /** A key that nobody else got; made on the spot when the stock is empty. Whoever takes it wipes it. */
  take(): EllswiftKey {
    return this.#keys.pop() ?? this.#deps.crypto.generateKey(this.#deps.random);
  }

  /**
   * Makes up to `step` keys (about 0.15 ms each) and returns how many are still missing. Call it from a timer with a step
   * that does not hold up shares, until it returns 0.
   */
  refill(step: number): number {
    const { crypto, random } = this.#deps;
    for (let made = 0; made < step && this.#keys.length < this.#capacity; made++) {
      this.#keys.push(crypto.generateKey(random));
    }
    return this.#capacity - this.#keys.length;
  }

  /** Overwrites and drops all keys. */
  wipe(): void {
    for (const { privateKey } of this.#keys) privateKey.fill(0);
    this.#keys.length = 0;
  }
}
