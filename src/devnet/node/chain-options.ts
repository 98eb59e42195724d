/** What a chain is set up with and what it tells. */
import type { BlockData } from "./block-data.ts";
import type { BlockNode } from "./block-index.ts";

/** Headers of the active chain that are remembered. */
export const HEADERS_KEPT = 100_000;

/** Blocks whose content is remembered however large it is. */
export const BLOCKS_ALWAYS_KEPT = 10;

/** The rules that differ between chains. */
export interface ChainOptions {
  /** The first block, serialised. */
  readonly genesis: Uint8Array;
  /** `nBits` that the block at a height has to carry. */
  readonly requiredBits: (height: number) => number;
  /** The easiest target that a block may claim. */
  readonly powLimit: bigint;
  readonly halvingInterval: number;
  /** Blocks whose content is remembered; more than the 100 of coinbase maturity. */
  readonly blocksKept: number;
  /** Bytes of content that are remembered, unless that is less than `BLOCKS_ALWAYS_KEPT` blocks. */
  readonly bytesKept: number;
}

/** What happens to the active chain, in this order: blocks go, blocks come, then the tip is another. */
export interface ChainEvents {
  disconnected: { readonly node: BlockNode; readonly data: BlockData };
  connected: { readonly node: BlockNode; readonly data: BlockData };
  tip: { readonly node: BlockNode };
}
