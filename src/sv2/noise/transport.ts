/**
 * Frames on the wire after the handshake (SV2 specification 4.6): the 6 bytes of a frame's header are one Noise message of
 * 22, so that the receiver learns the length, and the payload follows in Noise messages of at most 65535 bytes.
 */
import type { CipherState } from "./cipher.ts";
import { MAC_SIZE } from "./crypto.ts";
import type { TransportCipher } from "./ports.ts";

/** Bytes of a plain frame header. */
const HEADER = 6;
/** Bytes of an encrypted frame header. */
export const ENCRYPTED_HEADER = HEADER + MAC_SIZE;
/** Longest Noise message (Noise 3). */
export const MAX_BLOCK = 65535;
/** Longest plaintext of one. */
export const MAX_BLOCK_PLAINTEXT = MAX_BLOCK - MAC_SIZE;

/** One direction of an encrypted connection. */
export class NoiseTransport implements TransportCipher {
  readonly #cipher: CipherState;

  constructor(deps: { readonly cipher: CipherState }) {
    this.#cipher = deps.cipher;
  }

  encryptFrame(plainFrame: Uint8Array): Uint8Array {
    const length = plainFrame.length - HEADER;
    if (length < 0) throw new TypeError(`a frame has at least ${HEADER} bytes, not ${plainFrame.length}`);
    const out = new Uint8Array(ENCRYPTED_HEADER + this.cipherLength(length));
    this.#cipher.encrypt(plainFrame.subarray(0, HEADER), out, 0);
    let to = ENCRYPTED_HEADER;
    for (let at = HEADER; at < plainFrame.length; at += MAX_BLOCK_PLAINTEXT) {
      this.#cipher.encrypt(plainFrame.subarray(at, at + MAX_BLOCK_PLAINTEXT), out, to);
      to += MAX_BLOCK;
    }
    return out;
  }

  decryptHeader(ciphertext: Uint8Array): Uint8Array {
    if (ciphertext.length !== ENCRYPTED_HEADER) {
      throw new TypeError(`an encrypted header has ${ENCRYPTED_HEADER} bytes, not ${ciphertext.length}`);
    }
    const header = new Uint8Array(HEADER);
    this.#cipher.decrypt(ciphertext, header, 0);
    return header;
  }

  decryptPayload(ciphertext: Uint8Array): Uint8Array {
    const blocks = Math.ceil(ciphertext.length / MAX_BLOCK);
    const payload = new Uint8Array(Math.max(0, ciphertext.length - blocks * MAC_SIZE));
    let to = 0;
    for (let at = 0; at < ciphertext.length; at += MAX_BLOCK) {
      this.#cipher.decrypt(ciphertext.subarray(at, at + MAX_BLOCK), payload, to);
      to += MAX_BLOCK_PLAINTEXT;
    }
    return payload;
  }

  cipherLength(plainLength: number): number {
    return plainLength + Math.ceil(plainLength / MAX_BLOCK_PLAINTEXT) * MAC_SIZE;
  }
}
