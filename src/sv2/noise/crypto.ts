/**
 * The cryptography of the Noise layer as an argument (SV2 specification 4.3): the handshake is written against this
 * interface, an adapter gives it the quickest implementation it has, and `nobleCrypto` is the readable one that every
 * other is tested against.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../../kernel/bytes.ts";
import { type EllswiftCurve, nobleCurve } from "./curve.ts";

/** Bytes that authenticated encryption adds to a message. */
export const MAC_SIZE = 16;

/** Hash, authenticated encryption and curve of `Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256`. */
export interface NoiseCrypto extends EllswiftCurve {
  /** SHA-256 of `parts` one after the other: 32 bytes. A handshake's, so no more than some KiB in all. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  /** HMAC-SHA256 of `parts` one after the other under a 32-byte `key`: 32 bytes. */
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /**
   * ChaCha20-Poly1305 (RFC 8439, 2.8) with a `key` of 32 bytes and a `nonce` of 12. Writes ciphertext and MAC,
   * `plaintext.length + 16` bytes, to `into` at `offset`; `into` must be other memory than `plaintext`.
   */
  encrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    plaintext: Uint8Array,
    into: Uint8Array,
    offset: number,
  ): void;
  /**
   * The reverse: writes the plaintext, `ciphertext.length - 16` bytes, to `into` at `offset` and returns true if the MAC is
   * right; else it returns false and writes nothing. `ciphertext` has at least 16 bytes.
   */
  decrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    ciphertext: Uint8Array,
    into: Uint8Array,
    offset: number,
  ): boolean;
}

/** Everything from @noble: slow and plain, the judge of the other implementations and the fallback without WebAssembly. */
export function nobleCrypto(): NoiseCrypto {
  return {
    ...nobleCurve,
    sha256: (...parts) => sha256(concat(...parts)),
    hmacSha256: (key, ...parts) => hmac(sha256, key, concat(...parts)),
    encrypt(key, nonce, ad, plaintext, into, offset) {
      into.set(chacha20poly1305(key, nonce, ad).encrypt(plaintext), offset);
    },
    decrypt(key, nonce, ad, ciphertext, into, offset) {
      let plaintext: Uint8Array;
      try {
        plaintext = chacha20poly1305(key, nonce, ad).decrypt(ciphertext);
      } catch {
        return false; // noble says "invalid tag" by throwing
      }
      into.set(plaintext, offset);
      return true;
    },
  };
}
