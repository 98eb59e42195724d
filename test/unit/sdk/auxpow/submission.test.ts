import { describe, expect, test } from "vitest";
import { Fault } from "../../../../src/kernel/fault.ts";
import { type AuxPowProfile, NAMECOIN_LIKE } from "../../../../src/sdk/auxpow/profile.ts";
import { readError, readResult } from "../../../../src/sdk/auxpow/submission.ts";
import recorded from "../../../vectors/daemon-rpc.json" with { type: "json" };

const namecoin: AuxPowProfile = { ...NAMECOIN_LIKE, name: "namecoin", chainId: 1 };
const emercoin: AuxPowProfile = { ...namecoin, vague: ["false"] };
const elastos: AuxPowProfile = { ...namecoin, vague: ["adding block failed"] };
const failure = (rpcCode: number, says: string): Fault => new Fault("node-rpc-error", { node: "d", rpcCode, says });

describe("results", () => {
  test.each([
    [true, namecoin, "accepted"],
    [false, namecoin, "rejected"],
    [false, emercoin, "vague"],
    [null, { ...namecoin, success: "null" as const }, "accepted"],
    [true, { ...namecoin, success: "null" as const }, "accepted"],
    [false, { ...namecoin, success: "null" as const }, "rejected"],
    // BIP22's words, as Emercoin answers.
    ["duplicate", emercoin, "duplicate"],
    ["duplicate-inconclusive", emercoin, "duplicate"],
    ["duplicate-invalid", emercoin, "rejected"],
    ["inconclusive", emercoin, "accepted"],
    ["stale-work", emercoin, "stale"],
    ["bad-txns", emercoin, "rejected"],
  ])("%s is a word", (result, profile, verdict) => {
    expect(readResult(result, profile, "d").verdict).toBe(verdict);
  });

  test.each([null, undefined, "", 1, {}, []])("%s says nothing", (result) => {
    expect(() => readResult(result, namecoin, "d")).toThrow(/expected form/);
  });
});

describe("errors", () => {
  test.each([
    [-8, "block hash unknown", namecoin, "stale"],
    [-8, "invalid block hash hex", namecoin, "rejected"],
    [-1, "DataStream::read(): end of data: iostream error", namecoin, "rejected"],
    [45002, "auxpow deserialization failed", elastos, "rejected"],
    [45002, "block hash unknown", elastos, "stale"],
    [45002, "adding block failed", elastos, "vague"],
    [-100, "Block failed CheckBlock() function.", emercoin, "rejected"],
    [-25, "already have block", namecoin, "duplicate"],
  ])("%i %s is a word", (code, says, profile, verdict) => {
    expect(readError(failure(code, says), profile)).toEqual({ verdict, reason: says });
  });

  test("what is no word on the proof goes on as it came", () => {
    for (const error of [
      failure(-32603, "Internal error"),
      new Fault("node-syncing", { rpcCode: -10 }),
      new Fault("node-no-peers", { rpcCode: -9 }),
      new Fault("node-timeout", {}),
      new TypeError("x"),
    ]) {
      expect(() => readError(error, namecoin)).toThrow(error);
    }
  });

  test("a locked wallet can be unlocked: the same proof is submitted again", () => {
    expect(() => readError(failure(-100, "Unable to sign block, wallet locked?"), emercoin)).toThrow(
      expect.objectContaining({ code: "aux-wallet" }),
    );
  });
});

test("every bad submission that was recorded is a final word", () => {
  interface Exchange {
    readonly daemon: string;
    readonly request: { readonly method: string };
    readonly response: { readonly error?: { readonly code: number; readonly message: string } | null };
  }
  const verdicts = (recorded.exchanges as unknown as readonly Exchange[]).flatMap(({ daemon, request, response }) => {
    const { error } = response;
    if (request.method !== "submitauxblock" || error === null || error === undefined) return [];
    return [`${daemon.split(" ")[0]}: ${readError(failure(error.code, error.message), elastos).verdict}`];
  });
  expect(verdicts).toEqual(["Namecoin: stale", "Namecoin: rejected", "Namecoin: rejected", "Elastos.ELA: rejected"]);
});
