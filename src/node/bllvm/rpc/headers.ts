/**
 * Headers of the bllvm node by hash, remembered: a new block needs one more, and no header is asked for twice within a tip's
 * median time. What the node gives is hashed, so it cannot pass one header off as another.
 */
import { headerHash, serializeHeader } from "../../../bitcoin/header.ts";
import { equal, toDisplayHex } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { BllvmHeader, BllvmNode } from "../bllvm-node.ts";

/** Headers remembered: the median times of a few tips and of blocks that are followed. */
const REMEMBERED_HEADERS = 512;

/** Headers that a median time is made of (BIP113). */
const MEDIAN_SPAN = 11;

/** The hash of `header`, `Uint8Array(32)`, internal byte order. */
export function hashOfHeader(header: BllvmHeader): Uint8Array {
  const { version, timestamp, ...rest } = header;
  return headerHash(serializeHeader({ ...rest, version: version >>> 0, time: timestamp }));
}

/** Reads and remembers headers. */
export class Headers {
  readonly #node: Pick<BllvmNode, "name" | "blockHeader">;
  readonly #timeoutMs: number;
  /** By display-order hex, the longest unused first. */
  readonly #known = new Map<string, BllvmHeader>();

  constructor(
    deps: { readonly node: Pick<BllvmNode, "name" | "blockHeader"> },
    options: { readonly timeoutMs: number },
  ) {
    this.#node = deps.node;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Headers remembered now. */
  get size(): number {
    return this.#known.size;
  }

  /** Remembers `header` of the block `hash`, which the caller has hashed. */
  remember(hash: Uint8Array, header: BllvmHeader): void {
    const key = toDisplayHex(hash);
    this.#known.delete(key);
    this.#known.set(key, header);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED_HEADERS) break;
      this.#known.delete(oldest);
    }
  }

  /** The header of the block `hash`; `undefined` when the node does not have it. */
  async find(hash: Uint8Array): Promise<BllvmHeader | undefined> {
    const known = this.#known.get(toDisplayHex(hash));
    if (known !== undefined) {
      this.remember(hash, known);
      return known;
    }
    const header = await this.#node.blockHeader(hash, { timeoutMs: this.#timeoutMs });
    if (header === undefined) return undefined;
    if (!equal(hashOfHeader(header), hash)) {
      const reason = "its hash is another than the one asked for";
      throw new Fault("bllvm-chain-incomplete", { node: this.#node.name, header: toDisplayHex(hash), reason });
    }
    this.remember(hash, header);
    return header;
  }

  /** As `find`. Throws `Fault("bllvm-chain-incomplete")` when the node does not have it. */
  async get(hash: Uint8Array): Promise<BllvmHeader> {
    const header = await this.find(hash);
    if (header !== undefined) return header;
    throw new Fault("bllvm-chain-incomplete", { node: this.#node.name, header: toDisplayHex(hash) });
  }

  /** Median time of `header` and the ten before it, Unix seconds (BIP113). Throws `Fault("bllvm-chain-incomplete")`. */
  async medianTime(header: BllvmHeader): Promise<number> {
    const times = [header.timestamp];
    for (let at = header; times.length < MEDIAN_SPAN && !isFirst(at); ) {
      at = await this.get(at.prevHash);
      times.push(at.timestamp);
    }
    times.sort((a, b) => a - b);
    return times[times.length >> 1] as number;
  }

  /** The header `steps` blocks below `header`. Asks for each on the way: for when the node gives it in no other way. */
  async below(header: BllvmHeader, steps: number): Promise<BllvmHeader> {
    let at = header;
    for (let i = 0; i < steps; i++) at = await this.get(at.prevHash);
    return at;
  }
}

/** Whether `header` is a genesis block's. */
export function isFirst({ prevHash }: BllvmHeader): boolean {
  return prevHash.every((byte) => byte === 0);
}
