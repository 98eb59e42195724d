/**
 * Who has which chain ID. A chain keeps its ID while it is configured, also when it has no work: the tree's height is taken
 * over all of them, so that chains that come and go move no other.
 */
import { Fault } from "../../kernel/fault.ts";
import { treeHeight } from "./tree.ts";

/** The IDs of the configured AuxPoW chains. */
export class ChainIds {
  readonly #ids = new Map<string, number>();
  #height: number | undefined;

  /** IDs by chain name, for `PlacementLimits.chainIds`. It changes with later claims. */
  get ids(): ReadonlyMap<string, number> {
    return this.#ids;
  }

  /** Height of the smallest tree in which all of them have a leaf of their own. */
  get height(): number {
    this.#height ??= treeHeight([...this.#ids.values()]);
    return this.#height;
  }

  /**
   * Gives `chainId` to `chain`; nothing happens when it has it already. Throws `Fault("merge-chain-id-twice")` that names the other
   * chain that has it, and `Fault("merge-chain-id-changed")` when `chain` had another one before.
   */
  claim(chain: string, chainId: number): void {
    const before = this.#ids.get(chain);
    if (before === chainId) return;
    if (before !== undefined) throw new Fault("merge-chain-id-changed", { chain, before, now: chainId });
    for (const [other, id] of this.#ids) {
      if (id === chainId) throw new Fault("merge-chain-id-twice", { chainId, chain, other });
    }
    this.#ids.set(chain, chainId);
    this.#height = undefined;
  }

  /** Forgets `chain`, which is no longer configured. */
  release(chain: string): void {
    if (this.#ids.delete(chain)) this.#height = undefined;
  }
}
