/**
 * What a node's answer to `submitblock` means: BIP22's words and those that Bitcoin Core adds (recorded from Core 31.1 in
 * test/vectors/bitcoind-rpc.json).
 */
import { Fault } from "../../kernel/fault.ts";
import type { BlockAnswer } from "../../mining/ports.ts";

/**
 * `verdict` is final. `wait` is not: the node may take the block later, and when it has not in good time, `otherwise` is
 * the verdict. `away` is no answer at all.
 */
export type SubmitReading =
  | { readonly kind: "verdict"; readonly verdict: BlockAnswer["verdict"]; readonly reason: string }
  | { readonly kind: "wait"; readonly otherwise: BlockAnswer["verdict"]; readonly reason: string }
  | { readonly kind: "away"; readonly error: unknown };

const WORDS = new Map<string, BlockAnswer["verdict"]>([
  ["duplicate", "duplicate"],
  // Known, and not yet judged: it got there before us, perhaps through another node of ours.
  ["duplicate-inconclusive", "duplicate"],
  ["inconclusive", "stale"],
  ["inconclusive-not-best-prevblk", "stale"],
  ["stale-prevblk", "stale"],
  ["stale-work", "stale"],
]);

/** Answers that time may change: the node lacks the parent so far, or its clock is behind ours. */
const WAITS = new Map<string, BlockAnswer["verdict"]>([
  ["prev-blk-not-found", "stale"],
  ["time-too-new", "rejected"],
]);

/** RPC errors that speak of the block or of our call, so that the same call can never succeed (Core's rpc/protocol.h). */
const FINAL_RPC_CODES = new Set([-3, -8, -22, -25, -26, -27, -32600, -32602, -32700]);

/** RPC_MISC_ERROR: Core's answer to any exception that it did not foresee; a failing disk may recover. */
const UNFORESEEN_RPC_CODE = -1;

/** Reads the result of `submitblock`: null for success or a reason. */
export function readSubmitResult(result: string | null): SubmitReading {
  if (result === null) return { kind: "verdict", verdict: "accepted", reason: "" };
  const reason = result.slice(0, 200);
  const otherwise = WAITS.get(reason);
  if (otherwise !== undefined) return { kind: "wait", otherwise, reason };
  return { kind: "verdict", verdict: WORDS.get(reason) ?? "rejected", reason };
}

/** Reads a failed call. */
export function readSubmitError(error: unknown): SubmitReading {
  if (!(error instanceof Fault) || error.code !== "node-rpc-error") return { kind: "away", error };
  const code = Number(error.data.rpcCode);
  const reason = String(error.data.says);
  if (FINAL_RPC_CODES.has(code)) return { kind: "verdict", verdict: "rejected", reason };
  if (code === UNFORESEEN_RPC_CODE) return { kind: "wait", otherwise: "rejected", reason };
  return { kind: "away", error };
}
