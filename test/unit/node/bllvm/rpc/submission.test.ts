import { describe, expect, test } from "vitest";
import { decodeBlock } from "../../../../../src/devnet/node/block-data.ts";
import { toHex } from "../../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import type { Template } from "../../../../../src/mining/template.ts";
import { submitAnswer } from "../../../../../src/node/bitcoind/answers.ts";
import { readSubmitError, readSubmitResult } from "../../../../../src/node/bitcoind/submit-answer.ts";
import { solveTemplate } from "../../../../support/solve-template.ts";
import { pass, settle } from "../../bitcoind/fakes.ts";
import { type WorldOptions, world } from "./world.ts";

const away = new Fault("bllvm-away", { node: "bllvm" });
const denied = new Fault("bllvm-request-unusable", { node: "bllvm", request: "QueueReceivedBlock" });
const words = (says: string) => new Fault("node-rpc-error", { rpcCode: -32602, says });

async function setting(choice: WorldOptions = {}) {
  const all = world(choice);
  const made = await all.template();
  const hexOf = (template: Template, extraValue = 0n): string => {
    const { block } = solveTemplate(template, { extraValue, payout: Uint8Array.of(0x51) });
    return toHex(block ?? new Uint8Array(0));
  };
  const submit = (hex = hexOf(made)) => all.rpc.call("submitblock", [hex], submitAnswer, { timeoutMs: 60_000 });
  /** What the block sink would read of it, once `ms` have passed. */
  const reading = async (hex = hexOf(made), ms = 31_000) => {
    const read = submit(hex).then(readSubmitResult, readSubmitError);
    await pass(all.clock, ms, 500);
    return read;
  };
  return { ...all, made, hexOf, submit, reading };
}

describe("a block", () => {
  test("goes both ways at once and is accepted when it is the tip", async () => {
    const { submit, node, jsonRpc, devnet, made } = await setting();
    node.connects = false;
    const answer = submit();
    await settle();
    expect(jsonRpc.taken.length).toBe(1);
    expect(node.queued).toEqual([expect.any(Uint8Array)]);
    const [block] = jsonRpc.taken;
    if (block === undefined) throw new Error("no block");
    devnet.chain.submit(block);
    expect(await answer).toBe(null);
    expect(devnet.chain.tip.height).toBe(made.height);
    expect(block.key).toBe(devnet.chain.tip.key);
  });

  test("is not accepted because the node says BlockMined: it says so of every block that it queues", async () => {
    const { submit, node, jsonRpc, devnet, clock } = await setting();
    node.connects = false;
    let isAnswered = false;
    const answer = submit().finally(() => {
      isAnswered = true;
    });
    await pass(clock, 10_000, 500);
    const [block] = jsonRpc.taken;
    if (block === undefined) throw new Error("no block");
    expect(isAnswered).toBe(false);
    devnet.chain.submit(block);
    expect(await answer).toBe(null);
  });

  test("that the node took and does not connect is tried again, and refused in the end", async () => {
    const { reading, node } = await setting();
    node.connects = false;
    expect(await reading()).toEqual({
      kind: "wait",
      otherwise: "rejected",
      reason: expect.stringContaining("has not connected it"),
    });
  });

  test("that is in the chain already is a duplicate, and is not sent again", async () => {
    const { submit, devnet, node, jsonRpc, hexOf, made } = await setting();
    const hex = hexOf(made);
    expect(devnet.chain.submit(decodeBlock(Buffer.from(hex, "hex")))).toBe(null);
    await devnet.generate(2);
    expect(await submit(hex)).toBe("duplicate");
    expect(node.queued.length + jsonRpc.taken.length).toBe(0);
  });

  test("that came behind another one at its height is stale", async () => {
    const { reading, devnet } = await setting();
    await devnet.generate(1);
    expect(await reading()).toEqual({ kind: "verdict", verdict: "stale", reason: "inconclusive" });
  });

  test("that another one beats while it is queued is stale", async () => {
    const { reading, devnet, node, clock } = await setting();
    node.connects = false;
    const answer = reading();
    await settle();
    await devnet.generate(1);
    await pass(clock, 100);
    expect(await answer).toEqual({ kind: "verdict", verdict: "stale", reason: "inconclusive" });
  });

  test("that the JSON-RPC refuses is rejected with its words, when the chain does not have it in time", async () => {
    const { reading, node, jsonRpc } = await setting();
    node.connects = false;
    jsonRpc.failing.set("submitblock", words("Block size mismatch"));
    expect(await reading()).toEqual({ kind: "verdict", verdict: "rejected", reason: "Block size mismatch" });
  });

  test("that one way refuses and the other connects is accepted", async () => {
    const { reading, jsonRpc } = await setting();
    jsonRpc.failing.set("submitblock", words("Block size mismatch"));
    expect(await reading()).toEqual({ kind: "verdict", verdict: "accepted", reason: "" });
  });

  test("that no way takes is rejected at once with the words of the one that said some", async () => {
    const { submit, node, jsonRpc } = await setting();
    node.failing.set("queueReceivedBlock", denied);
    jsonRpc.failing.set("submitblock", words("Failed to deserialize block: x"));
    expect(await submit()).toBe("Failed to deserialize block: x");
  });

  test("is judged by a repaired JSON-RPC in BIP22's words", async () => {
    const { submit, node, jsonRpc } = await setting();
    node.connects = false;
    jsonRpc.results.set("submitblock", () => "bad-cb-amount");
    expect(await submit()).toBe("bad-cb-amount");
  });

  test("on a block that the node lacks is kept until it comes", async () => {
    const { submit, hexOf, made, node } = await setting();
    node.connects = false;
    const hex = hexOf({ ...made, prevHash: new Uint8Array(32).fill(9) });
    expect(await submit(hex)).toBe("prev-blk-not-found");
  });

  test("on a block beside the best chain is kept too, since that may change", async () => {
    const { reading, devnet, node, jsonRpc, template, hexOf } = await setting();
    const first = await template();
    const rival = devnet.chain.tip;
    await devnet.generate(1);
    const side = hexOf({ ...first, curTime: first.curTime + 1 });
    devnet.chain.submit(decodeBlock(Buffer.from(side, "hex")));
    expect(devnet.chain.tip.prev).toBe(rival);
    node.connects = false;
    const parent = decodeBlock(Buffer.from(side, "hex"));
    const made = await template();
    const reads = await reading(hexOf({ ...made, prevHash: parent.hash }));
    expect(jsonRpc.count("submitblock")).toBe(1);
    expect(reads).toEqual({ kind: "wait", otherwise: "stale", reason: "prev-blk-not-found" });
  });

  test("that is none is an error of ours", async () => {
    const { submit } = await setting();
    for (const hex of ["zz", "00", "11".repeat(80)]) {
      const error = await submit(hex).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "node-rpc-error", data: { rpcCode: -22 } });
      expect(readSubmitError(error)).toMatchObject({ kind: "verdict", verdict: "rejected" });
    }
  });
});

describe("a node that is away", () => {
  test("in every way is tried again", async () => {
    const { reading, node, jsonRpc } = await setting();
    node.turn("down");
    jsonRpc.failing.set("submitblock", new Fault("node-refused", {}));
    jsonRpc.failing.set("getbestblockhash", new Fault("node-refused", {}));
    expect(await reading(undefined, 1_000)).toMatchObject({ kind: "away", error: { code: "node-refused" } });
  });

  test("over IPC alone gets the block over JSON-RPC, which tells the tip", async () => {
    const { reading, node, devnet, made } = await setting();
    node.turn("down");
    expect(await reading(undefined, 1_000)).toEqual({ kind: "verdict", verdict: "accepted", reason: "" });
    expect(devnet.chain.tip.height).toBe(made.height);
  });

  test("over JSON-RPC alone gets the block over IPC", async () => {
    const { reading, jsonRpc } = await setting();
    jsonRpc.failing.set("submitblock", new Fault("node-refused", {}));
    expect(await reading(undefined, 1_000)).toEqual({ kind: "verdict", verdict: "accepted", reason: "" });
  });

  test("and refuses in words while its chain cannot be read is asked again before the block is given up", async () => {
    const { reading, node, jsonRpc } = await setting();
    node.turn("down");
    jsonRpc.failing.set("submitblock", words("no"));
    for (const method of ["getbestblockhash", "getblockchaininfo"])
      jsonRpc.failing.set(method, new Fault("node-busy", {}));
    expect(await reading(undefined, 1_000)).toEqual({ kind: "wait", otherwise: "rejected", reason: "no" });
  });

  test("and refuses what IPC may take, while that is away for a moment, is asked again", async () => {
    const { reading, node, jsonRpc } = await setting();
    jsonRpc.failing.set("submitblock", words("Block size mismatch"));
    node.failing.set("queueReceivedBlock", away);
    const waits = { kind: "wait", otherwise: "rejected", reason: "Block size mismatch" };
    expect(await reading(undefined, 1_000)).toEqual(waits);
    node.failing.set("queueReceivedBlock", denied);
    expect(await reading(undefined, 1_000)).toMatchObject({ kind: "verdict", verdict: "rejected" });
  });

  test("without JSON-RPC answers with its own fault", async () => {
    const { reading, node } = await setting({ hasJsonRpc: false });
    node.failing.set("queueReceivedBlock", denied);
    expect(await reading(undefined, 1_000)).toMatchObject({ kind: "away", error: { code: "bllvm-request-unusable" } });
    node.failing.set("queueReceivedBlock", away);
    expect(await reading(undefined, 1_000)).toMatchObject({ kind: "away", error: { code: "bllvm-away" } });
  });

  test("that hangs does not hold the block up", async () => {
    const { submit, node, jsonRpc, clock } = await setting();
    node.chainInfo = () => new Promise(() => undefined);
    void submit().catch(() => undefined);
    await pass(clock, 600);
    expect(jsonRpc.taken.length).toBe(1);
    expect(node.queued.length).toBe(1);
  });
});

test("nothing is left behind: no listener, no timer", async () => {
  const { reading, node, clock } = await setting();
  const before = node.listening;
  await reading();
  await reading();
  node.connects = false;
  await reading();
  expect(node.listening).toBe(before);
  expect(clock.pending).toBe(0);
});

test("giving up ends the watch", async () => {
  const { rpc, hexOf, made, node, clock } = await setting();
  node.connects = false;
  const over = new AbortController();
  const before = node.listening;
  const answer = rpc.call("submitblock", [hexOf(made)], submitAnswer, { signal: over.signal });
  await settle();
  over.abort(new Error("stopping"));
  await expect(answer).rejects.toThrow("stopping");
  await settle();
  expect(node.listening).toBe(before);
  expect(clock.pending).toBe(0);
});
