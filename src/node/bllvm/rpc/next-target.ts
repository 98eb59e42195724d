/**
 * The compact target of the block after the tip, from the node's headers by Core's rules (`bitcoin/retarget.ts`): within a period the
 * tip's own, at its end one more block is asked for. The node's own figures are looked at too. Its `getblocktemplate` computes a
 * retarget at every block, over the dozen headers that it keeps, and so names a quarter of the tip's target wherever blocks
 * take less than days (blvm-consensus `src/pow.rs`, blvm-node `get_recent_headers`); that is known and passed over. Any other
 * difference means that one of us is wrong, and a block of the wrong target is worthless.
 */
import type { NetworkName } from "../../../bitcoin/network.ts";
import { easiestBits, nextTargetRule, RETARGET_INTERVAL, retargetedBits } from "../../../bitcoin/retarget.ts";
import { compactFromTarget, targetFromCompact } from "../../../bitcoin/target.ts";
import { toDisplayHex } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { BllvmEvents, BllvmHeader } from "../bllvm-node.ts";
import type { BllvmChain, ChainTip } from "./chain.ts";

/** Periods whose first block is remembered: the tip's, and the one before around a reorganisation. */
const REMEMBERED_PERIODS = 4;

/** Networks on which all blocks of a period carry one target. */
const UNIFORM: ReadonlySet<NetworkName> = new Set(["mainnet", "signet"]);

/** Knows the next target. */
export class NextTarget {
  readonly #chain: BllvmChain;
  readonly #name: string;
  /** First blocks of periods, by the tip that they were needed for or by their height and the tip's network. */
  readonly #firsts = new Map<string, Promise<BllvmHeader>>();
  #told: BllvmEvents["MiningDifficultyChanged"] | undefined;

  constructor(deps: { readonly chain: BllvmChain }, options: { readonly name: string }) {
    this.#chain = deps.chain;
    this.#name = options.name;
  }

  /** Notes the node's word on a change of the target. */
  note(event: BllvmEvents["MiningDifficultyChanged"]): void {
    this.#told = event;
  }

  /** Forgets that word: after a reorganisation it may be about a block that is gone. */
  forget(): void {
    this.#told = undefined;
  }

  /**
   * The compact target of a block on `tip` with the header time `blockTime`. Throws `Fault("bllvm-target-disputed")` when an event of
   * the node says otherwise, `Fault("bllvm-chain-incomplete")` and what the node's requests throw.
   */
  async after(tip: ChainTip, blockTime: number): Promise<number> {
    const nBits = await this.#compute(tip, blockTime);
    const told = this.#told;
    // The node tells of a block whose target is another than its parent's; a later version may tell it one block ahead.
    if (told?.height === tip.height && told.newNBits !== tip.header.nBits) {
      throw this.#disputed(tip, tip.header.nBits, told.newNBits, "MiningDifficultyChanged");
    }
    if (told?.height === tip.height + 1 && told.newNBits !== nBits) {
      throw this.#disputed(tip, nBits, told.newNBits, "MiningDifficultyChanged");
    }
    return nBits;
  }

  /**
   * Compares the `bits` of the node's template on `tip` with ours. `known`: they differ as the node's known defect makes them. Throws
   * `Fault("bllvm-target-disputed")` for any other difference, also between its own `bits` and `target` (a number of up to 256 bits).
   */
  compare(
    tip: ChainTip,
    nBits: number,
    theirs: { readonly nBits: number; readonly target: bigint | undefined },
  ): "same" | "known" {
    if (theirs.target !== undefined && !isTargetOf(theirs.target, theirs.nBits)) {
      throw this.#disputed(tip, nBits, theirs.nBits, "getblocktemplate, whose target is another one");
    }
    if (theirs.nBits === nBits) return "same";
    const quartered = compactFromTarget(targetFromCompact(tip.header.nBits) / 4n);
    if (theirs.nBits === quartered) return "known";
    throw this.#disputed(tip, nBits, theirs.nBits, "getblocktemplate");
  }

  async #compute(tip: ChainTip, blockTime: number): Promise<number> {
    const { header, network, height } = tip;
    const last = { height, time: header.timestamp, nBits: header.nBits };
    const rule = nextTargetRule(network.name, last, blockTime);
    if (rule === "tip") return last.nBits;
    if (rule === "minimum") return easiestBits(network.name);
    const first = await this.#firstOfPeriod(tip);
    if (rule === "period") return first.nBits;
    return retargetedBits(network.name, { time: first.timestamp, nBits: first.nBits }, last);
  }

  /** The first block of the tip's period. */
  #firstOfPeriod(tip: ChainTip): Promise<BllvmHeader> {
    const height = tip.height - (tip.height % RETARGET_INTERVAL);
    if (height === tip.height) return Promise.resolve(tip.header);
    // At the end of a period the tip itself may be another one a moment later, on another branch; so may be its period's begin.
    const ends = (tip.height + 1) % RETARGET_INTERVAL === 0;
    const key = ends ? tip.key : `${tip.network.name}/${height}`;
    const known = this.#firsts.get(key);
    if (known !== undefined) return known;
    const first = this.#fetchFirst(tip, height);
    this.#firsts.set(key, first);
    for (const oldest of this.#firsts.keys()) {
      if (this.#firsts.size <= REMEMBERED_PERIODS) break;
      this.#firsts.delete(oldest);
    }
    first.catch(() => {
      if (this.#firsts.get(key) === first) this.#firsts.delete(key);
    });
    return first;
  }

  async #fetchFirst(tip: ChainTip, height: number): Promise<BllvmHeader> {
    const block = await this.#chain.at(height, tip);
    // A pruned node has no block there, but every header on the way.
    const first = block?.header ?? (await this.#chain.headers.below(tip.header, tip.height - height));
    if (!UNIFORM.has(tip.network.name) || first.nBits === tip.header.nBits) return first;
    throw this.#disputed(tip, tip.header.nBits, first.nBits, `the first block of the period, ${height}`);
  }

  #disputed(tip: ChainTip, ours: number, theirs: number, by: string): Fault {
    const shown = (nBits: number): string => nBits.toString(16).padStart(8, "0");
    const facts = { node: this.#name, tip: toDisplayHex(tip.hash), nextHeight: tip.height + 1 };
    return new Fault("bllvm-target-disputed", { ...facts, computed: shown(ours), named: shown(theirs), by });
  }
}

function isTargetOf(target: bigint, nBits: number): boolean {
  try {
    return targetFromCompact(nBits) === target;
  } catch {
    return false;
  }
}
