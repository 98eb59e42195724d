/** Work of a real RSKj and the output that commits to it. */
import { fromHex, toHex } from "bllvm-stratum-v2/plugin";
import { describe, expect, test } from "vitest";
import recorded from "../../test/vectors/daemon-rpc.json" with { type: "json" };
import oneHeader from "../../test/vectors/one-header-four-chains.json" with { type: "json" };
import { auxWork, getWorkAnswer, heightInHash, tagOutput } from "./work.ts";

const answers = [...recorded.exchanges, ...oneHeader.exchanges]
  .filter(({ request }) => request.method === "mnr_getWork")
  .map(({ response }) => getWorkAnswer.parse((response as { result: unknown }).result));
const answer = answers[0];
if (answer === null || answer === undefined) throw new Error("the vectors hold no work");

describe("mnr_getWork", () => {
  test("the answers of RSKj 9.0.3 become work: hash as printed, target big-endian, wei", () => {
    expect(answers).toHaveLength(3);
    expect(auxWork(answer, 5, "node-a")).toEqual({
      id: "0x156f39711d2c80d12f41cf054e02ad02f8f91f24eb84ab1a89de08a083433949",
      hash: fromHex("156f39711d2c80d12f41cf054e02ad02f8f91f24eb84ab1a89de08a083433949"),
      parent: "0xe9a6807291124b88200425f6fb0f2f195ffefd750557f2a527fb7bed319537f2",
      height: 5,
      target: (2n ** 256n - 1n) / 3n,
      value: 0n,
      details: { node: "node-a" },
    });
  });

  test("its block is expected to pay the miner's part of its fees; more than 2^64 wei stay exact", () => {
    const worth = (fees: string) => auxWork({ ...answer, feesPaidToMiner: fees }, 5, "a").value;
    // rskj's remasc.json: 20 % for RSK Labs, 1 % of the rest for the federation.
    expect(worth("5000000000000")).toBe(3_960_000_000_000n);
    expect(worth("100000000000000000000000")).toBe(79_200_000_000_000_000_000_000n);
  });

  test.each([
    ["no object", "work"],
    ["a hash without 0x", { ...answer, blockHashForMergedMining: "15".repeat(32) }],
    ["a short target", { ...answer, target: "0x55" }],
    ["fees in hex", { ...answer, feesPaidToMiner: "0x10" }],
    ["no parent", { ...answer, parentBlockHash: undefined }],
  ])("%s is refused", (_name, wrong) => {
    expect(getWorkAnswer.safeParse(wrong).success).toBe(false);
  });

  test("null means that the node has nothing to mine", () => {
    expect(getWorkAnswer.parse(null)).toBeNull();
  });
});

describe("the height in the hash (RSKIP-110)", () => {
  const told = (tail: string) => ({ ...answer, blockHashForMergedMining: `0x${"ab".repeat(28)}${tail}` });

  test("is taken near the last one", () => {
    expect(heightInHash(told("0065c1a2"), 6_668_705)).toBe(0x65c1a2);
  });

  test("is not taken from a young regtest chain, whose hash holds none", () => {
    expect(heightInHash(answer, 4)).toBeUndefined();
  });

  test("is not taken when nothing is known to compare it with, nor far off", () => {
    expect(heightInHash(told("0065c1a2"), undefined)).toBeUndefined();
    expect(heightInHash(told("0065c1a2"), 0x65c1a2 - 1001)).toBeUndefined();
    expect(heightInHash(told("0065c1a2"), 0x65c1a2 + 24)).toBeUndefined();
  });
});

describe("the output", () => {
  test("is the one that RSKj took in the recorded coinbase", () => {
    const work = oneHeader.exchanges.filter(({ request }) => request.method === "mnr_getWork")[0];
    const [submission] = oneHeader.exchanges.filter(({ request }) => request.method.startsWith("mnr_submit"));
    if (work === undefined || submission === undefined) throw new Error("the vectors hold no submission");
    const { result } = work.response as unknown as { result: { blockHashForMergedMining: string } };
    const hash = result.blockHashForMergedMining;
    const [, , coinbase = ""] = submission.request.params as string[];
    const output = tagOutput(fromHex(hash.slice(2)));
    const script = toHex(output.script);
    expect(coinbase).toContain(`00000000000000002b${script}`);
    expect(script).toBe(`6a2952534b424c4f434b3a${hash.slice(2)}`);
  });

  test("declares rskj's rules: at most 128 bytes behind it, the last tag", () => {
    expect(tagOutput(new Uint8Array(32))).toMatchObject({
      kind: "output",
      maxBytesAfter: 128,
      last: new TextEncoder().encode("RSKBLOCK:"),
    });
  });
});
