import { describe, expect, test } from "vitest";
import { TRANSITIONS } from "../../../../src/ledger/blocks/state.ts";
import type { BlockBooks } from "../../../../src/ledger/books/block-books.ts";
import { nextStep } from "../../../../src/ledger/books/next-step.ts";
import type { BlockState } from "../../../../src/ledger/store/schema.ts";

function books(
  state: BlockState,
  actual: bigint | undefined,
  standing: bigint | undefined,
  finderPaid = 0n,
): BlockBooks {
  const block = {
    id: 1,
    chain: "rsk",
    key: "rsk:1",
    blockHash: "",
    height: 1,
    finder: "anna",
    foundMs: 1,
    state,
    difficulty: 1n,
    actual,
    finderPaid,
    isGift: false,
  };
  return { block, standing, last: standing === undefined ? 0 : 1, lastTotal: standing };
}
const mature = { distributeAt: "mature" } as const;
const confirmed = { distributeAt: "confirmed" } as const;

describe("what the books owe a block", () => {
  test.each<[BlockState, bigint | undefined, bigint | undefined, string | undefined, string | undefined]>([
    // state, actual, what stands, next step when divided at maturity, at confirmation
    ["confirmed", 5n, undefined, undefined, "distribute"],
    ["confirmed", undefined, undefined, undefined, undefined],
    ["confirmed", 5n, 5n, undefined, undefined],
    ["confirmed", 5n, 4n, "correct", "correct"],
    ["uncle", 2n, undefined, undefined, "distribute"],
    ["uncle", 2n, 5n, "correct", "correct"],
    ["mature", 5n, undefined, "distribute", "distribute"],
    ["mature", undefined, undefined, undefined, undefined],
    ["mature", 5n, 5n, "finish", "finish"],
    ["mature", 0n, 0n, "finish", "finish"],
    ["mature", 5n, 4n, "correct", "correct"],
    ["distributed", 5n, 5n, undefined, undefined],
    ["distributed", 4n, 5n, "correct", "correct"],
    // Its transactions are in a summary.
    ["distributed", 5n, undefined, undefined, undefined],
    ["orphaned", 5n, 5n, "reverse", "reverse"],
    ["orphaned", undefined, 0n, "reverse", "reverse"],
    ["orphaned", 5n, undefined, undefined, undefined],
  ])("%s, pays %s, %s stands: %s at maturity, %s when confirmed", (state, actual, standing, atMaturity, early) => {
    expect(nextStep(books(state, actual, standing), mature)).toBe(atMaturity);
    expect(nextStep(books(state, actual, standing), confirmed)).toBe(early);
  });

  test("what a coinbase paid its finder is part of what stands", () => {
    expect(nextStep(books("mature", 30n, 1000n, 970n), mature)).toBe("finish");
    expect(nextStep(books("mature", 30n, 30n, 970n), mature)).toBe("correct");
  });

  test("nothing before the chain took it", () => {
    for (const state of ["found", "submitting", "accepted", "rejected", "stale", "failed"] as const) {
      expect(nextStep(books(state, 5n, undefined), confirmed)).toBeUndefined();
    }
  });

  test("a finished block is followed by what the table of states allows", () => {
    expect(TRANSITIONS.mature).toContain("distributed");
    expect(TRANSITIONS.distributed).toEqual(["orphaned"]);
  });
});
