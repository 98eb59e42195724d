/**
 * What became of a block by several nodes: one that has it in its chain says so for all. A node that was set back, is still loading, or went another
 * way for a while does not take it out, and one that is away may be the one that has it.
 */
import type { BlockStatus } from "../merge/plugin.ts";

/**
 * Asks `nodes` in order until one has the block in its best chain, or as an uncle. All that `ask` asks it must ask that one node: two nodes' tips do
 * not go together. Otherwise `orphaned` when any knows it, `unknown` when none does; rejects with the first failure when one did not answer, or with
 * the signal's reason.
 */
export async function statusOfAny<N>(
  nodes: readonly N[],
  ask: (node: N) => Promise<BlockStatus>,
  signal: AbortSignal,
): Promise<BlockStatus> {
  let weaker: BlockStatus | undefined;
  let failure: { readonly error: unknown } | undefined;
  for (const node of nodes) {
    try {
      const status = await ask(node);
      if (status.state !== "orphaned" && status.state !== "unknown") return status;
      if (weaker === undefined || status.state === "orphaned") weaker = status;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
  return weaker ?? { state: "unknown", confirmations: 0, reward: undefined };
}
