/**
 * What was committed to lately, by our own jobs or by what was handed out for other coinbases: a custom job is recognised by bytes that stand here, and
 * nothing is guessed. Bounded; what is forgotten does not count any more.
 */
import { toHex } from "../kernel/bytes.ts";
import type { AuxEntry, AuxWork } from "../mining/aux.ts";

/** Works of one chain that are remembered: many times what comes while a job is mined. */
const MAX_WORKS = 32;

/** AuxPoW trees that are remembered: one for each change of any chain's work, and for each set of chains that fits into somebody's room. */
const MAX_TREES = 512;

/** The memory. */
export class CommittedWorks {
  /** By chain, the newest last. */
  readonly #works = new Map<string, AuxEntry[]>();
  /** By the 44 bytes of the commitment, in hex; the newest last. */
  readonly #trees = new Map<string, readonly AuxEntry[]>();

  /** Remembers the chains of a coinbase; `commitment`: the 44 bytes in its scriptSig, if there are any. */
  remember(entries: readonly AuxEntry[], commitment: Uint8Array | undefined): void {
    for (const entry of entries) this.#rememberWork(entry);
    if (commitment === undefined) return;
    const key = toHex(commitment);
    this.#trees.delete(key);
    this.#trees.set(
      key,
      entries.filter(({ slot }) => slot !== undefined),
    );
    for (const oldest of this.#trees.keys()) {
      if (this.#trees.size <= MAX_TREES) break;
      this.#trees.delete(oldest);
    }
  }

  /** What a chain may still win on the block that `current` builds on, the newest first. */
  live(chain: string, current: AuxWork): readonly AuxEntry[] {
    return (this.#works.get(chain) ?? []).filter(({ work }) => isLive(work, current)).reverse();
  }

  /** The chains of a tree by the 44 bytes that commit to it; none for a tree that was never handed out. */
  tree(commitment: Uint8Array): readonly AuxEntry[] {
    return this.#trees.get(toHex(commitment)) ?? [];
  }

  #rememberWork(entry: AuxEntry): void {
    const works = this.#works.get(entry.chain) ?? [];
    this.#works.set(entry.chain, works);
    // The same work under another place in a tree is the same to those who look for its outputs.
    const known = works.findIndex(({ work }) => work.id === entry.work.id && work.target === entry.work.target);
    if (known !== -1) works.splice(known, 1);
    works.push(entry);
    if (works.length > MAX_WORKS) works.shift();
  }
}

/** Whether the daemon still takes `work`, as far as we know: it builds on the same block as the newest. */
export function isLive(work: AuxWork, current: AuxWork): boolean {
  return work.parent === current.parent && work.height === current.height;
}
