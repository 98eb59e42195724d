/**
 * rskj's mining server (`MinerServerImpl`): the work it hands out, when that is made anew, when it asks for attention, and
 * for how long a solution is taken.
 */
import { toHex } from "../../kernel/bytes.ts";
import type { WorkBlock } from "./blocks.ts";
import { data, type JsonObject, word } from "./hex.ts";
import { targetOf } from "./proof.ts";

/** Works that solutions are taken for. */
const CACHE_SIZE = 20;

/** The server; a restarted node has a new one. */
export class MinerServer {
  readonly #minFeesNotify: bigint;
  readonly #works = new Map<string, WorkBlock>();
  #current: WorkBlock | undefined;
  #notify = false;
  #feesNotified = 0n;

  constructor(options: { readonly minFeesNotify: bigint }) {
    this.#minFeesNotify = options.minFeesNotify;
  }

  /** Hands out `work` from now on. It is worth a notice on a new parent, and when fees rose by more than a tenth. */
  setWork(work: WorkBlock): void {
    const isNewParent = this.#current?.parentHash !== work.parentHash;
    const rose = work.paidFees > (this.#feesNotified * 11n) / 10n && work.paidFees >= this.#minFeesNotify;
    this.#notify = isNewParent || rose;
    if (this.#notify) this.#feesNotified = work.paidFees;
    this.#current = work;
    const key = toHex(work.hashForMergedMining);
    this.#works.delete(key);
    this.#works.set(key, work);
    for (const oldest of this.#works.keys()) {
      if (this.#works.size <= CACHE_SIZE) break;
      this.#works.delete(oldest);
    }
  }

  /** The answer of mnr_getWork; the first one to ask is told to take notice. `null` before there was any work. */
  getWork(): JsonObject | null {
    const work = this.#current;
    if (work === undefined) return null;
    const notify = this.#notify;
    this.#notify = false;
    return {
      blockHashForMergedMining: data(work.hashForMergedMining),
      target: word(targetOf(work.difficulty)),
      feesPaidToMiner: work.paidFees.toString(),
      notify,
      parentBlockHash: work.parentHash,
    };
  }

  /** The work with `hash`, `Uint8Array(32)`, if it is one of the last 20. */
  find(hash: Uint8Array): WorkBlock | undefined {
    return this.#works.get(toHex(hash));
  }
}
