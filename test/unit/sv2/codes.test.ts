import { describe, expect, test } from "vitest";
import * as codes from "../../../src/sv2/codes.ts";

const tables = Object.entries(codes).filter(([name]) => name.endsWith("_ERROR"));

describe("error codes (spec 3.5)", () => {
  test.each(tables)("%s: printable ASCII that a miner's 64-byte buffer holds", (_, table) => {
    for (const code of Object.values(table)) expect(code).toMatch(/^[a-z-]{1,63}$/);
  });

  test("the flags of the mining protocol are the bits of spec 5.3.1", () => {
    expect(codes.MINING_FLAGS).toEqual({
      requiresStandardJobs: 1,
      requiresWorkSelection: 2,
      requiresVersionRolling: 4,
    });
    expect(codes.MINING_SUCCESS_FLAGS).toEqual({ requiresFixedVersion: 1, requiresExtendedChannels: 2 });
  });
});
