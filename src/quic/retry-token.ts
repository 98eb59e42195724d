/**
 * Tokens of stateless retries (RFC 9000, 8.1.2): a client gets one at its first packet and has to bring it back, which shows that it
 * is where it says it is. Until then it costs us no memory, and a flood from forged addresses none either.
 *
 * Layout: expiry, ms since the epoch (6 bytes big-endian) | MAC (16) | the ID that we gave (16) | the client's original ID (8 to 20).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import { CONNECTION_ID_BYTES, type HostPort } from "./quiche.ts";

/** How long a token may take to come back, ms. */
const LIFETIME_MS = 10_000;

const EXPIRY_BYTES = 6;
const MAC_BYTES = 16;
const HEAD_BYTES = EXPIRY_BYTES + MAC_BYTES;

/** Makes tokens and reads them. */
export class RetryTokens {
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #key: Uint8Array;

  /** `key`: 32 secret bytes, fresh at every start. */
  constructor(deps: { readonly clock: Pick<Clock, "nowMs"> }, options: { readonly key: Uint8Array }) {
    this.#clock = deps.clock;
    this.#key = options.key;
  }

  /** A token for whoever is at `from`, with the connection ID that we give it and the one that it began with. */
  mint(from: HostPort, id: Uint8Array, originalId: Uint8Array): Uint8Array {
    const expiry = Buffer.alloc(EXPIRY_BYTES);
    expiry.writeUIntBE(this.#clock.nowMs() + LIFETIME_MS, 0, EXPIRY_BYTES);
    return Buffer.concat([expiry, this.#mac(from, expiry, id, originalId), id, originalId]);
  }

  /** The client's original ID when the token is ours, in time, from the same address and for the same ID. */
  read(token: Uint8Array, from: HostPort, id: Uint8Array): Uint8Array | undefined {
    if (token.length < HEAD_BYTES + CONNECTION_ID_BYTES || id.length !== CONNECTION_ID_BYTES) return undefined;
    const expiry = token.subarray(0, EXPIRY_BYTES);
    const originalId = token.slice(HEAD_BYTES + CONNECTION_ID_BYTES);
    const mac = this.#mac(from, expiry, id, originalId);
    if (!timingSafeEqual(mac, token.subarray(EXPIRY_BYTES, HEAD_BYTES))) return undefined;
    return Buffer.from(expiry).readUIntBE(0, EXPIRY_BYTES) < this.#clock.nowMs() ? undefined : originalId;
  }

  #mac(from: HostPort, expiry: Uint8Array, id: Uint8Array, originalId: Uint8Array): Uint8Array {
    const mac = createHmac("sha256", this.#key).update(`${from.host} ${from.port}\n`).update(expiry).update(id);
    return mac.update(originalId).digest().subarray(0, MAC_BYTES);
  }
}
