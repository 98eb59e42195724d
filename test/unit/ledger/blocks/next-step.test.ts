import { describe, expect, test } from "vitest";
import { CHECK_PACE, checkPauseMs } from "../../../../src/ledger/blocks/check-pace.ts";
import { type BlockPlace, nextStep } from "../../../../src/ledger/blocks/next-step.ts";
import { TRANSITIONS } from "../../../../src/ledger/blocks/state.ts";
import type { BlockState } from "../../../../src/ledger/store/schema.ts";
import type { BlockStatus } from "../../../../src/merge/plugin.ts";

const HOUR = 3_600_000;
const place = (state: BlockState, more: Partial<BlockPlace> = {}): BlockPlace => ({
  state,
  ageMs: HOUR,
  inStateMs: HOUR / 2,
  matureForMs: undefined,
  isPayKnown: true,
  unknownForMs: 0,
  ...more,
});
const said = (state: BlockStatus["state"], confirmations = 5): BlockStatus => ({
  state,
  confirmations,
  reward: undefined,
});
const stepOf = (state: BlockState, word: BlockStatus["state"], more: Partial<BlockPlace> = {}) =>
  nextStep(place(state, more), said(word), CHECK_PACE);

test("a block is asked for after a tenth of its age, within 15 s and 10 min", () => {
  expect([0, 60_000, 600_000, HOUR, 100 * HOUR].map((age) => checkPauseMs(age, CHECK_PACE))).toEqual([
    15_000, 15_000, 60_000, 360_000, 600_000,
  ]);
});

describe("the chain's word", () => {
  test.each([
    ["accepted", "confirmed", "confirmed"],
    ["accepted", "uncle", "uncle"],
    ["accepted", "mature", "mature"],
    ["accepted", "orphaned", "orphaned"],
    ["confirmed", "confirmed", undefined],
    ["confirmed", "uncle", "uncle"],
    ["confirmed", "mature", "mature"],
    ["confirmed", "orphaned", "orphaned"],
    ["uncle", "confirmed", "confirmed"],
    ["uncle", "orphaned", "orphaned"],
    ["orphaned", "confirmed", "confirmed"],
    ["orphaned", "uncle", "uncle"],
    ["orphaned", "mature", "mature"],
    ["orphaned", "orphaned", undefined],
    ["stale", "confirmed", "confirmed"],
    ["stale", "orphaned", undefined],
    ["failed", "mature", "mature"],
    ["submitting", "uncle", "uncle"],
    ["submitting", "orphaned", undefined],
    // A daemon that lags counts less, and takes nothing back.
    ["mature", "confirmed", undefined],
    ["mature", "uncle", undefined],
    ["mature", "orphaned", "orphaned"],
    ["distributed", "confirmed", undefined],
    ["distributed", "uncle", undefined],
    ["distributed", "mature", undefined],
    ["distributed", "orphaned", "orphaned"],
  ] as const)("of a block that is %s: %s makes it %s", (state, word, to) => {
    expect(stepOf(state, word).to).toBe(to);
  });

  test("never asks for a step that the table of states does not have", () => {
    for (const state of Object.keys(TRANSITIONS) as BlockState[]) {
      if (state === "rejected") continue;
      for (const word of ["confirmed", "mature", "uncle", "orphaned", "unknown"] as const) {
        for (const unknownForMs of [0, 100 * HOUR]) {
          const { to } = stepOf(state, word, { unknownForMs, ageMs: 100 * HOUR });
          if (to !== undefined) expect(TRANSITIONS[state], `${state} ${word}`).toContain(to);
        }
      }
    }
  });
});

describe("a block that no daemon knows", () => {
  test("stays where it is for a while, since daemons are set back and come again", () => {
    const step = stepOf("confirmed", "unknown", { unknownForMs: 6 * HOUR - 1 });
    expect(step).toEqual({ to: undefined, note: "", pauseMs: 360_000 });
  });

  test("counts as orphaned after that, and says why", () => {
    const step = stepOf("mature", "unknown", { unknownForMs: 6 * HOUR });
    expect(step).toMatchObject({ to: "orphaned", note: "no daemon has known it for 6 h" });
  });
});

describe("an end of asking", () => {
  test("comes a day after maturity, with a few looks in between", () => {
    expect(stepOf("confirmed", "mature").pauseMs).toBe(6 * HOUR);
    expect(stepOf("mature", "mature", { matureForMs: 23 * HOUR }).pauseMs).toBe(6 * HOUR);
    expect(stepOf("mature", "mature", { matureForMs: 24 * HOUR })).toMatchObject({ to: undefined, pauseMs: undefined });
    expect(stepOf("distributed", "mature", { matureForMs: 24 * HOUR }).pauseMs).toBeUndefined();
  });

  test("comes only after 30 days where the chain never told what it pays", () => {
    const at = (matureForMs: number) => stepOf("mature", "mature", { matureForMs, isPayKnown: false }).pauseMs;
    expect([at(24 * HOUR), at(30 * 24 * HOUR - 1), at(30 * 24 * HOUR)]).toEqual([6 * HOUR, 6 * HOUR, undefined]);
  });

  test("does not come for a block that was distributed before it was mature", () => {
    expect(stepOf("distributed", "confirmed", { ageMs: 1000 * HOUR }).pauseMs).toBe(600_000);
  });

  test("comes for an orphan after two days, for what is stale or failed after six hours", () => {
    expect(stepOf("orphaned", "orphaned", { inStateMs: 48 * HOUR - 1 }).pauseMs).toBe(360_000);
    expect(stepOf("orphaned", "orphaned", { inStateMs: 48 * HOUR }).pauseMs).toBeUndefined();
    expect(stepOf("orphaned", "unknown", { inStateMs: 48 * HOUR }).pauseMs).toBeUndefined();
    expect(stepOf("stale", "unknown", { inStateMs: 6 * HOUR }).pauseMs).toBeUndefined();
    expect(stepOf("failed", "orphaned", { inStateMs: 6 * HOUR }).pauseMs).toBeUndefined();
  });

  test("of a submission whose answer was lost comes as failed, after a day", () => {
    expect(stepOf("submitting", "unknown", { ageMs: 24 * HOUR - 1 }).to).toBeUndefined();
    expect(stepOf("submitting", "unknown", { ageMs: 24 * HOUR })).toMatchObject({
      to: "failed",
      note: "no answer came, and the chain has not got it after 24 h",
    });
  });
});
