/** The bllvm node as far as work on its chain needs it. */
import type { BllvmNode } from "../bllvm-node.ts";

/** Reads of the chain. */
export type ChainReads = Pick<BllvmNode, "chainInfo" | "blockHeader" | "block" | "blockByHeight" | "peerCount">;

/** Reads, events, and the way in for blocks. */
export type ChainNode = ChainReads &
  Pick<BllvmNode, "name" | "address" | "state" | "onState" | "on" | "queueReceivedBlock">;
