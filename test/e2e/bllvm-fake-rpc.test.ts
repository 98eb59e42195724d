/** The fake node's JSON-RPC differs from Bitcoin Core's where the real node's does. */
import { describe, expect, onTestFinished, test } from "vitest";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { merkleRoot } from "../../src/bitcoin/merkle.ts";
import { parseTransaction, serializeTransaction } from "../../src/bitcoin/transaction.ts";
import { fromHex, toDisplayHex, toHex } from "../../src/kernel/bytes.ts";
import { askHttp } from "../support/ask-rpc.ts";
import { serializeBlock } from "../support/bllvm/block-bytes.ts";
import { FakeBllvmNode, type FakeBllvmNodeOptions } from "../support/bllvm/node.ts";
import { RawModule } from "../support/bllvm/raw-module.ts";
import { until } from "../support/until.ts";

async function start(options: FakeBllvmNodeOptions = {}) {
  const node = await FakeBllvmNode.start(options);
  onTestFinished(() => node.stop());
  const call = async (method: string, ...params: unknown[]) => {
    const { status, body } = await askHttp(node.rpcUrl, JSON.stringify({ method, params, id: 1 }), { auth: "u:p" });
    return { status, ...(JSON.parse(body) as { result?: never; error?: { code: number; message: string } }) };
  };
  const listener = await RawModule.greet(node.socketPath, "listener");
  onTestFinished(() => listener.close());
  const eventTypes = ["NewBlock", "BlockMined", "BlockTemplateUpdated"] as const;
  await listener.ask({ name: "SubscribeEvents", value: { eventTypes } });
  return { node, call, listener };
}

interface Template {
  readonly height: number;
  readonly previousblockhash: string;
  readonly coinbasevalue: number;
  readonly transactions: readonly { readonly data: string; readonly txid: string; readonly fee: number }[];
}

describe("the fake bllvm node's JSON-RPC", () => {
  test("templates lack commitment, hashes, dependencies and witnesses, and each is announced", async () => {
    const { node, call, listener } = await start({ chain: { transactions: 30 } });
    const { result } = await call("getblocktemplate", { rules: ["segwit"] });
    const template = result as unknown as Template;
    expect(template).toMatchObject({
      version: 1,
      height: 111,
      previousblockhash: toDisplayHex(node.chain.tipHash),
      bits: "207fffff",
      longpollid: toDisplayHex(node.chain.tipHash),
      coinbaseaux: { flags: "" },
    });
    expect(template).not.toHaveProperty("default_witness_commitment");
    for (const each of template.transactions) {
      expect(Object.keys(each)).toEqual(["data", "txid", "fee", "sigops", "weight"]);
      expect(each.txid).toBe(toHex(sha256d(fromHex(each.data))));
      expect(parseTransaction(fromHex(each.data)).inputs.every(({ witness }) => witness.length === 0)).toBe(true);
    }
    const inMempool = [...node.chain.node.mempool.entries()];
    expect(template.transactions.map(({ txid }) => txid).sort()).toEqual(
      inMempool.map(({ txid }) => toHex(txid)).sort(),
    );
    expect(inMempool.some(({ tx, raw }) => raw.length > serializeTransaction(tx, { witness: false }).length)).toBe(
      true,
    );
    const fees = template.transactions.reduce((sum, { fee }) => sum + fee, 0);
    expect(template.coinbasevalue).toBe(5_000_000_000 + fees);
    await until("it was announced", () => listener.events.length === 1);
    expect(listener.events).toEqual([
      {
        name: "BlockTemplateUpdated",
        value: { prevHash: node.chain.tipHash, height: 111n, txCount: BigInt(template.transactions.length) },
      },
    ]);
  });

  test("a template's height counts stored blocks: without the first one, and with stale ones", async () => {
    const { node, call } = await start({ rpc: { countsGenesis: false } });
    expect((await call("getblocktemplate")).result).toMatchObject({ height: 110 });
    node.reorg(1);
    expect((await call("getblocktemplate")).result).toMatchObject({ height: 112 });
    expect((await call("getblockcount")).result).toBe(111);
  });

  test("submitblock queues, tells BlockMined with the height below, and then NewBlock", async () => {
    const { node, call, listener } = await start({ chain: { transactions: 12 } });
    const block = node.chain.nextBlock();
    const hex = toHex(serializeBlock(block));
    expect(await call("submitblock", hex)).toEqual({ status: 200, jsonrpc: "2.0", result: null, id: 1 });
    await until("both were told", () => listener.events.length === 2);
    expect(listener.events).toEqual([
      { name: "BlockMined", value: { blockHash: block.hash, height: 110n, minerId: null } },
      { name: "NewBlock", value: { blockHash: block.hash, height: 111n } },
    ]);
    // The same once more is no duplicate but an error.
    const again = await call("submitblock", hex);
    expect(again).toMatchObject({ status: 200, error: { code: -32602 } });
    expect(again.error?.message).toContain("does not match current chain tip");
  });

  test("submitblock answers null to a block that then turns out invalid, and tells of it all the same", async () => {
    const { node, call, listener } = await start();
    const bytes = serializeBlock(node.chain.nextBlock());
    bytes[bytes.length - 5]! ^= 1;
    expect(await call("submitblock", toHex(bytes))).toMatchObject({ result: null });
    await until("it was judged", () => node.chain.judged.length === 1);
    expect(node.chain.judged[0]?.reason).not.toBeNull();
    await until("it was told", () => listener.events.length === 1);
    expect(listener.events[0]?.name).toBe("BlockMined");
  });

  test.each([
    ["no hex", "zz", "invalid hex"],
    ["half a byte", "000", "even-length"],
    ["no block", "00", "Failed to deserialize"],
    ["more than 8,000,000 digits", "0".repeat(8_000_002), "maximum length"],
  ])("submitblock refuses %s", async (_, hex, words) => {
    const { call } = await start({ rpc: { maxRequestBytes: 9_000_000 } });
    expect((await call("submitblock", hex)).error).toMatchObject({
      code: -32602,
      message: expect.stringContaining(words),
    });
  });

  test("a body has 1 MiB unless more is allowed", async () => {
    const { call } = await start();
    expect(await call("submitblock", "0".repeat(1 << 20))).toMatchObject({ status: 413, error: { code: 413 } });
  });

  test("headers have bits and merkle root in another order, and stale blocks keep their confirmations", async () => {
    const { node, call } = await start();
    const { tip } = node.chain.chain;
    const txids = tip.data?.txs.map(({ txid }) => txid) ?? [];
    expect((await call("getblockheader", tip.key)).result).toMatchObject({
      hash: tip.key,
      bits: "ffff7f2000000000",
      merkleroot: toHex(merkleRoot(txids)),
      confirmations: 1,
      nextblockhash: null,
    });
    expect((await call("getblockheader", tip.key, false)).result).toBe(toHex(tip.headerBytes));
    expect((await call("getblock", tip.key)).result).toMatchObject({ bits: "207fffff", tx: txids.map(toHex) });
    node.reorg(1);
    expect((await call("getblockheader", tip.key)).result).toMatchObject({ confirmations: 2, height: 110 });
    expect((await call("getblockhash", 110)).result).not.toBe(tip.key);
    expect((await call("getblockheader", "00".repeat(32))).error).toMatchObject({ code: -5 });
    expect((await call("getblockhash", 999)).error).toMatchObject({ code: -5 });
    expect((await call("nosuchmethod")).error).toMatchObject({ code: -32601 });
    expect((await call("getblockchaininfo")).result).toMatchObject({ chain: "regtest", blocks: 111, headers: 113 });
  });

  test("waitfornewblock does not wait without a timeout, and takes seconds", async () => {
    const { node, call } = await start();
    expect((await call("waitfornewblock")).result).toMatchObject({ height: 110 });
    const waiting = call("waitfornewblock", 5);
    await until("it was asked", () => node.rpc?.calls.length === 2);
    node.mine();
    expect((await waiting).result).toMatchObject({ height: 111 });
    expect((await call("waitfornewblock", 0.01)).result).toMatchObject({ height: 111 });
  });

  test("asks for a login, and an admin's for templates and blocks", async () => {
    const node = await FakeBllvmNode.start({ rpc: { login: { user: "u", password: "p" }, tokens: ["t"] } });
    onTestFinished(() => node.stop());
    const ask = async (method: string, headers: Record<string, string>) => {
      const body = JSON.stringify({ method, params: [], id: 1 });
      return (await fetch(node.rpcUrl, { method: "POST", body, headers })).status;
    };
    const basic = (login: string) => ({ authorization: `Basic ${Buffer.from(login).toString("base64")}` });
    expect(await ask("getblockcount", {})).toBe(401);
    expect(await ask("getblockcount", basic("u:q"))).toBe(401);
    expect(await ask("getblocktemplate", basic("u:p"))).toBe(200);
    expect(await ask("getblockcount", { authorization: "Bearer t" })).toBe(200);
    expect(await ask("getblocktemplate", { authorization: "Bearer t" })).toBe(403);
    expect(await ask("getblockcount", { authorization: "Bearer x" })).toBe(401);
    expect((await fetch(node.rpcUrl)).status).toBe(405);
  });

  test("fails on demand, and comes back on the same port", async () => {
    const { node, call } = await start();
    const { rpcUrl } = node;
    node.rpc?.disturbances.set("getblockcount", { kind: "error", code: -32603, message: "no" }, 1);
    expect((await call("getblockcount")).error).toMatchObject({ code: -32603 });
    node.rpc?.disturbances.set("getblockcount", { kind: "drop" }, 1);
    await expect(call("getblockcount")).rejects.toThrow();
    node.rpc?.disturbances.set("getblockcount", { kind: "hang" }, 1);
    const hanging = call("getblockcount");
    const failed = expect(hanging).rejects.toThrow();
    await until("it hangs", () => node.rpc?.calls.length === 3);
    await node.restart();
    await failed;
    expect(node.rpcUrl).toBe(rpcUrl);
    expect((await call("getblockcount")).result).toBe(110);
  });
});
