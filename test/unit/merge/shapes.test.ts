import { describe, expect, test } from "vitest";
import { commitmentsFlaw, outcomeFlaw, statusFlaw, workFlaw } from "../../../src/merge/shapes.ts";

const hash = new Uint8Array(32).fill(7);
const work = { id: "ab", hash, parent: "cd", height: 5, target: 1n, value: 0n, details: { a: "b", c: 1, d: true } };
const leaf = { kind: "auxpow", chainId: 1, hash, strictChainId: true };
const tag = { kind: "output", script: Uint8Array.of(0x6a, 2, 0x68, 0x69) };
const outcome = { verdict: "accepted", reason: "" };
const status = { state: "confirmed", confirmations: 1, reward: undefined };

describe("the shape of what a plugin hands over", () => {
  test.each([
    ["work", workFlaw, work],
    ["work of an unknown value", workFlaw, { ...work, value: undefined }],
    ["a tag that nothing solves", workFlaw, { ...work, target: 0n }],
    ["a leaf", commitmentsFlaw, leaf],
    ["a leaf and outputs", commitmentsFlaw, [leaf, tag, tag, tag, tag]],
    [
      "a bound output",
      commitmentsFlaw,
      { ...tag, first: Uint8Array.of(0x68), maxBytesAfter: 128, forbid: Uint8Array.of(1) },
    ],
    ["an outcome", outcomeFlaw, outcome],
    ["an outcome in full", outcomeFlaw, { ...outcome, verdict: "stale", blockHash: "aa", height: 0 }],
    ["a status", statusFlaw, status],
    ["a paid status", statusFlaw, { state: "uncle", confirmations: 0, reward: 5n }],
  ])("%s as it should be has no flaw", (_name, flaw, value) => {
    expect(flaw(value)).toBeUndefined();
  });

  test.each([
    [workFlaw, undefined, "not an object"],
    [workFlaw, { ...work, id: "" }, "id"],
    [workFlaw, { ...work, id: "x".repeat(257) }, "id"],
    [workFlaw, { ...work, hash: "ab" }, "hash"],
    [workFlaw, { ...work, hash: new Uint8Array(31) }, "hash"],
    [workFlaw, { ...work, parent: undefined }, "parent"],
    [workFlaw, { ...work, height: 1.5 }, "height"],
    [workFlaw, { ...work, height: -1 }, "height"],
    [workFlaw, { ...work, target: -1n }, "target"],
    [workFlaw, { ...work, target: 1n << 256n }, "target"],
    [workFlaw, { ...work, target: 5 }, "target"],
    [workFlaw, { ...work, value: 5 }, "value"],
    [workFlaw, { ...work, value: 1n << 256n }, "value"],
    [workFlaw, { ...work, details: undefined }, "details"],
    [workFlaw, { ...work, details: { big: 5n } }, "details.big"],
    [workFlaw, { ...work, details: { nan: Number.NaN } }, "details.nan"],
    [workFlaw, { ...work, details: { a: "x".repeat(65_536) } }, "65536 characters"],
    [commitmentsFlaw, Promise.resolve(leaf), "promise"],
    [commitmentsFlaw, undefined, "not an object"],
    [commitmentsFlaw, [], "no commitment"],
    [commitmentsFlaw, [leaf, leaf], "more than one"],
    [commitmentsFlaw, [tag, tag, tag, tag, tag], "more than 4"],
    [commitmentsFlaw, { kind: "other" }, "kind"],
    [commitmentsFlaw, { ...leaf, chainId: 65_536 }, "chainId"],
    [commitmentsFlaw, { ...leaf, hash: new Uint8Array(33) }, "hash"],
    [commitmentsFlaw, { ...leaf, strictChainId: undefined }, "strictChainId"],
    [commitmentsFlaw, { ...tag, script: new Uint8Array(0) }, "script"],
    [commitmentsFlaw, { ...tag, script: new Uint8Array(101) }, "script"],
    [commitmentsFlaw, { ...tag, maxBytesAfter: -1 }, "maxBytesAfter"],
    [commitmentsFlaw, { ...tag, first: Uint8Array.of(0x99) }, "does not hold the bytes of first"],
    [commitmentsFlaw, { ...tag, last: "x" }, "last"],
    [outcomeFlaw, true, "not an object"],
    [outcomeFlaw, { ...outcome, verdict: "ok" }, "verdict"],
    [outcomeFlaw, { verdict: "accepted" }, "reason"],
    [outcomeFlaw, { ...outcome, blockHash: "" }, "blockHash"],
    [outcomeFlaw, { ...outcome, height: -1 }, "height"],
    [statusFlaw, null, "not an object"],
    [statusFlaw, { ...status, state: "fine" }, "state"],
    [statusFlaw, { ...status, confirmations: -1 }, "confirmations"],
    [statusFlaw, { ...status, reward: 5 }, "reward"],
  ])("%o of %o is named", (flaw, value, words) => {
    expect(flaw(value)).toContain(words);
  });
});
