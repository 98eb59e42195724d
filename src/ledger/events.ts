/** What the ledger announces on the bus, after it is in the database. `MergeMiningReward` has the name of the seed's module description. */
import type { BlockState } from "./store/schema.ts";

/** A found block came into another state. */
export interface BlockStateChanged {
  /** As configured; `bitcoin` for Bitcoin. */
  readonly chain: string;
  /** `bitcoin:<hash>` or `FoundAux.key`. */
  readonly key: string;
  /** As the chain prints it. */
  readonly blockHash: string;
  readonly height: number;
  /** User identity of the finder. */
  readonly finder: string;
  /** `undefined` for a block that is recorded for the first time. */
  readonly from: BlockState | undefined;
  readonly to: BlockState;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
  /** Why, in a few words; may be empty. */
  readonly note: string;
  /** What the chain says that it pays, else what was expected, in base units; `undefined` while neither is known. */
  readonly reward: bigint | undefined;
}

/**
 * A chain confirmed for the first time what one of our aux blocks pays: the block is in the chain (or an uncle, or mature) and the chain
 * told the amount. Namecoin's family tells it with the first confirmation; RSK only when REMASC paid, so there it comes with the block's maturity.
 * Once a block, also over restarts, reorgs and later corrections. A block whose amount the chain never tells is announced at its maturity with
 * what was expected.
 */
export interface MergeMiningReward {
  readonly secondaryChain: string;
  readonly blockHash: string;
  readonly height: number;
  /** In the chain's base unit (sat, wei; wei exceed 64 bits). */
  readonly rewardAmount: bigint;
  /** Blocks of the best chain from this one on; 0 for an uncle. */
  readonly confirmations: number;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
}

/** Events by name. */
export interface LedgerEvents {
  readonly BlockStateChanged: BlockStateChanged;
  readonly MergeMiningReward: MergeMiningReward;
}

/** The part of a bus that the ledger talks to; any `Bus` that has these events is one. */
export interface LedgerBus {
  emit<N extends keyof LedgerEvents>(name: N, event: LedgerEvents[N]): void;
}
