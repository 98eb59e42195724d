/** JSON-RPC as Bitcoin Core 31.1 speaks it: its recorded answers, long polls, waiting, blocks and transactions by RPC. */
import { describe, expect, test } from "vitest";
import { serializeTransaction } from "../../../../src/bitcoin/transaction.ts";
import { answer, type RpcAnswer, RpcError } from "../../../../src/devnet/rpc/protocol.ts";
import { toHex } from "../../../../src/kernel/bytes.ts";
import { draft, finish, spendCoinbase } from "../../../support/block-draft.ts";
import { devnet } from "../../../support/devnet.ts";
import recorded from "../../../vectors/core-rpc-answers.json" with { type: "json" };

type Net = ReturnType<typeof devnet>;
const never = new AbortController().signal;

/** What goes over HTTP, without HTTP. */
const ask = (net: Net, body: string): Promise<RpcAnswer> =>
  answer(body, (method, params, signal) => net.node.call(method, params, signal), never);

const call = (net: Net, method: string, ...params: readonly unknown[]): Promise<unknown> =>
  net.node.call(method, params);

const template = async (net: Net, more: object = {}): Promise<Record<string, unknown>> =>
  (await call(net, "getblocktemplate", { rules: ["segwit"], ...more })) as Record<string, unknown>;

/** Lets everything that is ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whether `promise` has an outcome yet. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol("open");
  await settle();
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve(open)])) !== open;
}

describe("errors as recorded from Core", () => {
  test.each(recorded.errors)("$name", async ({ request, status, body }) => {
    const got = await ask(devnet(), request);
    expect(got.status).toBe(status);
    const ours = got.body === "" ? null : JSON.parse(got.body);
    // Error -1 is a page of help there and a line of usage here.
    const plain = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value), (key, each) =>
        key === "message" && /^(getblock|submit)\w+ /.test(each) ? "usage" : each,
      );
    if (Array.isArray(body)) expect(ours).toMatchObject([{ error: null, id: 1 }, body[1]]);
    else expect(plain(ours)).toEqual(plain(body));
  });

  test("a node without peers and one in initial block download", async () => {
    const [noPeers, download, download2] = recorded.states;
    const net = devnet();
    const check = async (vector: (typeof recorded.states)[number] | undefined): Promise<void> => {
      const got = await ask(net, vector!.request);
      expect(got.status).toBe(vector!.status);
      expect(JSON.parse(got.body)).toEqual(vector!.body);
    };
    net.node.disturbances.notConnected = true;
    await check(noPeers);
    net.node.disturbances.notConnected = false;
    net.node.disturbances.initialBlockDownload = true;
    await check(download);
    await check(download2);
    expect(await call(net, "getblockchaininfo")).toMatchObject({ initialblockdownload: true });
  });
});

describe("answers have the fields and types that Core's have", () => {
  /** Fields that we leave out, by path. */
  const LEFT_OUT = [
    "getblock.tx.0.vout.0.scriptPubKey.asm",
    "getblock.tx.0.vout.1.scriptPubKey.asm",
    "getmininginfo.currentblockweight",
    "getmininginfo.currentblocktx",
  ];

  /** Paths of all fields with the JSON type of their values; of lists the first two entries. */
  function shape(value: unknown, path: string, into: Record<string, string> = {}): Record<string, string> {
    if (Array.isArray(value)) {
      if (!/\.(networks|localservicesnames|warnings|error_locations)$/.test(path)) {
        for (const [i, each] of value.slice(0, 2).entries()) shape(each, `${path}.${i}`, into);
      }
    } else if (typeof value === "object" && value !== null) {
      for (const [key, each] of Object.entries(value)) shape(each, `${path}.${key}`, into);
    } else if (!LEFT_OUT.includes(path)) {
      into[path] = value === null ? "null" : typeof value;
    }
    return into;
  }

  test.each(recorded.answers)("$name", async ({ request, body }) => {
    const net = devnet();
    // Two transactions with witness, and as first block of all one like the recorded one: only a coinbase.
    await call(net, "generatetodescriptor", 1, "raw(51)");
    for (const height of [1, 2]) {
      const tx = spendCoinbase(net.node, height);
      await call(net, "sendrawtransaction", toHex(serializeTransaction(tx, { witness: true })));
    }
    const parsed = JSON.parse(request);
    if (parsed.method === "getblock") parsed.params[0] = net.chain.tip.key;
    const got = JSON.parse((await ask(net, JSON.stringify(parsed))).body);
    const theirs = shape((body as { result: unknown }).result, parsed.method);
    const ours = shape(got.result, parsed.method);
    for (const path of Object.keys(theirs)) if (/depends\.\d$/.test(path)) delete theirs[path];
    if (parsed.method === "getblocktemplate") {
      const sent = Object.keys(theirs).filter((path) => !/transactions\.[1-9]/.test(path) || path in ours);
      for (const path of sent) expect(ours[path], path).toBe(theirs[path]);
    } else {
      expect(ours).toEqual(theirs);
    }
    if (parsed.jsonrpc === "2.0") expect(Object.keys(got).sort()).toEqual(["id", "jsonrpc", "result"]);
    else expect(Object.keys(got)).toEqual(["result", "error", "id"]);
  });

  test("a template field by field", async () => {
    const net = devnet();
    const tx = spendCoinbase(net.node, 1);
    const { value } = tx.outputs[0]!;
    const paying = { ...tx, outputs: [{ ...tx.outputs[0]!, value: value - 1410n }] };
    await call(net, "sendrawtransaction", toHex(serializeTransaction(paying, { witness: true })));
    const { transactions, default_witness_commitment, longpollid, ...rest } = await template(net);
    expect(rest).toEqual({
      capabilities: ["proposal"],
      version: 536870912,
      rules: ["csv", "!segwit", "taproot"],
      vbavailable: {},
      vbrequired: 0,
      previousblockhash: net.chain.tip.key,
      coinbaseaux: {},
      coinbasevalue: 5_000_001_410,
      target: `7fffff${"00".repeat(29)}`,
      mintime: 1_699_999_641,
      mutable: ["time", "transactions", "prevblock"],
      noncerange: "00000000ffffffff",
      sigoplimit: 80000,
      sizelimit: 4000000,
      weightlimit: 4000000,
      curtime: 1_700_000_000,
      bits: "207fffff",
      height: 111,
    });
    expect(transactions).toMatchObject([{ fee: 1410, sigops: 1, depends: [] }]);
    expect(default_witness_commitment).toMatch(/^6a24aa21a9ed[0-9a-f]{64}$/);
    expect(longpollid).toBe(`${net.chain.tip.key}1`);
  });
});

describe("long polling (BIP22)", () => {
  test("ends at once for another tip, and with a new block", async () => {
    const net = devnet();
    const first = await template(net);
    const waiting = template(net, { longpollid: first.longpollid });
    expect(await isDone(waiting)).toBe(false);
    await net.node.generate(1);
    expect((await waiting).height).toBe(112);
    expect((await template(net, { longpollid: first.longpollid })).height).toBe(112);
    expect(net.clock.pending).toBe(0);
  });

  test("looks at the mempool after a minute, then every ten seconds", async () => {
    const net = devnet();
    const first = await template(net);
    const waiting = template(net, { longpollid: first.longpollid });
    const tx = serializeTransaction(spendCoinbase(net.node, 1), { witness: true });
    for (const ms of [59_000, 2_000, 9_000]) {
      net.clock.advance(ms);
      expect(await isDone(waiting)).toBe(false);
    }
    await call(net, "sendrawtransaction", toHex(tx));
    expect(await isDone(waiting)).toBe(false);
    net.clock.advance(2_000);
    expect((await waiting).transactions).toHaveLength(1);
  });

  test("from now on, for an id that is no text", async () => {
    const net = devnet();
    const waiting = template(net, { longpollid: 5 });
    expect(await isDone(waiting)).toBe(false);
    await net.node.generate(1);
    expect((await waiting).height).toBe(112);
  });

  test("ends with -9 when the node stops", async () => {
    const net = devnet();
    const waiting = template(net, { longpollid: (await template(net)).longpollid });
    await settle();
    await net.node.stop();
    await expect(waiting).rejects.toMatchObject({ code: -9, message: "Shutting down" });
  });

  test("a template is kept for five seconds when only transactions came", async () => {
    const net = devnet();
    const first = await template(net);
    await call(net, "sendrawtransaction", toHex(serializeTransaction(spendCoinbase(net.node, 1), { witness: true })));
    expect(await template(net)).toEqual(first);
    net.clock.advance(5001);
    expect((await template(net)).transactions).toHaveLength(1);
  });
});

describe("waiting for blocks", () => {
  test("waitfornewblock answers a new block, the timeout, or another tip at once", async () => {
    const net = devnet();
    const waiting = call(net, "waitfornewblock");
    const patient = call(net, "waitfornewblock", 700);
    expect(await isDone(waiting)).toBe(false);
    net.clock.advance(700);
    expect(await patient).toEqual({ hash: net.chain.tip.key, height: 110 });
    expect(await isDone(waiting)).toBe(false);
    const old = net.chain.tip.key;
    await net.node.generate(1);
    expect(await waiting).toEqual({ hash: net.chain.tip.key, height: 111 });
    expect(await call(net, "waitfornewblock", 60_000, old)).toMatchObject({ height: 111 });
    await expect(call(net, "waitfornewblock", -1)).rejects.toThrow("Negative timeout");
  });

  test("waitforblockheight", async () => {
    const net = devnet();
    expect(await call(net, "waitforblockheight", 100)).toMatchObject({ height: 110 });
    const waiting = call(net, "waitforblockheight", 112);
    await net.node.generate(1);
    expect(await isDone(waiting)).toBe(false);
    await net.node.generate(1);
    expect(await waiting).toMatchObject({ height: 112 });
  });
});

describe("blocks by RPC", () => {
  test("submitblock, and the block in every verbosity", async () => {
    const net = devnet();
    const tx = spendCoinbase(net.node, 1);
    const bytes = finish({ ...draft(net.node, net.now()), transactions: [tx] });
    expect(await call(net, "submitblock", toHex(bytes))).toBeNull();
    expect(await call(net, "submitblock", toHex(bytes))).toBe("duplicate");
    const hash = await call(net, "getbestblockhash");
    expect(await call(net, "getblockhash", 111)).toBe(hash);
    expect(await call(net, "getblock", hash, 0)).toBe(toHex(bytes));
    expect(await call(net, "getblock", hash, false)).toBe(toHex(bytes));
    expect(await call(net, "getblock", hash)).toMatchObject({
      height: 111,
      confirmations: 1,
      nTx: 2,
      size: bytes.length,
    });
    expect(await call(net, "getblock", hash, 2)).toMatchObject({
      tx: [{ vin: [{ coinbase: expect.any(String) }] }, { fee: 0 }],
    });
    expect(await call(net, "getblockheader", hash, false)).toBe(toHex(bytes.subarray(0, 80)));
    const parent = await call(net, "getblockhash", 110);
    expect(await call(net, "getblockheader", parent)).toMatchObject({ nextblockhash: hash, confirmations: 2 });
    expect(await call(net, "getblockcount")).toBe(111);
  });

  test("a coinbase without its witness is completed", async () => {
    const net = devnet();
    const bare = finish(draft(net.node, net.now()), {
      late: (tx) => ({ ...tx, inputs: tx.inputs.map((input) => ({ ...input, witness: [] })) }),
    });
    expect(await call(net, "submitblock", toHex(bare))).toBeNull();
  });

  test("getblocktemplate judges proposals", async () => {
    const net = devnet();
    const bytes = finish(draft(net.node, net.now()), { solved: false });
    const propose = (data: string): Promise<unknown> => call(net, "getblocktemplate", { mode: "proposal", data });
    expect(await propose(toHex(bytes))).toBeNull();
    expect(await propose(toHex(finish(draft(net.node, 0, net.chain.at(5)))))).toBe("inconclusive-not-best-prevblk");
    await expect(propose("00")).rejects.toMatchObject({ code: -22 });
    await expect(call(net, "getblocktemplate", { mode: "proposal" })).rejects.toMatchObject({ code: -3 });
  });

  test("generatetoaddress, invalidateblock and reconsiderblock", async () => {
    const net = devnet();
    const address = "bcrt1qs7mj32z39df0sxxph0ttz2cy5ule3fxznftyep";
    const [first, second] = (await call(net, "generatetoaddress", 2, address)) as string[];
    expect(await call(net, "getblock", second, 2)).toMatchObject({
      tx: [{ vout: [{ scriptPubKey: { address } }, {}] }],
    });
    expect(await call(net, "invalidateblock", first)).toBeNull();
    expect(await call(net, "getblockcount")).toBe(110);
    expect(await call(net, "reconsiderblock", first)).toBeNull();
    expect(await call(net, "getbestblockhash")).toBe(second);
    await expect(call(net, "generatetoaddress", 1, "nonsense")).rejects.toMatchObject({ code: -5 });
    await expect(call(net, "generatetoaddress", 1e9, address)).rejects.toMatchObject({ code: -8 });
    await expect(call(net, "invalidateblock", net.chain.at(0)!.key)).rejects.toMatchObject({ code: -20 });
  });

  test("forgotten content is told from unknown blocks", async () => {
    const net = devnet({ initialBlocks: 120, blocksKept: 101 });
    await expect(call(net, "getblock", net.chain.at(3)!.key)).rejects.toThrow("Block not available (pruned data)");
    await expect(call(net, "getblock", "11".repeat(32))).rejects.toThrow("Block not found");
    expect(await call(net, "getblockchaininfo")).toMatchObject({ pruned: true, pruneheight: 20 });
    await expect(call(net, "invalidateblock", net.chain.at(3)!.key)).rejects.toMatchObject({ code: -20 });
  });
});

describe("transactions by RPC", () => {
  test("are taken, shown and refused", async () => {
    const net = devnet();
    const tx = spendCoinbase(net.node, 1);
    const hex = toHex(serializeTransaction(tx, { witness: true }));
    const txid = await call(net, "sendrawtransaction", hex);
    expect(await call(net, "sendrawtransaction", hex)).toBe(txid);
    expect(await call(net, "getrawmempool")).toEqual([txid]);
    expect(await call(net, "getrawmempool", true)).toMatchObject({
      [String(txid)]: { fees: { base: 0 }, depends: [] },
    });
    expect(await call(net, "getmempoolinfo")).toMatchObject({ size: 1, loaded: true });
    expect(await call(net, "getrawtransaction", txid)).toBe(hex);
    expect(await call(net, "getrawtransaction", txid, 1)).toMatchObject({ txid, hex });
    await expect(call(net, "sendrawtransaction", "00")).rejects.toMatchObject({ code: -22 });
    const immature = toHex(serializeTransaction(spendCoinbase(net.node, 50), { witness: true }));
    await expect(call(net, "sendrawtransaction", immature)).rejects.toMatchObject({
      code: -26,
      message: "bad-txns-premature-spend-of-coinbase",
    });
    const [block] = await net.node.generate(1);
    await expect(call(net, "sendrawtransaction", hex)).rejects.toMatchObject({ code: -27 });
    await expect(call(net, "getrawtransaction", txid)).rejects.toMatchObject({ code: -5 });
    expect(await call(net, "getrawtransaction", txid, 0, block)).toBe(hex);
  });
});

describe("parameters", () => {
  test("by name, in any order; unknown names and too many are refused", async () => {
    const net = devnet();
    const hash = net.chain.tip.key;
    expect(await net.node.call("getblock", { verbosity: 1, blockhash: hash })).toMatchObject({ hash });
    await expect(net.node.call("getblock", { hash })).rejects.toMatchObject({ code: -8 });
    await expect(net.node.call("getblockcount", [1])).rejects.toMatchObject({ code: -1 });
    await expect(net.node.call("toString")).rejects.toMatchObject({ code: -32601 });
  });

  test("of a batch of nothing, of numbers, and of too many calls", async () => {
    const net = devnet();
    expect(await ask(net, "[]")).toEqual({ status: 200, body: "[]\n" });
    expect(JSON.parse((await ask(net, "[1]")).body)).toMatchObject([{ error: { code: -32600 } }]);
    expect((await ask(net, "7")).status).toBe(500);
    expect((await ask(net, '{"id":1,"method":5}')).status).toBe(400);
    expect((await ask(net, '{"id":1,"method":"x","jsonrpc":"3.0"}')).status).toBe(400);
    expect((await ask(net, JSON.stringify(Array(1001).fill({ method: "uptime" })))).status).toBe(400);
    const notifications = JSON.stringify([{ jsonrpc: "2.0", method: "uptime" }]);
    expect(await ask(net, notifications)).toEqual({ status: 204, body: "" });
  });

  test("an unexpected failure is error -1, not a crash", async () => {
    const handle = (): Promise<unknown> => Promise.reject(new TypeError("broken"));
    const got = await answer('{"id":1,"method":"x"}', handle, never);
    expect(JSON.parse(got.body)).toMatchObject({ error: { code: -1, message: "broken" } });
    expect(new RpcError(-8, "x")).toBeInstanceOf(Error);
  });
});

describe("the rest of the node", () => {
  test("tells what it is", async () => {
    const net = devnet();
    net.clock.advance(5000);
    expect(await call(net, "uptime")).toBe(5);
    expect(await call(net, "getconnectioncount")).toBe(0);
    expect(await call(net, "getdifficulty")).toBe(4.656542373906925e-10);
    expect(await call(net, "getnetworkhashps")).toBeGreaterThan(0);
    expect(await call(net, "getzmqnotifications")).toEqual([]);
    expect(await call(net, "getchaintips")).toMatchObject([{ height: 110, status: "active" }]);
  });

  test("two connected nodes have one chain, and part ways when disconnected", async () => {
    const first = devnet();
    const second = devnet({ peer: first.node }, first.clock, 2);
    expect(second.chain.tip.key).toBe(first.chain.tip.key);
    expect(await call(second, "getconnectioncount")).toBe(1);
    await first.node.generate(2);
    expect(second.chain.tip.key).toBe(first.chain.tip.key);
    await second.node.generate(1);
    expect(first.chain.tip.key).toBe(second.chain.tip.key);
    first.node.disconnect(second.node);
    await first.node.generate(1);
    await second.node.generate(2);
    expect(first.chain.tip.height).toBe(114);
    expect(second.chain.tip.height).toBe(115);
    second.node.connect(first.node);
    expect(first.chain.tip.key).toBe(second.chain.tip.key);
  });

  test("a harder target holds after the history only", async () => {
    const net = devnet({ nBits: 0x2000ffff, initialBlocks: 105 });
    expect(net.chain.at(105)!.header.nBits).toBe(0x207fffff);
    expect((await template(net)).bits).toBe("2000ffff");
    await net.node.generate(1);
    expect(net.chain.tip.header.nBits).toBe(0x2000ffff);
  });
});
