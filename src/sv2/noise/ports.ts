/**
 * What `sv2/connection.ts` wants of Noise (spec section 4): a handshake that eats and makes acts, and the two transport
 * ciphers that come out of it. The connection knows sizes and order only; keys, curves and nonces stay behind these.
 */

/** One side of a Noise NX handshake as a state machine: acts in, acts out, no socket (spec 4.5). */
export interface NoiseHandshake {
  /** Size in bytes of the act that it wants next (64 for a responder, 234 for an initiator); 0 when it wants none. */
  readonly expects: number;
  /** The act that opens the conversation: an initiator's 64 bytes once, `undefined` for a responder. */
  start(): Uint8Array | undefined;
  /**
   * Takes the peer's act of exactly `expects` bytes and returns the act to send in answer, if there is one.
   * Throws `Fault` with act `drop` when the act does not verify.
   */
  read(act: Uint8Array): Uint8Array | undefined;
  /** The ciphers of both directions once the handshake is complete, before that `undefined`. */
  result(): TransportCiphers | undefined;
}

/** Both directions of an encrypted connection. */
export interface TransportCiphers {
  /** For what we send. */
  readonly encrypt: TransportCipher;
  /** For what we receive. */
  readonly decrypt: TransportCipher;
}

/** One direction of an encrypted connection; every call that en- or decrypts moves its nonce (spec 4.6). */
export interface TransportCipher {
  /**
   * Ciphertext of a whole plain frame (6 bytes of header, then the payload): a block of 22 bytes for the header, then the
   * payload in blocks of at most 65519 bytes of plaintext with 16 bytes of MAC each. An empty payload has no block.
   */
  encryptFrame(plainFrame: Uint8Array): Uint8Array;
  /** The 6 plain bytes of a frame header given its 22 bytes of ciphertext. Throws `Fault` (drop) on a bad MAC. */
  decryptHeader(ciphertext: Uint8Array): Uint8Array;
  /**
   * The plaintext of a payload given all of its blocks, `cipherLength(plaintext length)` bytes, which are more than 0.
   * The result shares no memory with `ciphertext`. Throws `Fault` (drop) on a bad MAC.
   */
  decryptPayload(ciphertext: Uint8Array): Uint8Array;
  /** Bytes of ciphertext of a payload of `plainLength` bytes: 16 more for each started block of 65519; 0 for 0. */
  cipherLength(plainLength: number): number;
}
