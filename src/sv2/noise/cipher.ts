/**
 * CipherState (Noise 5.1; SV2 specification 4.4.1): a key `k` and a nonce `n` that moves with every message. The letters
 * are the specification's.
 */
import { Fault } from "../../kernel/fault.ts";
import { MAC_SIZE, type NoiseCrypto } from "./crypto.ts";

/**
 * The first nonce that is not used. Noise allows 2^64 - 2 messages; a connection is dropped at 2^53 - 1, where JavaScript's
 * integers end, after 285 years of a million messages a second.
 */
export const LAST_NONCE = Number.MAX_SAFE_INTEGER;

const NO_AD = new Uint8Array(0);

/** One direction's key and nonce. */
export class CipherState {
  readonly #crypto: NoiseCrypto;
  /** Key: 32 bytes. */
  readonly #k: Uint8Array;
  /** Counter of the next message. */
  #n: number;
  /** Its 12 bytes: 4 zero bytes and the counter as U64 little-endian (SV2 specification 4.4.1). */
  readonly #nonce = new Uint8Array(12);
  readonly #nonceView = new DataView(this.#nonce.buffer);

  /** Takes `k` (32 bytes) over: `wipe` overwrites it. `n`: the first nonce. */
  constructor(deps: { readonly crypto: NoiseCrypto }, options: { readonly k: Uint8Array; readonly n?: number }) {
    this.#crypto = deps.crypto;
    this.#k = options.k;
    this.#n = options.n ?? 0;
  }

  /**
   * Encrypts `plaintext` to `into` at `offset`, 16 bytes longer. Throws `Fault("noise-nonce-exhausted")` when the key has
   * encrypted all that it may.
   */
  encrypt(plaintext: Uint8Array, into: Uint8Array, offset: number, ad: Uint8Array = NO_AD): void {
    this.#crypto.encrypt(this.#k, this.#nextNonce(), ad, plaintext, into, offset);
    this.#n++;
  }

  /**
   * Decrypts `ciphertext` to `into` at `offset`, 16 bytes shorter. Throws `Fault("noise-mac")` when it is not what the peer
   * encrypted at this place; the nonce stays then, as Noise says, though nobody goes on.
   */
  decrypt(ciphertext: Uint8Array, into: Uint8Array, offset: number, ad: Uint8Array = NO_AD): void {
    const nonce = this.#nextNonce();
    if (ciphertext.length < MAC_SIZE || !this.#crypto.decrypt(this.#k, nonce, ad, ciphertext, into, offset)) {
      throw new Fault("noise-mac", { message: this.#n, bytes: ciphertext.length });
    }
    this.#n++;
  }

  /** Overwrites the key; the state is useless from then on. */
  wipe(): void {
    this.#k.fill(0);
  }

  #nextNonce(): Uint8Array {
    const n = this.#n;
    if (n >= LAST_NONCE) throw new Fault("noise-nonce-exhausted");
    this.#nonceView.setUint32(4, n >>> 0, true);
    this.#nonceView.setUint32(8, Math.floor(n / 2 ** 32), true);
    return this.#nonce;
  }
}
