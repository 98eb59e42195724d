/**
 * What became of one of our Bitcoin blocks: all nodes are asked at once, and it is in the chain when it is in the best chain of any that is trusted.
 * A node that lags does not know it yet, and one on another branch calls it stale; neither takes it from the chain that the others are on.
 */
import type { Rpc } from "../../daemon/rpc.ts";
import { Fault } from "../../kernel/fault.ts";
import type { BlockStatus } from "../../merge/plugin.ts";
import { blockPlace } from "./answers.ts";

/** What `bitcoinBlockStatus` works with. */
export interface BitcoinBlockStatusDeps {
  readonly nodes: readonly Rpc[];
  /** Whether a node's chain counts; by name. Where it is true of none, all are asked. */
  readonly isTrusted: (node: string) => boolean;
}

/** Options of `bitcoinBlockStatus`. */
export interface BitcoinBlockStatusOptions {
  /** Deadline of a node's answer, ms. */
  readonly timeoutMs: number;
  /** Blocks after which a coinbase can be spent; consensus says 100 on every network (`COINBASE_MATURITY`). */
  readonly maturity: number;
}

/** Values for every network. */
export const BITCOIN_BLOCK_STATUS_DEFAULTS: BitcoinBlockStatusOptions = { timeoutMs: 30_000, maturity: 100 };

/** Core's RPC_INVALID_ADDRESS_OR_KEY: "Block not found". */
const NOT_FOUND = -5;

/**
 * The status of the block with the display hash `blockHash`. Its reward is not asked for: the hash commits to the coinbase, so it pays what its own bytes
 * say. Rejects with a node's fault when none has it in its best chain and one did not answer.
 */
export async function bitcoinBlockStatus(
  { nodes, isTrusted }: BitcoinBlockStatusDeps,
  { timeoutMs, maturity }: BitcoinBlockStatusOptions,
  blockHash: string,
): Promise<BlockStatus> {
  const trusted = nodes.filter(({ name }) => isTrusted(name));
  const asked = trusted.length > 0 ? trusted : nodes;
  const places = await Promise.allSettled(asked.map((rpc) => confirmationsAt(rpc, blockHash, timeoutMs)));
  const told = places.flatMap((place) => (place.status === "fulfilled" ? [place.value] : []));
  const known = told.filter((confirmations) => confirmations !== undefined);
  const most = Math.max(0, ...known);
  if (most > 0) {
    return { state: most >= maturity ? "mature" : "confirmed", confirmations: most, reward: undefined };
  }
  for (const place of places) if (place.status === "rejected") throw place.reason;
  return { state: known.length > 0 ? "orphaned" : "unknown", confirmations: 0, reward: undefined };
}

/** Core's count: -1 for a block beside the best chain, or one that was called invalid; `undefined` when the node does not have it. */
async function confirmationsAt(rpc: Rpc, blockHash: string, timeoutMs: number): Promise<number | undefined> {
  try {
    return (await rpc.call("getblockheader", [blockHash], blockPlace, { timeoutMs })).confirmations;
  } catch (error) {
    if (error instanceof Fault && error.code === "node-rpc-error" && error.data.rpcCode === NOT_FOUND) return undefined;
    throw error;
  }
}
