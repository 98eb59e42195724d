import { describe, expect, test } from "vitest";
import { NETWORKS } from "../../../../../src/bitcoin/network.ts";
import { toDisplayHex } from "../../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import { pass, settle } from "../../bitcoind/fakes.ts";
import { coinsOf, fund, spend } from "./spends.ts";
import { world } from "./world.ts";

async function withTransaction() {
  const all = world();
  const coins = await fund(all.devnet, 1);
  const legacy = coins.filter(({ kind }) => kind === "p2sh");
  const tx = spend(legacy, ["p2sh"], { fee: 500n });
  expect(all.devnet.mempool.accept(tx)).toBeUndefined();
  return { ...all, tx, coins: coinsOf(tx, ["p2sh"]) };
}

describe("without the node's JSON-RPC", () => {
  test("a block holds its coinbase alone, and the operator is told once how to change that", async () => {
    const { template, mine, warnings, devnet, log } = world({ hasJsonRpc: false });
    for (let i = 0; i < 3; i++) expect(mine(await template())).toBe(null);
    expect(devnet.chain.tip.height).toBe(113);
    expect(log.lines.map(({ fields }) => fields.error)).toEqual([
      expect.objectContaining({ code: "bllvm-coinbase-only" }),
    ]);
    expect(warnings()).toEqual([expect.stringMatching(/coinbase alone.*bllvm\.rpc_url.*\[\[bitcoind\]\]/)]);
  });

  test("everything that a header needs is ours: version, times, target", async () => {
    const { answer, devnet, clock } = world({ hasJsonRpc: false });
    const made = await answer();
    const { tip } = devnet.chain;
    expect(made).toMatchObject({
      version: 0x20000000,
      previousblockhash: tip.key,
      height: 111,
      bits: "207fffff",
      curtime: Math.floor(clock.nowMs() / 1000),
      coinbasevalue: 5_000_000_000,
      transactions: [],
    });
    expect(made.mintime).toBeLessThan(tip.header.time);
    expect(made.default_witness_commitment).toBeUndefined();
  });

  test("a clock that is behind does not make blocks that are too old", async () => {
    const { answer, template, mine, clock } = world({ hasJsonRpc: false });
    clock.jumpTo(1_000_000_000_000);
    const made = await answer();
    expect(made.curtime).toBe(made.mintime);
    clock.jumpTo(1_700_000_000_000);
    expect(mine(await template())).toBe(null);
  });

  test("the subsidy halves when the network says so", async () => {
    const { template, mine, devnet } = world({ hasJsonRpc: false, devnet: { initialBlocks: 148 } });
    const at149 = await template();
    expect(at149.coinbaseValue).toBe(5_000_000_000n);
    expect(mine(at149)).toBe(null);
    const at150 = await template();
    expect(at150.coinbaseValue).toBe(2_500_000_000n);
    expect(mine(at150, 1n)).toBe("bad-cb-amount");
    expect(mine(at150)).toBe(null);
    expect(devnet.chain.tip.height).toBe(150);
  });
});

describe("the height of the node's template", () => {
  test.each([
    ["the real one", 1],
    ["one less, as on a fresh data folder", 0],
  ])("may be %s", async (_name, more) => {
    const { jsonRpc, answer, warnings } = await withTransaction();
    jsonRpc.twist = (made) => ({ ...made, height: made.height + more });
    expect(await answer()).toMatchObject({ height: 112, transactions: [{ weight: 340 }] });
    expect(warnings()).toEqual([]);
  });

  test.each([
    ["templates", 2],
    ["templates", -1],
  ])("that is another one leaves the coinbase alone, with the numbers: %s off by %d", async (_name, more) => {
    const { jsonRpc, answer, warnings } = await withTransaction();
    jsonRpc.twist = (made) => ({ ...made, height: made.height + more });
    expect(await answer()).toMatchObject({ height: 112, transactions: [], coinbasevalue: 5_000_000_000 });
    expect(warnings()).toEqual([
      expect.stringContaining(`coinbaseHeight 111, templateHeight ${111 + more}, getblockcount 111`),
    ]);
  });

  test("is compared with getblockcount too", async () => {
    const { jsonRpc, answer, warnings } = await withTransaction();
    jsonRpc.results.set("getblockcount", () => 109);
    expect(await answer()).toMatchObject({ transactions: [] });
    expect(warnings()[0]).toContain("getblockcount 109");
    jsonRpc.results.set("getblockcount", () => 110);
    expect(await answer()).toMatchObject({ transactions: [{ weight: 340 }] });
    jsonRpc.failing.set("getblockcount", new Fault("node-method-unknown", {}));
    expect(await answer()).toMatchObject({ transactions: [{ weight: 340 }] });
  });
});

describe("the target of the node's template", () => {
  test("may be the quarter of the tip's that it computes at every block; ours is taken", async () => {
    const { jsonRpc, answer, warnings, template, mine } = await withTransaction();
    jsonRpc.twist = ({ target, ...made }) => ({ ...made, bits: "201fffff" });
    expect(await answer()).toMatchObject({ bits: "207fffff", transactions: [{ weight: 340 }] });
    await answer();
    expect(warnings()).toEqual([expect.stringContaining("its bits are a quarter of the tip's target")]);
    expect(mine(await template())).toBe(null);
  });

  test.each([
    ["another one", { bits: "207ffffe", target: undefined }, "207ffffe"],
    ["an easier one", { bits: "2100ffff", target: undefined }, "2100ffff"],
    ["one that its own target contradicts", { target: "00ff" }, "207fffff"],
    ["one that is none", { bits: "ff7fffff", target: undefined }, "ff7fffff"],
  ])("that is %s stops the work, with both", async (_name, change, named) => {
    const { jsonRpc, answer } = await withTransaction();
    jsonRpc.twist = (made) => ({ ...made, ...change });
    await expect(answer()).rejects.toMatchObject({
      code: "bllvm-target-disputed",
      act: "retry",
      data: { computed: "207fffff", named, nextHeight: 112 },
    });
  });
});

describe("the value of the node's template", () => {
  test("that is more than subsidy and fees is not believed", async () => {
    // As blvm-node does in regtest beyond height 150, where it halves as mainnet.
    const { jsonRpc, template, mine, warnings } = world({ devnet: { initialBlocks: 155 } });
    jsonRpc.twist = (made) => ({ ...made, coinbasevalue: 5_000_000_000 });
    const made = await template();
    expect(made.coinbaseValue).toBe(2_500_000_000n);
    expect(warnings()).toEqual([expect.stringMatching(/5000000000 sat, is more than the subsidy of 2500000000 sat/)]);
    expect(mine(made)).toBe(null);
  });

  test("that is less is taken: rather a little less than nothing", async () => {
    const { jsonRpc, answer, warnings, template, mine } = await withTransaction();
    jsonRpc.twist = (made) => ({ ...made, coinbasevalue: made.coinbasevalue - 7 });
    expect((await answer()).coinbasevalue).toBe(5_000_000_493);
    expect(warnings()).toEqual([expect.stringContaining("4999999993 sat, is less than the subsidy")]);
    jsonRpc.twist = (made) => ({ ...made, coinbasevalue: 1 });
    expect((await answer()).coinbasevalue).toBe(500);
    expect(mine(await template())).toBe(null);
  });

  test("is not asked for where not every fee is told", async () => {
    const { jsonRpc, answer } = await withTransaction();
    jsonRpc.twist = ({ coinbasevalue, ...made }) => made;
    expect(await answer()).toMatchObject({ coinbasevalue: 5_000_000_500 });
  });
});

describe("a template that cannot be used", () => {
  test.each([
    ["an error", () => new Fault("node-rpc-error", { rpcCode: -32603, says: "Template creation failed" })],
    ["a wrong password", () => new Fault("node-unauthorized", {})],
  ])("leaves the coinbase alone, said once until it is over: %s", async (_name, fault) => {
    const { jsonRpc, answer, warnings } = await withTransaction();
    jsonRpc.failing.set("getblocktemplate", fault());
    expect(await answer()).toMatchObject({ transactions: [], height: 112 });
    await answer();
    expect(warnings().length).toBe(1);
    jsonRpc.failing.clear();
    expect(await answer()).toMatchObject({ transactions: [{ weight: 340 }] });
    jsonRpc.failing.set("getblocktemplate", fault());
    await answer();
    expect(warnings().length).toBe(2);
  });

  test("of another form leaves the coinbase alone", async () => {
    const { jsonRpc, answer, warnings } = await withTransaction();
    jsonRpc.twist = ({ previousblockhash, ...made }) => made;
    expect(await answer()).toMatchObject({ transactions: [] });
    expect(warnings().length).toBe(1);
  });

  test("with a transaction that cannot be named leaves the coinbase alone", async () => {
    const { jsonRpc, answer, warnings, log } = await withTransaction();
    jsonRpc.twist = (made) => ({ ...made, transactions: [...made.transactions, { data: "zz" }] });
    expect(await answer()).toMatchObject({ transactions: [] });
    expect(log.lines.at(-1)?.fields.error).toMatchObject({ code: "bllvm-template-doubtful", act: "retry" });
    expect(warnings()).toEqual([expect.stringContaining("cannot be read or named")]);
  });

  test("on another block is asked for once more, then done without", async () => {
    const { jsonRpc, answer, warnings, devnet } = await withTransaction();
    let asked = 0;
    jsonRpc.twist = (made) => (++asked === 1 ? { ...made, previousblockhash: "11".repeat(32) } : made);
    expect(await answer()).toMatchObject({ transactions: [{ weight: 340 }], previousblockhash: devnet.chain.tip.key });
    expect(asked).toBe(2);
    jsonRpc.twist = (made) => ({ ...made, previousblockhash: "11".repeat(32) });
    expect(await answer()).toMatchObject({ transactions: [], previousblockhash: devnet.chain.tip.key });
    expect(jsonRpc.count("getblocktemplate")).toBe(4);
    expect(warnings()).toEqual([expect.stringContaining(`builds on ${"11".repeat(32)}, but the tip is`)]);
  });

  test("of before a new block is replaced by one on the new block", async () => {
    const { jsonRpc, answer, devnet, clock } = await withTransaction();
    jsonRpc.held.set("getblocktemplate", []);
    const asked = answer();
    await settle();
    await devnet.generate(1);
    jsonRpc.release("getblocktemplate");
    await settle();
    clock.advance(10);
    expect(await asked).toMatchObject({ height: 113, previousblockhash: devnet.chain.tip.key });
  });
});

describe("a JSON-RPC that is slow, as the real one is with a large set of unspent outputs", () => {
  test("is not waited for, and serves the next who asks", async () => {
    const { jsonRpc, answer, clock, warnings } = await withTransaction();
    jsonRpc.held.set("getblocktemplate", []);
    const first = answer();
    await pass(clock, 4_900);
    let isThere = false;
    void first.then(() => {
      isThere = true;
    });
    await settle();
    expect(isThere).toBe(false);
    await pass(clock, 200);
    expect(await first).toMatchObject({ transactions: [] });
    expect(warnings()).toEqual([expect.stringContaining("it has not come after 5 s")]);
    jsonRpc.release("getblocktemplate");
    await pass(clock, 10_000, 1000);
    expect(await answer()).toMatchObject({ transactions: [{ weight: 340 }] });
    // One call for both.
    expect(jsonRpc.count("getblocktemplate")).toBe(1);
  });

  test("is asked anew when its late answer is old", async () => {
    const { jsonRpc, answer, clock } = await withTransaction();
    jsonRpc.held.set("getblocktemplate", []);
    const first = answer();
    await pass(clock, 5_100);
    await first;
    jsonRpc.release("getblocktemplate");
    await pass(clock, 60_000, 5000);
    expect(await answer()).toMatchObject({ transactions: [{ weight: 340 }] });
    expect(jsonRpc.count("getblocktemplate")).toBe(2);
  });

  test("is left alone for as long as it took, also when its late answer is about another block", async () => {
    const { jsonRpc, answer, clock, devnet, warnings } = await withTransaction();
    jsonRpc.held.set("getblocktemplate", []);
    const first = answer();
    await pass(clock, 8_000);
    await first;
    jsonRpc.release("getblocktemplate");
    await settle();
    await devnet.generate(1);
    expect(await answer()).toMatchObject({ height: 113, previousblockhash: devnet.chain.tip.key });
    expect(jsonRpc.count("getblocktemplate")).toBe(1);
    expect(warnings().at(-1)).toContain("the node is slow at it, so it is asked seldom");
    await pass(clock, 7_900);
    await answer();
    expect(jsonRpc.count("getblocktemplate")).toBe(1);
    await pass(clock, 200);
    expect(await answer()).toMatchObject({ height: 113 });
    expect(jsonRpc.count("getblocktemplate")).toBe(2);
  });

  test("leaves no timer behind", async () => {
    const { answer, clock } = await withTransaction();
    await answer();
    expect(clock.pending).toBe(0);
  });
});

test("signets that demand signatures are not mined", async () => {
  const { answer, node, devnet, jsonRpc } = world();
  const { chain } = devnet;
  // The embedded chain under signet's name: only the genesis block tells networks apart.
  node.blockByHeight = async (number) => {
    const block = chain.at(number);
    if (block === undefined) return undefined;
    const { time, ...rest } = block.header;
    const prevHash = number === 0 ? NETWORKS.signet.genesisHash : rest.prevHash;
    const coinbaseScriptSig = block.data?.txs[0]?.tx.inputs[0]?.script;
    return { header: { ...rest, prevHash, timestamp: time }, coinbaseScriptSig, transactionCount: 1 };
  };
  await expect(answer()).rejects.toMatchObject({ code: "node-signet", data: { challenge: "not told" } });
  jsonRpc.twist = (made) => ({ ...made, signet_challenge: "512103ad5e" });
  await expect(answer()).rejects.toMatchObject({ code: "node-signet", data: { challenge: "512103ad5e" } });
  jsonRpc.twist = (made) => ({ ...made, signet_challenge: "51" });
  expect(await answer()).toMatchObject({ signet_challenge: "51", previousblockhash: toDisplayHex(chain.tip.hash) });
});
