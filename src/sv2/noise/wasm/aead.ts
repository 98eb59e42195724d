/**
 * ChaCha20-Poly1305 (RFC 8439, 2.8; SV2 specification 4.3.3) for short messages on the WebAssembly code of `chacha.ts`.
 */
import { instantiateChaCha, KEYSTREAM } from "./chacha.ts";

/** Bytes of the authenticator. */
const TAG = 16;
/** Bytes of a block of the stream. */
const BLOCK = 64;
/** Bytes of associated data and text that one message may have in all; whole messages are worked on in the memory. */
export const MAX_AEAD_BYTES = 60 * 1024;

/** Addresses in the module's memory. */
const KEY = 0;
const NONCE = 32;
const TAG_AT = 48;
/** The first four blocks of the stream: Poly1305's key, then 192 bytes for the text. */
const STREAM = 64;
/** Further blocks, four at a time. */
const MORE = STREAM + KEYSTREAM;
const DATA = MORE + KEYSTREAM;

const padded = (length: number): number => (length + 15) & ~15;

/** Authenticated encryption in WebAssembly. Throws as `WasmCurve` does where there is none. */
export class WasmAead {
  readonly #op: ReturnType<typeof instantiateChaCha>["exports"];
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;

  constructor() {
    const { exports, memory } = instantiateChaCha(1);
    this.#op = exports;
    this.#bytes = new Uint8Array(memory);
    this.#words = new Uint32Array(memory);
  }

  /** Writes ciphertext and tag, `plaintext.length + 16` bytes, to `into` at `offset`. `key` has 32 bytes, `nonce` 12. */
  encrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    plaintext: Uint8Array,
    into: Uint8Array,
    offset: number,
  ): void {
    const text = DATA + padded(ad.length);
    const { length } = plaintext;
    this.#begin(key, nonce, ad, plaintext, length);
    this.#xor(text, length);
    // The stream ran on into the padding, which is authenticated as zeros.
    this.#bytes.fill(0, text + length, text + padded(length));
    this.#authenticate(ad.length, length);
    into.set(this.#bytes.subarray(text, text + length), offset);
    into.set(this.#bytes.subarray(TAG_AT, TAG_AT + TAG), offset + length);
    this.#wipe();
  }

  /**
   * Writes the plaintext, `ciphertext.length - 16` bytes, to `into` at `offset` if the tag is right; else returns false
   * and writes nothing.
   */
  decrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    ciphertext: Uint8Array,
    into: Uint8Array,
    offset: number,
  ): boolean {
    const text = DATA + padded(ad.length);
    const length = ciphertext.length - TAG;
    this.#begin(key, nonce, ad, ciphertext, length);
    this.#authenticate(ad.length, length);
    let difference = 0;
    for (let i = 0; i < TAG; i++) {
      difference |= (this.#bytes[TAG_AT + i] as number) ^ (ciphertext[length + i] as number);
    }
    if (difference !== 0) {
      this.#wipe();
      return false;
    }
    this.#xor(text, length);
    into.set(this.#bytes.subarray(text, text + length), offset);
    this.#wipe();
    return true;
  }

  /** Overwrites key and stream. The text stays until the next message: it is on its way to or from a socket anyway. */
  #wipe(): void {
    this.#bytes.fill(0, KEY, DATA);
  }

  /** Lays out key, nonce, associated data and text, and makes the first four blocks of the stream. */
  #begin(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, text: Uint8Array, length: number): void {
    if (ad.length + length > MAX_AEAD_BYTES) {
      throw new TypeError(`at most ${MAX_AEAD_BYTES} bytes, not ${ad.length} and ${length}`);
    }
    const bytes = this.#bytes;
    const words = this.#words;
    bytes.set(key, KEY);
    bytes.set(nonce, NONCE);
    const at = DATA + padded(ad.length);
    if (ad.length > 0) {
      bytes.fill(0, DATA, at);
      bytes.set(ad, DATA);
    }
    const end = padded(length);
    if (end > length) bytes.fill(0, at + end - TAG, at + end);
    bytes.set(text.length === length ? text : text.subarray(0, length), at);
    const lengths = (at + end) / 4;
    words[lengths] = ad.length;
    words[lengths + 1] = 0;
    words[lengths + 2] = length;
    words[lengths + 3] = 0;
    this.#op.keystream(STREAM, KEY, 0);
  }

  /** Applies the stream from its second block on: the first one's start is Poly1305's key. */
  #xor(text: number, length: number): void {
    let done = Math.min(length, KEYSTREAM - BLOCK);
    if (done > 0) this.#op.xor(text, STREAM + BLOCK, padded(done) / 16);
    for (let counter = 4; done < length; counter += 4) {
      this.#op.keystream(MORE, KEY, counter);
      const part = Math.min(length - done, KEYSTREAM);
      this.#op.xor(text + done, MORE, padded(part) / 16);
      done += part;
    }
  }

  /** Leaves the tag of associated data and ciphertext at `TAG_AT`. */
  #authenticate(adLength: number, length: number): void {
    this.#op.poly1305(TAG_AT, STREAM, DATA, (padded(adLength) + padded(length)) / 16 + 1);
  }
}
