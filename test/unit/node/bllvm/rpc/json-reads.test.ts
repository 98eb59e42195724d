/** The node's chain over its JSON-RPC: what it gives is checked, what it cannot give is looked up. */
import { describe, expect, test } from "vitest";
import { readHeightPush } from "../../../../../src/bitcoin/coinbase.ts";
import { toHex } from "../../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import { blockPlace } from "../../../../../src/node/bitcoind/answers.ts";
import { JsonReads } from "../../../../../src/node/bllvm/rpc/json-reads.ts";
import { world } from "./world.ts";

function reads(offset: 0 | -1 = 0) {
  const { devnet, node, jsonRpc } = world();
  node.offset = offset;
  return { devnet, jsonRpc, reads: new JsonReads({ rpc: jsonRpc }) };
}

describe("reads over JSON-RPC", () => {
  test.each([0, -1] as const)("tip, headers and heights, where numbers are %i beside heights", async (offset) => {
    const { devnet, reads: json } = reads(offset);
    const { tip } = devnet.chain;
    expect(await json.chainInfo()).toEqual({ tipHash: tip.hash, height: 110 + offset, isSynced: true });
    const block = await json.blockByHeight(110 + offset);
    expect(block?.header).toMatchObject({
      nBits: tip.header.nBits,
      timestamp: tip.header.time,
      nonce: tip.header.nonce,
    });
    // The height itself, whatever the node's number of it.
    expect(readHeightPush(block?.coinbaseScriptSig ?? new Uint8Array(0))).toBe(110);
    expect(await json.block(tip.hash)).toEqual(block);
  });

  test("what the node does not have is nothing", async () => {
    const { reads: json } = reads();
    expect(await json.blockByHeight(111)).toBeUndefined();
    expect(await json.blockHeader(new Uint8Array(32))).toBeUndefined();
    expect(await json.block(new Uint8Array(32))).toBeUndefined();
  });

  test("a header that is not the one that was asked for is no answer", async () => {
    const { devnet, jsonRpc, reads: json } = reads();
    const { tip } = devnet.chain;
    const other = devnet.chain.at(5);
    jsonRpc.results.set("getblockheader", () => Buffer.from(other?.headerBytes ?? []).toString("hex"));
    await expect(json.blockHeader(tip.hash)).rejects.toMatchObject({ code: "node-answer-unexpected" });
  });

  test("a block that comes as bytes, as newer nodes give it, is that of the header", async () => {
    const { devnet, jsonRpc, reads: json } = reads();
    const { tip } = devnet.chain;
    const hexOf = (height: number): string => {
      const { data, headerBytes } = devnet.chain.at(height) ?? {};
      const raw = (data?.txs ?? []).map((tx) => toHex(tx.raw));
      return `${toHex(headerBytes ?? new Uint8Array(0))}${raw.length.toString(16).padStart(2, "0")}${raw.join("")}`;
    };
    jsonRpc.results.set("getblock", () => hexOf(110));
    const block = await json.block(tip.hash);
    expect(readHeightPush(block?.coinbaseScriptSig ?? new Uint8Array(0))).toBe(110);
    for (const wrong of [hexOf(109), hexOf(110).slice(0, 170), "zz", ""]) {
      jsonRpc.results.set("getblock", () => wrong);
      await expect(json.block(tip.hash), wrong.slice(0, 20)).rejects.toMatchObject({ code: "node-answer-unexpected" });
    }
  });

  test("a coinbase is the transaction with the id that the block names, and none other", async () => {
    const { devnet, jsonRpc, reads: json } = reads();
    const other = devnet.chain.at(3)?.data?.txs[0]?.raw;
    jsonRpc.results.set("getrawtransaction", () => toHex(other ?? new Uint8Array(0)));
    await expect(json.blockByHeight(110)).rejects.toMatchObject({ code: "node-answer-unexpected" });
  });

  test("an error is no word on what there is: a rate limit must not make a block an orphan", async () => {
    const { devnet, jsonRpc, reads: json } = reads();
    jsonRpc.failing.set("getblockhash", new Fault("node-rpc-error", { rpcCode: 429, says: "Rate limit exceeded" }));
    await expect(json.blockByHeight(110)).rejects.toMatchObject({ code: "node-rpc-error" });
    jsonRpc.failing.set("getblockheader", new Fault("node-rpc-error", { rpcCode: -32603, says: "internal" }));
    await expect(json.blockHeader(devnet.chain.tip.hash)).rejects.toMatchObject({ code: "node-rpc-error" });
  });
});

test("a block at whose height the best chain cannot be read is not called an orphan", async () => {
  const { ask, devnet, node } = world({ hasJsonRpc: false });
  const hash = devnet.chain.at(50)?.key;
  node.twists.block = (block, { height }) => (height === 50 ? undefined : block);
  node.block = async () => ({ ...(await blockAt50()), transactionCount: 1 });
  const blockAt50 = async () => {
    const at = devnet.chain.at(50);
    if (at?.data === undefined) throw new Error("no block");
    const { time: timestamp, ...header } = at.header;
    return { header: { ...header, timestamp }, coinbaseScriptSig: at.data.txs[0]?.tx.inputs[0]?.script };
  };
  await expect(ask("getblockheader", [hash], blockPlace)).rejects.toMatchObject({ code: "bllvm-chain-incomplete" });
});
