/**
 * The Noise NX handshake, both roles (SV2 specification 4.5):
 *
 *     -> e                                           64 bytes
 *     <- e, ee, s, es, SIGNATURE_NOISE_MESSAGE      234 bytes
 *
 * The letters are Noise's: e and s are our ephemeral and static key, re and rs the peer's, ee and es Diffie-Hellman between
 * them (es: initiator's e, responder's s). Each step carries its pattern as a comment.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Random } from "../../kernel/random.ts";
import { CERTIFICATE_SIZE, type Certificate, decodeCertificate, verifyCertificate } from "./certificate.ts";
import { MAC_SIZE, type NoiseCrypto } from "./crypto.ts";
import type { EllswiftKey } from "./curve.ts";
import { ELLSWIFT_SIZE } from "./ellswift.ts";
import type { NoiseHandshake, TransportCiphers } from "./ports.ts";
import type { StaticIdentity } from "./static-identity.ts";
import { SymmetricState } from "./symmetric.ts";
import { NoiseTransport } from "./transport.ts";

/** Bytes of the initiator's act. */
export const ACT_1_SIZE = ELLSWIFT_SIZE;
/** Bytes of the responder's act: e, encrypted s, encrypted certificate. */
export const ACT_2_SIZE = ELLSWIFT_SIZE + ELLSWIFT_SIZE + MAC_SIZE + CERTIFICATE_SIZE + MAC_SIZE;

const S_OFFSET = ELLSWIFT_SIZE;
const CERTIFICATE_OFFSET = S_OFFSET + ELLSWIFT_SIZE + MAC_SIZE;
const EMPTY = new Uint8Array(0);
/** BIP340's prefix of a tagged hash: the tag's hash twice. */
const ECDH_TAG = ((): Uint8Array => {
  const tag = sha256(utf8("bip324_ellswift_xonly_ecdh"));
  return concat(tag, tag);
})();

/**
 * ECDH of SV2 specification 4.4.2, which is BIP324's: a BIP340 tagged hash over both encodings and the shared x coordinate.
 * The initiator is party A, so both sides put its key first. Overwrites `sharedX`.
 */
export function ecdh(
  crypto: NoiseCrypto,
  sharedX: Uint8Array,
  initiatorKey: Uint8Array,
  responderKey: Uint8Array,
): Uint8Array {
  const secret = crypto.sha256(ECDH_TAG, initiatorKey, responderKey, sharedX);
  sharedX.fill(0);
  return secret;
}

function checkSize(act: Uint8Array, expected: number): void {
  if (act.length !== expected) throw new Fault("noise-act-size", { expected, got: act.length });
}

/** What a responder is made of. */
export interface ResponderDeps {
  readonly crypto: NoiseCrypto;
  /** Gives the static key and its certificate. */
  readonly identity: Pick<StaticIdentity, "current">;
  /** Gives a fresh ephemeral key; the handshake wipes its private half. */
  readonly ephemeral: () => EllswiftKey;
}

/** The server's side. One object serves one connection. */
export class NoiseResponder implements NoiseHandshake {
  readonly #deps: ResponderDeps;
  #expects = ACT_1_SIZE;
  #result: TransportCiphers | undefined;

  constructor(deps: ResponderDeps) {
    this.#deps = deps;
  }

  get expects(): number {
    return this.#expects;
  }

  start(): undefined {
    return undefined;
  }

  read(act: Uint8Array): Uint8Array {
    if (this.#expects === 0) throw new TypeError("the handshake is over");
    checkSize(act, ACT_1_SIZE);
    const { crypto } = this.#deps;
    const symmetric = new SymmetricState({ crypto });

    // -> e
    const re = act.slice();
    symmetric.mixHash(re);
    symmetric.decryptAndHash(EMPTY);

    // <- e, ee, s, es, SIGNATURE_NOISE_MESSAGE
    const { s, certificate } = this.#deps.identity.current();
    const e = this.#deps.ephemeral();
    const [ee, es] = crypto.sharedX([e.privateKey, s.privateKey], re) as [Uint8Array, Uint8Array];
    e.privateKey.fill(0);
    const out = new Uint8Array(ACT_2_SIZE);
    out.set(e.ellswift, 0);
    symmetric.mixHash(e.ellswift);
    symmetric.mixKey(ecdh(crypto, ee, re, e.ellswift));
    symmetric.encryptAndHash(s.ellswift, out, S_OFFSET);
    symmetric.mixKey(ecdh(crypto, es, re, s.ellswift));
    symmetric.encryptAndHash(certificate, out, CERTIFICATE_OFFSET);

    const [initiator, responder] = symmetric.split();
    this.#result = {
      encrypt: new NoiseTransport({ cipher: responder }),
      decrypt: new NoiseTransport({ cipher: initiator }),
    };
    this.#expects = 0;
    return out;
  }

  result(): TransportCiphers | undefined {
    return this.#result;
  }
}

/** What an initiator is made of. */
export interface InitiatorDeps {
  readonly crypto: NoiseCrypto;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Random;
}

/** Settings of an initiator. */
export interface InitiatorOptions {
  /**
   * The x-only key (32 bytes) of the authority that has to vouch for the server. Without it the certificate goes unchecked,
   * as in SRI's and ESP-Miner's clients: the connection is encrypted, but anybody may be at its other end.
   */
  readonly authorityPublicKey?: Uint8Array | undefined;
}

/** The client's side. One object serves one connection. */
export class NoiseInitiator implements NoiseHandshake {
  readonly #deps: InitiatorDeps;
  readonly #authorityPublicKey: Uint8Array | undefined;
  readonly #symmetric: SymmetricState;
  #begun = false;
  /** Ours, from `start` to `read`: one act is read, and whether it verifies or not, the handshake is over. */
  #e: EllswiftKey | undefined;
  #expects = 0;
  #certificate: Certificate | undefined;
  #result: TransportCiphers | undefined;

  constructor(deps: InitiatorDeps, options: InitiatorOptions = {}) {
    this.#deps = deps;
    this.#authorityPublicKey = options.authorityPublicKey;
    this.#symmetric = new SymmetricState({ crypto: deps.crypto });
  }

  get expects(): number {
    return this.#expects;
  }

  /** The server's certificate once the handshake is complete; its signature was checked only if an authority key was given. */
  get certificate(): Certificate | undefined {
    return this.#certificate;
  }

  start(): Uint8Array {
    if (this.#begun) throw new TypeError("the handshake has begun");
    this.#begun = true;
    // -> e
    const e = this.#deps.crypto.generateKey(this.#deps.random);
    this.#symmetric.mixHash(e.ellswift);
    this.#symmetric.encryptAndHash(EMPTY, new Uint8Array(0), 0);
    this.#e = e;
    this.#expects = ACT_2_SIZE;
    return e.ellswift.slice();
  }

  read(act: Uint8Array): undefined {
    const e = this.#e;
    if (e === undefined) throw new TypeError("the handshake has not begun or is over");
    checkSize(act, ACT_2_SIZE);
    this.#e = undefined;
    this.#expects = 0;
    try {
      this.#readAct2(e, act);
    } finally {
      e.privateKey.fill(0);
      this.#symmetric.wipe();
    }
    return undefined;
  }

  result(): TransportCiphers | undefined {
    return this.#result;
  }

  #readAct2(e: EllswiftKey, act: Uint8Array): void {
    const { crypto } = this.#deps;
    const symmetric = this.#symmetric;
    const shared = (theirs: Uint8Array): Uint8Array => {
      const [x] = crypto.sharedX([e.privateKey], theirs) as [Uint8Array];
      return ecdh(crypto, x, e.ellswift, theirs);
    };

    // <- e, ee, s, es, SIGNATURE_NOISE_MESSAGE
    const re = act.subarray(0, S_OFFSET);
    symmetric.mixHash(re);
    symmetric.mixKey(shared(re));
    const rs = symmetric.decryptAndHash(act.subarray(S_OFFSET, CERTIFICATE_OFFSET));
    symmetric.mixKey(shared(rs));
    const certificate = decodeCertificate(symmetric.decryptAndHash(act.subarray(CERTIFICATE_OFFSET)));
    if (this.#authorityPublicKey !== undefined) {
      const staticKey = crypto.decodeEllswift(rs);
      verifyCertificate(certificate, staticKey, this.#authorityPublicKey, this.#deps.clock.nowMs());
    }

    const [initiator, responder] = symmetric.split();
    this.#certificate = certificate;
    this.#result = {
      encrypt: new NoiseTransport({ cipher: initiator }),
      decrypt: new NoiseTransport({ cipher: responder }),
    };
  }
}
