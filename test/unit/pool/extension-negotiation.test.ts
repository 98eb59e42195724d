/** The worked examples and rules of sv2-spec extensions/0x0001 §4 (spec 0f38d51). */
import { describe, expect, test } from "vitest";
import { negotiate } from "../../../src/pool/extension-negotiation.ts";

describe("negotiate", () => {
  test("example 4: of 0x0002 and 0x0003 only the first is supported", () => {
    expect(negotiate([2, 3], { supported: [2], required: [] })).toEqual({ kind: "success", accepted: [2] });
  });

  test("example 5: nothing of the request is supported", () => {
    expect(negotiate([2], { supported: [], required: [] })).toEqual({ kind: "error", unsupported: [2], missing: [] });
  });

  test("example 6: the server requires what was not requested", () => {
    expect(negotiate([2, 3], { supported: [2, 5], required: [5] })).toEqual({
      kind: "error",
      unsupported: [3],
      missing: [5],
    });
  });

  test("a request for nothing is fine, unless something is required", () => {
    expect(negotiate([], { supported: [2], required: [] })).toEqual({ kind: "success", accepted: [] });
    expect(negotiate([], { supported: [2], required: [2] })).toEqual({ kind: "error", unsupported: [], missing: [2] });
  });

  test("0x0001 itself is confirmed, and requiring it asks for no more than a negotiation", () => {
    expect(negotiate([1], { supported: [2], required: [1] })).toEqual({ kind: "success", accepted: [1] });
    expect(negotiate([2], { supported: [2], required: [1, 2] })).toEqual({ kind: "success", accepted: [2] });
  });

  test("repetitions are answered once", () => {
    expect(negotiate([2, 2, 9, 9], { supported: [2], required: [] })).toEqual({ kind: "success", accepted: [2] });
    expect(negotiate([9, 9], { supported: [2], required: [] })).toEqual({
      kind: "error",
      unsupported: [9],
      missing: [],
    });
  });
});
