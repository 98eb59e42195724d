/**
 * SymmetricState (Noise 5.2; SV2 specification 4.4.2): the chaining key `ck` and the transcript hash `h` of a handshake.
 * A direct translation of the specification; letters and verbs are its own.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8 } from "../../kernel/bytes.ts";
import { CipherState } from "./cipher.ts";
import { MAC_SIZE, type NoiseCrypto } from "./crypto.ts";

/** The protocol (SV2 specification 4.5). */
export const PROTOCOL_NAME = "Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256";

/** InitializeSymmetric: the name is longer than 32 bytes, so it is hashed. */
const INITIAL_CK = sha256(utf8(PROTOCOL_NAME));
/** MixHash of the empty prologue. */
const INITIAL_H = sha256(INITIAL_CK);

const EMPTY = new Uint8Array(0);
const ONE = Uint8Array.of(1);
const TWO = Uint8Array.of(2);

/** The secrets and the transcript of one handshake. */
export class SymmetricState {
  readonly #crypto: NoiseCrypto;
  /** Chaining key: 32 bytes, secret from the first `mixKey` on. */
  #ck: Uint8Array = INITIAL_CK.slice();
  /** Hash of all that was sent and received: 32 bytes. */
  #h: Uint8Array = INITIAL_H;
  #cipher: CipherState | undefined;

  constructor(deps: { readonly crypto: NoiseCrypto }) {
    this.#crypto = deps.crypto;
  }

  /** h = SHA-256(h ‖ data). */
  mixHash(data: Uint8Array): void {
    this.#h = this.#crypto.sha256(this.#h, data);
  }

  /** ck, k = HKDF(ck, inputKeyMaterial); n = 0. Overwrites `inputKeyMaterial`. */
  mixKey(inputKeyMaterial: Uint8Array): void {
    const [ck, k] = this.#hkdf(inputKeyMaterial);
    inputKeyMaterial.fill(0);
    this.#ck.fill(0);
    this.#ck = ck;
    this.#cipher?.wipe();
    this.#cipher = new CipherState({ crypto: this.#crypto }, { k });
  }

  /** Writes `plaintext`, encrypted and 16 bytes longer once there is a key, to `into` at `offset` and into the transcript. */
  encryptAndHash(plaintext: Uint8Array, into: Uint8Array, offset: number): void {
    const size = plaintext.length + (this.#cipher === undefined ? 0 : MAC_SIZE);
    if (this.#cipher === undefined) into.set(plaintext, offset);
    else this.#cipher.encrypt(plaintext, into, offset, this.#h);
    this.mixHash(into.subarray(offset, offset + size));
  }

  /** The plaintext of `ciphertext`, which goes into the transcript. Throws `Fault("noise-mac")`. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    let plaintext = ciphertext;
    if (this.#cipher !== undefined) {
      plaintext = new Uint8Array(Math.max(0, ciphertext.length - MAC_SIZE));
      this.#cipher.decrypt(ciphertext, plaintext, 0, this.#h);
    }
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** The two transport ciphers: of the initiator's messages, then of the responder's. Ends the handshake: `ck` is wiped. */
  split(): [initiator: CipherState, responder: CipherState] {
    const [k1, k2] = this.#hkdf(EMPTY);
    this.wipe();
    const crypto = this.#crypto;
    return [new CipherState({ crypto }, { k: k1 }), new CipherState({ crypto }, { k: k2 })];
  }

  /** Overwrites the secrets. */
  wipe(): void {
    this.#ck.fill(0);
    this.#cipher?.wipe();
  }

  /** HKDF with two outputs (Noise 4.3). */
  #hkdf(inputKeyMaterial: Uint8Array): [Uint8Array, Uint8Array] {
    const temp = this.#crypto.hmacSha256(this.#ck, inputKeyMaterial);
    const output1 = this.#crypto.hmacSha256(temp, ONE);
    const output2 = this.#crypto.hmacSha256(temp, output1, TWO);
    temp.fill(0);
    return [output1, output2];
  }
}
