/**
 * What the books owe a block, as a table of its state against its books. Whether a block was divided is read from its transactions alone: its state
 * follows the chain, so a block that was divided when it was confirmed is followed on, and comes to `distributed` when it is mature without being
 * divided again.
 */
import type { BlockBooks } from "./block-books.ts";
import type { RewardRules } from "./reward-rules.ts";

/**
 * `distribute` its reward is to be divided, `correct` the standing distribution is to be replaced, since the chain pays another amount, `reverse`
 * taken back, since the block is an orphan, `finish` the block is done with.
 */
export type Step = "distribute" | "correct" | "reverse" | "finish";

/** What is to be done next about a block; `undefined` for nothing. */
export function nextStep(
  { block, standing }: BlockBooks,
  { distributeAt }: Pick<RewardRules, "distributeAt">,
): Step | undefined {
  const { state, actual, finderPaid } = block;
  switch (state) {
    case "orphaned":
      return standing === undefined ? undefined : "reverse";
    case "mature":
    case "distributed":
    case "confirmed":
    case "uncle":
      if (actual === undefined) return undefined;
      if (standing !== undefined && standing !== actual + finderPaid) return "correct";
      if (standing !== undefined) return state === "mature" ? "finish" : undefined;
      // Distributed without a distribution: it is in a summary by now.
      if (state === "distributed") return undefined;
      return state === "mature" || distributeAt === "confirmed" ? "distribute" : undefined;
    default:
      return undefined;
  }
}
