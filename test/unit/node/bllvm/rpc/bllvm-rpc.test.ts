import { describe, expect, test } from "vitest";
import { z } from "zod";
import { medianTimePast } from "../../../../../src/devnet/node/block-index.ts";
import { ANYONE_SCRIPT } from "../../../../../src/devnet/node/synthetic.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import {
  blockchainInfo,
  blockHash,
  blockHeader,
  blockPlace,
  miningInfo,
  networkInfo,
  newBlock,
} from "../../../../../src/node/bitcoind/answers.ts";
import { BITCOIN_BLOCK_STATUS_DEFAULTS, bitcoinBlockStatus } from "../../../../../src/node/bitcoind/block-status.ts";
import { pass, settle } from "../../bitcoind/fakes.ts";
import { world } from "./world.ts";

describe("getblockchaininfo", () => {
  test("has the network's name by its genesis block", async () => {
    const { ask, devnet } = world();
    const { tip } = devnet.chain;
    expect(await ask("getblockchaininfo", [], blockchainInfo)).toEqual({
      chain: "regtest",
      blocks: 110,
      headers: 110,
      bestblockhash: tip.key,
      time: tip.header.time,
      initialblockdownload: false,
    });
    expect(await ask("getblockcount", [], z.int())).toBe(110);
    expect(await ask("getblockhash", [0], blockHash)).toBe(devnet.chain.at(0)?.key);
    expect(await ask("getblockhash", [42], blockHash)).toBe(devnet.chain.at(42)?.key);
    expect(await ask("getbestblockhash", [], blockHash)).toBe(tip.key);
  });

  test("calls a node unsynchronised that says so, unless its tip is as new as only a synchronised node's can be", async () => {
    const { ask, node, clock } = world();
    const isSyncing = async () => (await ask("getblockchaininfo", [], blockchainInfo)).initialblockdownload;
    node.isSynced = false;
    // blvm-node tells its modules for good what it was when it started them.
    expect(await isSyncing()).toBe(false);
    clock.jumpTo(clock.nowMs() + 5 * 3_600_000);
    expect(await isSyncing()).toBe(true);
    node.isSynced = true;
    expect(await isSyncing()).toBe(false);
  });

  test.each([111, -1, 1.5, "x", undefined])("getblockhash of no height is Core's error: %s", async (height) => {
    const { ask } = world();
    await expect(ask("getblockhash", [height], blockHash)).rejects.toMatchObject({ data: { rpcCode: -8 } });
  });
});

describe("getnetworkinfo", () => {
  const about = { version: 154, subversion: "/bllvm:0.1.54/" };

  test("has the version, and peers by JSON-RPC where there is one", async () => {
    const { ask, node, jsonRpc } = world();
    jsonRpc.results.set("getconnectioncount", () => 5);
    expect(await ask("getnetworkinfo", [], networkInfo)).toEqual({ ...about, connections: 5 });
    jsonRpc.failing.set("getconnectioncount", new Fault("node-timeout"));
    expect(await ask("getnetworkinfo", [], networkInfo)).toEqual(about);
    expect(node.requests.get("peerCount")).toBeUndefined();
  });

  test("asks over IPC a node that knows our capabilities, and no other, which would close the connection", async () => {
    const { ask, node } = world({ hasJsonRpc: false });
    node.peers = 3;
    expect(await ask("getnetworkinfo", [], networkInfo)).toEqual({ ...about, connections: 3 });
    node.failing.set("peerCount", new Fault("bllvm-request-unusable", {}));
    expect(await ask("getnetworkinfo", [], networkInfo)).toEqual(about);
    node.isKnown = false;
    const asked = node.requests.get("peerCount");
    expect(await ask("getnetworkinfo", [], networkInfo)).toEqual(about);
    expect(node.requests.get("peerCount")).toBe(asked);
  });
});

describe("getblockheader", () => {
  test("is the tip's, with the median time", async () => {
    const { ask, devnet } = world();
    const { tip } = devnet.chain;
    expect(await ask("getblockheader", [tip.key], blockHeader)).toEqual({
      hash: tip.key,
      height: 110,
      bits: "207fffff",
      time: tip.header.time,
      mediantime: medianTimePast(tip),
    });
  });

  test("counts confirmations in the best chain, and -1 beside it", async () => {
    const { ask, devnet, node } = world();
    const confirmations = async (key: string) => (await ask("getblockheader", [key], blockPlace)).confirmations;
    const block = devnet.chain.at(107);
    const old = devnet.chain.tip;
    expect(await confirmations(block?.key ?? "")).toBe(4);
    expect(await confirmations(devnet.chain.at(0)?.key ?? "")).toBe(111);
    devnet.chain.invalidate(old);
    await devnet.generate(2);
    expect(await confirmations(old.key)).toBe(-1);
    expect(await confirmations(devnet.chain.tip.key)).toBe(1);
    node.offset = -1;
    expect(await confirmations(block?.key ?? "")).toBe(5);
  });

  test("of an unknown block is Core's error, of no hash another", async () => {
    const { ask } = world();
    await expect(ask("getblockheader", ["11".repeat(32)], blockPlace)).rejects.toMatchObject({
      code: "node-rpc-error",
      data: { rpcCode: -5 },
    });
    for (const hash of ["xyz", 7, undefined]) {
      await expect(ask("getblockheader", [hash], blockPlace)).rejects.toMatchObject({ data: { rpcCode: -8 } });
    }
  });

  test("of a pruned block is no answer", async () => {
    const { ask, devnet, node } = world();
    node.twists.block = (block, { height }) => (height === 50 ? undefined : block);
    await expect(ask("getblockheader", [devnet.chain.at(50)?.key], blockPlace)).rejects.toMatchObject({
      code: "bllvm-chain-incomplete",
      data: { block: devnet.chain.at(50)?.key },
    });
  });
});

test("a block's status is told as by Bitcoin Core: unknown, confirmed, orphaned, mature", async () => {
  const { rpc, devnet } = world();
  const status = (hash: string) =>
    bitcoinBlockStatus({ nodes: [rpc], isTrusted: () => true }, BITCOIN_BLOCK_STATUS_DEFAULTS, hash);
  expect(await status("11".repeat(32))).toMatchObject({ state: "unknown" });
  await devnet.generate(1);
  const { tip } = devnet.chain;
  expect(await status(tip.key)).toMatchObject({ state: "confirmed", confirmations: 1 });
  devnet.chain.invalidate(tip);
  await devnet.generate(1, ANYONE_SCRIPT);
  expect(await status(tip.key)).toMatchObject({ state: "orphaned", confirmations: 0 });
  expect(await status(devnet.chain.at(11)?.key ?? "")).toMatchObject({ state: "mature", confirmations: 101 });
});

describe("getmininginfo", () => {
  test("has the next block's target", async () => {
    const { ask } = world();
    expect(await ask("getmininginfo", [], miningInfo)).toEqual({ next: { height: 111, bits: "207fffff" } });
  });
});

describe("waitfornewblock", () => {
  test("ends with an event of the node, and not before", async () => {
    const { ask, devnet, clock } = world();
    const { tip } = devnet.chain;
    const waiting = ask("waitfornewblock", [10_000, tip.key], newBlock);
    let isOver = false;
    void waiting.then(() => {
      isOver = true;
    });
    await pass(clock, 5_000, 1000);
    expect(isOver).toBe(false);
    await devnet.generate(1);
    await settle();
    expect(await waiting).toEqual({ hash: devnet.chain.tip.key, height: 111 });
    expect(clock.pending).toBe(0);
  });

  test("ends at once when another block than the known one is there already", async () => {
    const { ask, devnet } = world();
    const known = devnet.chain.tip.key;
    await devnet.generate(1);
    expect(await ask("waitfornewblock", [10_000, known], newBlock)).toEqual({
      hash: devnet.chain.tip.key,
      height: 111,
    });
  });

  test("ends with a reorganisation to a chain of the same height", async () => {
    const { ask, devnet } = world();
    const waiting = ask("waitfornewblock", [10_000], newBlock);
    await settle();
    devnet.chain.invalidate(devnet.chain.tip);
    await devnet.generate(1);
    expect(await waiting).toMatchObject({ hash: expect.not.stringMatching(/^$/) });
  });

  test("ends with the time, told the tip", async () => {
    const { ask, devnet, clock } = world();
    const waiting = ask("waitfornewblock", [10_000, devnet.chain.tip.key], newBlock);
    await pass(clock, 10_000, 500);
    expect(await waiting).toEqual({ hash: devnet.chain.tip.key, height: 110 });
  });

  test("fails when the connection goes, so that the watch learns of it", async () => {
    const { ask, node, devnet } = world({ hasJsonRpc: false });
    const before = node.listening;
    const waiting = ask("waitfornewblock", [10_000, devnet.chain.tip.key], newBlock);
    await settle();
    node.turn("down");
    await expect(waiting).rejects.toMatchObject({ code: "bllvm-away" });
    expect(node.listening).toBe(before);
  });

  test("ends when its caller gives up, and holds nothing then", async () => {
    const { rpc, node, devnet, clock } = world();
    const before = node.listening;
    const over = new AbortController();
    const waiting = rpc.call("waitfornewblock", [0, devnet.chain.tip.key], newBlock, {
      signal: over.signal,
      timeoutMs: 60_000,
    });
    await settle();
    over.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
    await settle();
    expect(node.listening).toBe(before);
    expect(clock.pending).toBe(0);
  });
});

describe("a call", () => {
  test.each(["validateaddress", "getrawmempool", "constructor", "__proto__"])(
    "of another method is unknown: %s",
    async (method) => {
      const { ask } = world();
      await expect(ask(method, [], z.unknown())).rejects.toMatchObject({
        code: "node-method-unknown",
        data: { method },
      });
    },
  );

  test("has a deadline, its own or the caller's", async () => {
    const { rpc, node, clock } = world();
    node.chainInfo = () => new Promise(() => undefined);
    const calls = [
      rpc.call("getblockcount", [], z.int()).catch((error: unknown) => error),
      rpc.call("getblockcount", [], z.int(), { timeoutMs: 100 }).catch((error: unknown) => error),
    ];
    await pass(clock, 30_000, 1000);
    const [late, early] = await Promise.all(calls);
    expect(late).toMatchObject({ code: "node-timeout", data: { seconds: 30, method: "getblockcount" } });
    expect(early).toMatchObject({ code: "node-timeout", data: { seconds: 0.1 } });
    expect(clock.pending).toBe(0);
  });

  test("that was given up before does nothing", async () => {
    const { rpc, node } = world();
    const signal = AbortSignal.abort(new Error("over"));
    await expect(rpc.call("getblockcount", [], z.int(), { signal })).rejects.toThrow("over");
    expect(node.total).toBe(0);
  });

  test("whose answer has another form than asked for says so", async () => {
    const { ask } = world();
    await expect(ask("getblockcount", [], z.string())).rejects.toMatchObject({ code: "node-answer-unexpected" });
  });

  test("that one gives up is not lost for another that waits for the same", async () => {
    const { rpc, node } = world();
    const over = new AbortController();
    let go = (): void => undefined;
    const real = node.blockHeader.bind(node);
    node.blockHeader = async (hash) => {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      node.blockHeader = real;
      return real(hash);
    };
    const first = rpc.call("getblockcount", [], z.int(), { signal: over.signal });
    const second = rpc.call("getblockcount", [], z.int());
    await settle();
    over.abort(new Error("over"));
    await expect(first).rejects.toThrow("over");
    go();
    expect(await second).toBe(110);
  });
});
