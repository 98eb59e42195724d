/**
 * The server's static key and the authority's certificate for it. SRI makes both anew for every connection, which costs a
 * key and a signature each time; nothing in the specification asks for that (forward secrecy comes from the ephemeral
 * keys), so both are kept and renewed before the certificate ends.
 */
import type { Clock } from "../../kernel/clock.ts";
import type { Random } from "../../kernel/random.ts";
import { signCertificate } from "./certificate.ts";
import type { NoiseCrypto } from "./crypto.ts";
import { assertPrivateKey, type EllswiftKey } from "./curve.ts";

const DAY_SEC = 86_400;

/**
 * How far back a certificate starts. Miners' clocks run behind (no battery, NTP not yet answered), and SRI's client only
 * grants 10 s: stratum issues 2015 and 2017, ESP-Miner issues 1786 and 1866.
 */
export const BACKDATED_SEC = 3600;
/**
 * How long a certificate is valid. Generous for the same devices: one whose clock is days ahead still takes it. A stolen
 * static key is good for an impostor as long, but whoever reads it out of our memory has the authority key beside it.
 */
export const CERTIFICATE_VALIDITY_SEC = 30 * DAY_SEC;
/** How long before its end a certificate is renewed: what clocks that are ahead are granted at least. */
export const RENEW_BEFORE_SEC = 7 * DAY_SEC;

/** Times as U32 end here, in 2106. */
const MAX_TIME = 0xffffffff;

/** What a responder shows: its key, and the 74 bytes that vouch for it. */
export interface Identity {
  /** The static key pair `s`. */
  readonly s: EllswiftKey;
  /** SIGNATURE_NOISE_MESSAGE: 74 bytes. */
  readonly certificate: Uint8Array;
  /** Last second of the certificate, since the Unix epoch. */
  readonly notValidAfter: number;
}

/** Settings of `StaticIdentity`. */
export interface StaticIdentityOptions {
  /** The authority's secret key: 32 bytes. */
  readonly authoritySecretKey: Uint8Array;
  /** Seconds that a certificate is valid from now; `CERTIFICATE_VALIDITY_SEC` if left out. */
  readonly certValiditySec?: number;
  /** Seconds before its end at which it is renewed; `RENEW_BEFORE_SEC`, or half the validity if that is less. */
  readonly renewBeforeSec?: number;
}

/** Keeps an identity and renews it. */
export class StaticIdentity {
  readonly #deps: { readonly crypto: NoiseCrypto; readonly clock: Clock; readonly random: Random };
  readonly #authoritySecretKey: Uint8Array;
  readonly #validitySec: number;
  readonly #renewBeforeSec: number;
  #current: (Identity & { readonly validFrom: number }) | undefined;

  constructor(
    deps: { readonly crypto: NoiseCrypto; readonly clock: Clock; readonly random: Random },
    options: StaticIdentityOptions,
  ) {
    assertPrivateKey(options.authoritySecretKey);
    this.#deps = deps;
    this.#authoritySecretKey = options.authoritySecretKey;
    this.#validitySec = options.certValiditySec ?? CERTIFICATE_VALIDITY_SEC;
    this.#renewBeforeSec = options.renewBeforeSec ?? Math.min(RENEW_BEFORE_SEC, this.#validitySec / 2);
    if (!(this.#validitySec > this.#renewBeforeSec && this.#renewBeforeSec >= 0)) {
      throw new TypeError(
        `a validity of ${this.#validitySec} s cannot be renewed ${this.#renewBeforeSec} s before its end`,
      );
    }
  }

  /**
   * The identity to show now. It is new on the first call, from `renewBeforeSec` before the end of the last one, and after
   * the clock was set to before its beginning. A new one takes about 3 ms; call it on a timer and no peer waits for that.
   */
  current(): Identity {
    const now = Math.floor(this.#deps.clock.nowMs() / 1000);
    const kept = this.#current;
    if (kept !== undefined && now >= kept.validFrom && now < kept.notValidAfter - this.#renewBeforeSec) return kept;

    const { crypto, random } = this.#deps;
    const s = crypto.generateKey(random);
    const validFrom = Math.max(0, now - BACKDATED_SEC);
    const notValidAfter = Math.min(MAX_TIME, Math.floor(now + this.#validitySec));
    const staticKey = crypto.decodeEllswift(s.ellswift);
    const certificate = signCertificate({ validFrom, notValidAfter }, staticKey, this.#authoritySecretKey, random);
    // The old key is not wiped: handshakes that began with it may not have ended.
    this.#current = { s, certificate, validFrom, notValidAfter };
    return this.#current;
  }
}
