/**
 * Stateless resets (RFC 9000, 10.3): a server that was restarted answers a packet of a connection that it does not know, and the client
 * learns at once what a TCP client learns from RST. The tokens follow from the server's own key, so that a new process knows them.
 */
import { createHash, createHmac } from "node:crypto";
import { fromHex, toHex } from "../kernel/bytes.ts";
import type { Random } from "../kernel/random.ts";

const TOKEN_BYTES = 16;
/** Shorter than this a packet cannot be told from a reset (10.3.3). */
const MIN_BYTES = 21;
const USUAL_BYTES = 43;

/** Tokens of one server. */
export class ResetTokens {
  readonly #random: Random;
  readonly #key: Uint8Array;

  /** `secret`: stays the same over restarts, the certificate's private key. */
  constructor(deps: { readonly random: Random }, options: { readonly secret: string }) {
    this.#random = deps.random;
    this.#key = createHash("sha256").update("sv2 quic stateless reset\n").update(options.secret).digest();
  }

  /** The token of a connection ID, as quiche takes it. */
  token(id: Uint8Array): bigint {
    return BigInt(`0x${toHex(this.#bytes(id))}`);
  }

  /** The answer to an unknown packet of `length` bytes for `id`, shorter than that; `undefined` when it is too short for one. */
  packet(id: Uint8Array, length: number): Uint8Array | undefined {
    const size = Math.min(length - 1, USUAL_BYTES);
    if (size < MIN_BYTES) return undefined;
    const packet = this.#random.bytes(size);
    packet[0] = ((packet[0] ?? 0) & 0x3f) | 0x40;
    packet.set(this.#bytes(id), size - TOKEN_BYTES);
    return packet;
  }

  #bytes(id: Uint8Array): Uint8Array {
    return fromHex(
      createHmac("sha256", this.#key)
        .update(id)
        .digest("hex")
        .slice(0, 2 * TOKEN_BYTES),
    );
  }
}
