/** Whether a block that nobody has solved yet would be taken: `getblocktemplate` in proposal mode (BIP23), which checks everything but the proof of work. */
import type { Rpc } from "../../daemon/rpc.ts";
import { describe } from "../../kernel/fault.ts";
import { submitAnswer } from "./answers.ts";
import { blockHex } from "./journal.ts";

/** A node checks the whole block before it answers. */
const TIMEOUT_MS = 20_000;

/** Answers that are about the tip and not about the block. */
const STALE = new Set(["inconclusive-not-best-prevblk", "stale-prevblk", "prev-blk-not-found", "bad-prevblk"]);

/** A node's word; `unknown` when none could say. */
export interface ProposalWord {
  readonly verdict: "valid" | "stale" | "invalid" | "unknown";
  /** The node's own words, e.g. `bad-txns-inputs-missingorspent`. */
  readonly reason: string;
}

/** Asks `nodes` in their order until one answers. Never rejects. */
export async function proposeBlock(nodes: readonly Rpc[], block: Uint8Array): Promise<ProposalWord> {
  let trouble = "no node is configured";
  const request = { mode: "proposal", data: blockHex(block) };
  for (const rpc of nodes) {
    try {
      const answer = await rpc.call("getblocktemplate", [request], submitAnswer, { timeoutMs: TIMEOUT_MS });
      if (answer === null || answer === "duplicate") return { verdict: "valid", reason: "" };
      const reason = answer.slice(0, 200);
      return { verdict: STALE.has(reason) ? "stale" : "invalid", reason };
    } catch (error) {
      trouble = describe(error);
    }
  }
  return { verdict: "unknown", reason: trouble };
}
