/**
 * Extranonce space (spec 5.1.2.1): every channel of every server searches another part of it. The whole extranonce of our own jobs has
 * 20 bytes, as in SRI: server id (1) ‖ channel (3) ‖ what the miner rolls (16). A job of another pool has what that pool left to us. Miners roll
 * the same number of bytes of any job, and zeros fill what is left between them and the channel's 4 bytes. Channels of a group must have
 * equally long extranonces (spec 5.2.3), so a standard channel's part is the same 4 bytes and zeros.
 */

/** Bytes of a whole extranonce of our own jobs. */
export const EXTRANONCE_SIZE = 20;

/** Bytes that tell a channel from all others: its extranonce prefix begins with them. */
export const EXTRANONCE_PREFIX_SIZE = 4;

/** Bytes that the miner of an extended channel rolls, unless the operator says otherwise. */
export const ROLLABLE_EXTRANONCE_SIZE = EXTRANONCE_SIZE - EXTRANONCE_PREFIX_SIZE;

/** Channels that one server can have at a time, unless it is told fewer. */
const MAX_CHANNELS = 2 ** 24;

/** Options of `ExtranonceAllocator`. */
export interface ExtranonceOptions {
  /** 0 to 255; servers that pay the same address need different ones. */
  readonly serverId: number;
  /** Prefixes that may be in use at a time, 1 to 2^24 (default). Also bounds the memory: one bit each. */
  readonly capacity?: number;
  /** Where to begin, 0 to `capacity` - 1; another one at each start keeps a restarted server off its last channels' space. */
  readonly first?: number;
}

/**
 * Hands out extranonce prefixes. It goes round the whole space before it comes back to a freed one, so the search space of
 * a channel that was just closed stays untouched as long as possible: a miner that reconnects does not repeat its work.
 */
export class ExtranonceAllocator {
  readonly #serverId: number;
  readonly #capacity: number;
  /** Bit n is set while prefix n is in use. */
  readonly #used: Uint32Array;
  #next: number;
  #inUse = 0;

  constructor(_deps: object, options: ExtranonceOptions) {
    const { serverId, capacity = MAX_CHANNELS, first = 0 } = options;
    if (!Number.isInteger(serverId) || serverId < 0 || serverId > 255) {
      throw new TypeError(`a server id is from 0 to 255, got ${serverId}`);
    }
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CHANNELS) {
      throw new TypeError(`the capacity is from 1 to ${MAX_CHANNELS}, got ${capacity}`);
    }
    if (!Number.isInteger(first) || first < 0) throw new TypeError(`cannot begin at ${first}`);
    this.#serverId = serverId;
    this.#capacity = capacity;
    this.#next = first % capacity;
    this.#used = new Uint32Array(Math.ceil(capacity / 32));
  }

  /** Prefixes in use. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Prefixes that can be in use at a time. */
  get capacity(): number {
    return this.#capacity;
  }

  /** A prefix that no other channel has, `Uint8Array(4)`; `undefined` when all are in use. */
  allocate(): Uint8Array | undefined {
    if (this.#inUse === this.#capacity) return undefined;
    const local = this.#free();
    this.#used[local >>> 5] = (this.#used[local >>> 5] as number) | (1 << (local & 31));
    this.#inUse += 1;
    this.#next = (local + 1) % this.#capacity;
    return Uint8Array.of(this.#serverId, local >>> 16, local >>> 8, local);
  }

  /** The first unused number from `#next` on; there is one. */
  #free(): number {
    let at = this.#next;
    for (;;) {
      const word = this.#used[at >>> 5] as number;
      if (word === 0xffffffff) at = (at | 31) + 1;
      else if ((word >>> (at & 31)) & 1) at += 1;
      else return at;
      if (at >= this.#capacity) at = 0;
    }
  }

  /** Takes back a prefix. Throws `TypeError` when it is not one of ours in use. */
  free(prefix: Uint8Array): void {
    const [serverId = -1, a = 0, b = 0, c = 0] = prefix;
    const local = (a << 16) | (b << 8) | c;
    const bit = 1 << (local & 31);
    const word = this.#used[local >>> 5] ?? 0;
    if (prefix.length !== EXTRANONCE_PREFIX_SIZE || serverId !== this.#serverId || (word & bit) === 0) {
      throw new TypeError(`extranonce prefix ${[...prefix].join(".")} is not in use here`);
    }
    this.#used[local >>> 5] = word & ~bit;
    this.#inUse -= 1;
  }
}

/** A channel's prefix, `Uint8Array(4)`, with zeros behind it: a new `Uint8Array(size)`. */
export function paddedPrefix(prefix: Uint8Array, size: number): Uint8Array {
  const padded = new Uint8Array(size);
  padded.set(prefix);
  return padded;
}
