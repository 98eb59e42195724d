/** The submission that a real RSKj accepted, rebuilt from the Bitcoin block it was mined in, and the answers of RSKj. */
import { Fault, fromHex, type Proof, reversed, toHex } from "bllvm-stratum-v2/plugin";
import { describe, expect, test } from "vitest";
import { sha256d } from "../../src/bitcoin/hash.ts";
import recorded from "../../test/vectors/daemon-rpc.json" with { type: "json" };
import oneHeader from "../../test/vectors/one-header-four-chains.json" with { type: "json" };
import { outcomeOf, outcomeOfError, submitAnswer, submitParams } from "./submission.ts";
import { auxWork, getWorkAnswer } from "./work.ts";

function exchange(method: string) {
  const found = oneHeader.exchanges.find(({ request }) => request.method === method);
  if (found === undefined) throw new Error(`no ${method} in the vectors`);
  return { params: found.request.params as string[], result: (found.response as { result: unknown }).result };
}

const submission = exchange("mnr_submitBitcoinBlockPartialMerkle");

/** From the block as bitcoind took it and the txids of its template: nothing that was sent to RSKj. */
function proofFromBlock(): Proof {
  const block = fromHex(exchange("submitblock").params[0] ?? "");
  const { transactions } = exchange("getblocktemplate").result as { transactions: { txid: string }[] };
  const [a, b] = transactions.map(({ txid }) => reversed(fromHex(txid)));
  if (a === undefined || b === undefined) throw new Error("the template has two transactions");
  const work = getWorkAnswer.parse(exchange("mnr_getWork").result);
  if (work === null) throw new Error("no work");
  const header = block.slice(0, 80);
  // Behind the header and the count: version, marker and flag, inputs and outputs, witness, lock time.
  const witness = toHex(block).indexOf(`0120${"00".repeat(32)}00000000`);
  const coinbase = `${toHex(block).slice(162, 170)}${toHex(block).slice(174, witness)}00000000`;
  return {
    work: auxWork(work, 5, "a"),
    header,
    headerHash: sha256d(header),
    coinbase: fromHex(coinbase),
    merkleBranch: [a, sha256d(Uint8Array.from([...b, ...b]))],
    transactionCount: 3,
    auxpow: undefined,
  };
}

describe("a submission", () => {
  test("is the same as the recorded one, which RSKj accepted, to the byte", () => {
    expect(submitParams(proofFromBlock())).toEqual(submission.params);
  });

  test("counts transactions in hex", () => {
    expect(submitParams({ ...proofFromBlock(), transactionCount: 3000 })[4]).toBe("bb8");
  });

  test("of a block with the coinbase alone has its txid as the whole list", () => {
    const proof = { ...proofFromBlock(), merkleBranch: [], transactionCount: 1 };
    expect(submitParams(proof).slice(3)).toEqual([toHex(sha256d(proof.coinbase)), "1"]);
  });
});

describe("an answer", () => {
  const answer = submitAnswer.parse(submission.result);
  const ended = (how: string) => ({ ...answer, blockImportedResult: `0x${toHex(new TextEncoder().encode(how))}` });

  test("of the real RSKj is accepted, with hash and height", () => {
    expect(outcomeOf(answer)).toEqual({
      verdict: "accepted",
      reason: "IMPORTED_BEST",
      blockHash: "0x45f71f71fc86dd255329223acb703072c357ea08a0cbd1299358f763cdf905bf",
      height: 5,
    });
  });

  test.each([
    ["IMPORTED_NOT_BEST", "accepted"],
    ["EXIST", "duplicate"],
    ["NO_PARENT", "stale"],
    ["INVALID_BLOCK", "rejected"],
    ["CONSENSUS_BREAK", "rejected"],
  ])("%s is %s", (how, verdict) => {
    expect(outcomeOf(ended(how))).toMatchObject({ verdict, reason: how });
  });

  test("that no version gives is no final word", () => {
    expect(() => outcomeOf(ended("toString"))).toThrow('"toString" is not known');
  });

  test.each([
    ["garbage", { nonsense: [null] }],
    ["a result that is no hex", { ...answer, blockImportedResult: "IMPORTED_BEST" }],
    ["an odd number of digits", { ...answer, blockImportedResult: "0x494" }],
    ["no height", { ...answer, blockIncludedHeight: null }],
  ])("%s is refused", (_name, wrong) => {
    expect(submitAnswer.safeParse(wrong).success).toBe(false);
  });
});

describe("an error", () => {
  const fault = (rpcCode: number, says: string) => new Fault("node-rpc-error", { rpcCode, says });

  test("about the cache means that the node does not hold the work", () => {
    const says = `Cannot publish block, could not find hash 0x${"ab".repeat(32)} in the cache`;
    expect(outcomeOfError(fault(-33000, says))).toBe("unknownHash");
  });

  test("about a wrong block is a refusal in the node's words", () => {
    const says = "Invalid block supplied by miner: 45f71f 2a4365 at height 5";
    expect(outcomeOfError(fault(-33000, says))).toEqual({ verdict: "rejected", reason: says });
  });

  test("about the rate limit is no final word", () => {
    expect(outcomeOfError(fault(-33000, "Cannot publish block, block submission rate limit exceeded"))).toBeUndefined();
  });

  test("that RSKj was recorded to give for garbage, and a dead connection, are no final words", () => {
    const errors = recorded.exchanges.flatMap(({ daemon, response }) => {
      const { error } = response as { error?: { code: number; message: string } | null };
      return daemon.startsWith("RSKj") && error != null ? [fault(error.code, error.message)] : [];
    });
    expect(errors).toHaveLength(3);
    for (const each of [...errors, new Fault("node-refused"), new Error("x")])
      expect(outcomeOfError(each)).toBeUndefined();
  });
});
