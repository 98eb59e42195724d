/** The node's chain over its JSON-RPC: what it gives is checked, what it cannot give is looked up. */
import { describe, expect, test } from "vitest";
import { readHeightPush } from "../../../../../src/bitcoin/coinbase.ts";
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

  test("a node whose first blocks are pruned cannot be numbered", async () => {
    const { jsonRpc, reads: json } = reads();
    const { results } = jsonRpc;
    const at = (height: number) => world().devnet.chain.at(height)?.key;
    results.set("getblockhash", ([height]) => (Number(height) < 2 ? at(50) : at(110)));
    await expect(json.blockByHeight(110)).rejects.toMatchObject({ code: "bllvm-chain-incomplete" });
  });
});
