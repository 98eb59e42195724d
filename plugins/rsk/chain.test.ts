/** The chain over scripted nodes, a scripted WebSocket and a fake clock. */
import type { Chain, ConnectWebSocket, Proof, SubmittedBlock, WebSocketEvents } from "bllvm-stratum-v2/plugin";
import { concat, fromHex } from "bllvm-stratum-v2/plugin";
import { afterEach, describe, expect, test } from "vitest";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { type ChainHost, chainHost } from "../../test/support/chain-host.ts";
import {
  RpcError,
  type ScriptedDaemon,
  scriptedDaemon,
  scriptedPorts,
  settle,
} from "../../test/support/scripted-daemon.ts";
import { rskPlugin } from "./index.ts";
import { tagOutput } from "./work.ts";

const hash = (digit: string) => `0x${digit.repeat(64)}`;
const hex = (text: string) => `0x${Buffer.from(text, "ascii").toString("hex")}`;

/** A node whose tip and work a test sets. */
function pretendNode() {
  const state = {
    parent: hash("a"),
    parentNumber: 100,
    work: hash("1") as string | null,
    submit: (): unknown => accepted,
  };
  const accepted = { blockImportedResult: hex("IMPORTED_BEST"), blockHash: hash("b"), blockIncludedHeight: "0x65" };
  const daemon = scriptedDaemon({
    mnr_getWork: () =>
      state.work === null
        ? null
        : {
            blockHashForMergedMining: state.work,
            target: `0x${"55".repeat(32)}`,
            feesPaidToMiner: "1000",
            notify: false,
            parentBlockHash: state.parent,
          },
    eth_getBlockByHash: ([of]) => (of === state.parent ? { number: `0x${state.parentNumber.toString(16)}` } : null),
    eth_blockNumber: () => `0x${state.parentNumber.toString(16)}`,
    mnr_submitBitcoinBlockPartialMerkle: () => state.submit(),
  });
  return { ...state, state, daemon };
}

const chains: Chain[] = [];
afterEach(async () => {
  for (const chain of chains.splice(0)) await chain.stop();
});

function setUp(nodes: Readonly<Record<string, ScriptedDaemon>>, more: object = {}, wsOf?: string) {
  const host: ChainHost = chainHost("rsk");
  const sockets: { url: string; events: WebSocketEvents; sent: string[]; closed: boolean }[] = [];
  const connectWebSocket: ConnectWebSocket = (url, _limits, events) => {
    const socket = { url, events, sent: [] as string[], closed: false };
    sockets.push(socket);
    return {
      send: (text) => void socket.sent.push(text),
      ping() {},
      close: () => {
        socket.closed = true;
      },
    };
  };
  const plugin = rskPlugin({ ...scriptedPorts(nodes), connectWebSocket });
  const daemons = Object.keys(nodes).map((at) => ({
    url: `http://${at}/`,
    ...(wsOf === at ? { ws: `ws://${at}/websocket` } : {}),
  }));
  const chain = plugin.open(plugin.config.parse({ daemons, ...more }), host);
  chains.push(chain);
  return { host, chain, sockets };
}

async function pass(host: ChainHost, ms: number) {
  for (let passed = 0; passed < ms; passed += 25) {
    host.clock.advance(25);
    await settle();
  }
}

const counts = (daemon: ScriptedDaemon, method: string) => daemon.calls.filter((call) => call.method === method).length;
const signal = new AbortController().signal;

describe("work", () => {
  test("is asked for at the start and every two seconds, and offered each time", async () => {
    const { daemon } = pretendNode();
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await settle();
    expect(host.offers).toHaveLength(1);
    expect(host.offers[0]).toMatchObject({
      id: hash("1"),
      parent: hash("a"),
      height: 101,
      value: 792n,
      details: { node: "a:4444" },
    });
    expect(host.troubles).toEqual([undefined]);
    await pass(host, 6000);
    expect(host.offers).toHaveLength(4);
    expect(counts(daemon, "mnr_getWork")).toBe(4);
  });

  test("asks for the height once for each parent, and reads it from the hash where RSKIP-110 puts it", async () => {
    const { state, daemon } = pretendNode();
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await pass(host, 4000);
    expect(counts(daemon, "eth_getBlockByHash")).toBe(1);
    state.parent = hash("c");
    state.work = `0x${"ab".repeat(28)}00000066`;
    await pass(host, 2000);
    expect(host.offers.at(-1)?.height).toBe(102);
    expect(counts(daemon, "eth_getBlockByHash")).toBe(1);
  });

  test("a node that forgot its parent is asked for its tip", async () => {
    const { daemon } = pretendNode();
    daemon.methods.eth_getBlockByHash = () => null;
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await settle();
    expect(host.offers[0]?.height).toBe(101);
  });

  test("of a node that has none (synchronising) is withdrawn at once, and comes back", async () => {
    const { state, daemon } = pretendNode();
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await settle();
    state.work = null;
    await pass(host, 2000);
    expect(host.offers.at(-1)).toBeUndefined();
    expect(host.troubles.at(-1)).toContain("still downloading the chain");
    state.work = hash("2");
    await pass(host, 2000);
    expect(host.offers.at(-1)?.id).toBe(hash("2"));
    expect(host.troubles.at(-1)).toBeUndefined();
  });

  test("stands for ten seconds while the node is down, then it is withdrawn", async () => {
    const { daemon } = pretendNode();
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await settle();
    daemon.state = "down";
    await pass(host, 10_000);
    expect(host.offers).toHaveLength(1);
    expect(host.troubles.at(-1)).toContain("nothing listens");
    await pass(host, 4000);
    expect(host.offers.at(-1)).toBeUndefined();
  });

  test("comes from the next node when one hangs, after its timeout", async () => {
    const a = pretendNode();
    const b = pretendNode();
    b.state.work = hash("2");
    const { host, chain } = setUp({ "a:4444": a.daemon, "b:4444": b.daemon });
    await chain.start();
    await settle();
    expect(host.offers.at(-1)?.details.node).toBe("a:4444");
    a.daemon.state = "hang";
    await pass(host, 12_500);
    expect(host.offers.at(-1)).toMatchObject({ id: hash("2"), details: { node: "b:4444" } });
    // The hung node's work is withdrawn first, so that the other's makes a job though its parent is the same.
    const nodes = host.offers.map((work) => work?.details.node);
    expect(nodes.slice(nodes.lastIndexOf("a:4444"), -1)).toContain(undefined);
  });

  test("of a node without the module mnr is a sentence that says what to enable", async () => {
    const { daemon } = pretendNode();
    delete (daemon.methods as Record<string, unknown>).mnr_getWork;
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await settle();
    expect(host.troubles.at(-1)).toBe(
      "a:4444 does not offer mnr_getWork: enable the module mnr in rpc.modules and set miner.server.enabled = true in its configuration",
    );
  });

  test("of a node without the module eth says so, and does not blame the module mnr", async () => {
    const { daemon } = pretendNode();
    delete (daemon.methods as Record<string, unknown>).eth_getBlockByHash;
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await settle();
    expect(host.troubles.at(-1)).toBe(
      "a:4444 does not offer eth_getBlockByHash: enable the module eth in rpc.modules of its configuration",
    );
  });

  test("of a node that catches up builds on an old block: it is withdrawn, or comes from the next node", async () => {
    const [late, well] = [pretendNode(), pretendNode()];
    let syncing: unknown = false;
    (late.daemon.methods as Record<string, unknown>).eth_syncing = () => syncing;
    const alone = setUp({ "a:4444": late.daemon });
    await alone.chain.start();
    await settle();
    expect(alone.host.offers.at(-1)).toMatchObject({ id: hash("1") });
    syncing = { startingBlock: "0x1", currentBlock: "0x64", highestBlock: "0x6b2f1c" };
    await pass(alone.host, 2100);
    expect(alone.host.offers.at(-1)).toBeUndefined();
    expect(alone.host.troubles.at(-1)).toMatch(/still downloading the chain/);
    well.state.work = hash("2");
    const both = setUp({ "a:4444": late.daemon, "b:4444": well.daemon });
    await both.chain.start();
    await settle();
    expect(both.host.offers.at(-1)).toMatchObject({ id: hash("2"), details: { node: "b:4444" } });
    syncing = false;
    await pass(alone.host, 2100);
    expect(alone.host.offers.at(-1)).toMatchObject({ id: hash("1") });
  });

  test("with a target of 0 would never be solved, and is no work", async () => {
    const { daemon } = pretendNode();
    const { mnr_getWork } = daemon.methods;
    (daemon.methods as Record<string, unknown>).mnr_getWork = () => ({
      ...(mnr_getWork?.([]) as object),
      target: `0x${"00".repeat(32)}`,
    });
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    await settle();
    expect(host.offers).toEqual([]);
    expect(host.troubles.at(-1)).toMatch(/target/);
  });

  test("is no longer offered after the chain's end, though an answer was under way", async () => {
    const { daemon } = pretendNode();
    const { host, chain } = setUp({ "a:4444": daemon });
    await chain.start();
    host.controller.abort(new Error("stopped"));
    await chain.stop();
    await settle();
    expect(host.offers).toEqual([]);
    expect(host.clock.pending).toBe(0);
  });
});

describe("pushed heads", () => {
  const head = (of: string) =>
    JSON.stringify({
      jsonrpc: "2.0",
      method: "eth_subscription",
      params: { subscription: "0x1", result: { number: "0x65", hash: of } },
    });

  test("are subscribed to, and bring the question forward", async () => {
    const { state, daemon } = pretendNode();
    const { host, chain, sockets } = setUp({ "a:4444": daemon }, {}, "a:4444");
    await chain.start();
    await settle();
    sockets[0]?.events.onOpen();
    expect(sockets[0]?.url).toBe("ws://a:4444/websocket");
    expect(JSON.parse(sockets[0]?.sent[0] ?? "")).toMatchObject({ method: "eth_subscribe", params: ["newHeads"] });
    sockets[0]?.events.onMessage('{"jsonrpc":"2.0","id":1,"result":"0x1"}');
    Object.assign(state, { parent: hash("c"), parentNumber: 101, work: hash("2") });
    sockets[0]?.events.onMessage(head(hash("c")));
    await settle();
    expect(host.offers.at(-1)).toMatchObject({ id: hash("2"), height: 102 });
    expect(host.clock.monotonicMs()).toBe(0);
    expect(host.counts.get("heads_pushed")).toBe(1);
    expect(host.gauges.get("push_connected")).toBe(1);
  });

  test("that come before the node made work on them make it be asked again soon", async () => {
    const { state, daemon } = pretendNode();
    const { host, chain, sockets } = setUp({ "a:4444": daemon }, {}, "a:4444");
    await chain.start();
    await settle();
    sockets[0]?.events.onOpen();
    sockets[0]?.events.onMessage(head(hash("c")));
    await settle();
    expect(counts(daemon, "mnr_getWork")).toBe(2);
    await pass(host, 25);
    expect(counts(daemon, "mnr_getWork")).toBe(3);
    Object.assign(state, { parent: hash("c"), parentNumber: 101, work: hash("2") });
    await pass(host, 50);
    expect(host.offers.at(-1)?.parent).toBe(hash("c"));
    const asked = counts(daemon, "mnr_getWork");
    await pass(host, 1500);
    expect(counts(daemon, "mnr_getWork")).toBe(asked);
  });

  test("that never get work do not make the node be asked for ever", async () => {
    const { daemon } = pretendNode();
    const { host, chain, sockets } = setUp({ "a:4444": daemon }, { poll_s: 60 }, "a:4444");
    await chain.start();
    await settle();
    sockets[0]?.events.onOpen();
    sockets[0]?.events.onMessage(head(hash("c")));
    await pass(host, 5000);
    expect(counts(daemon, "mnr_getWork")).toBe(2 + 6);
  });

  test("that are refused or lost leave the polling, with one line in the log", async () => {
    const { daemon } = pretendNode();
    const { host, chain, sockets } = setUp({ "a:4444": daemon }, {}, "a:4444");
    await chain.start();
    await settle();
    sockets[0]?.events.onOpen();
    sockets[0]?.events.onMessage('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"method not found"}}');
    expect(sockets[0]?.closed).toBe(true);
    sockets[0]?.events.onClose("closed");
    await pass(host, 4000);
    expect(host.offers).toHaveLength(3);
    expect(sockets.length).toBeGreaterThan(1);
    expect(host.gauges.get("push_connected")).toBe(0);
    expect(host.log.lines.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual([
      "node a:4444 pushes no heads, it is polled only: closed",
    ]);
  });

  test("that come and go for an hour write few lines", async () => {
    const { daemon } = pretendNode();
    const { host, chain, sockets } = setUp({ "a:4444": daemon }, { poll_s: 60 }, "a:4444");
    await chain.start();
    for (let seconds = 0; seconds < 3600; seconds += 2) {
      sockets.at(-1)?.events.onOpen();
      sockets.at(-1)?.events.onMessage('{"jsonrpc":"2.0","id":1,"result":"0x1"}');
      sockets.at(-1)?.events.onClose("the daemon closed the connection (1006)");
      host.clock.advance(2000);
    }
    expect(host.log.lines.filter(({ level }) => level !== "debug").length).toBeLessThanOrEqual(14);
    expect(host.gauges.get("push_connected")).toBe(0);
  });
});

describe("the check before a submission", () => {
  /** A proof whose tag has `after` bytes behind it, the lock time included. */
  const proofWith = (after: number, more = new Uint8Array(0)): Proof => {
    const tagged = fromHex("11".repeat(32));
    const coinbase = concat(new Uint8Array(150), tagOutput(tagged).script, more, new Uint8Array(after - more.length));
    const header = concat(new Uint8Array(36), sha256d(coinbase), new Uint8Array(12));
    return {
      work: {
        id: hash("1"),
        hash: tagged,
        parent: hash("a"),
        height: 1,
        target: 2n ** 256n - 1n,
        value: 0n,
        details: {},
      },
      header,
      headerHash: sha256d(header),
      coinbase,
      merkleBranch: [],
      transactionCount: 1,
      auxpow: undefined,
    };
  };
  const { chain } = setUp({ "a:4444": pretendNode().daemon });

  test.each([
    [4, undefined],
    [51, undefined],
    [128, undefined],
    [129, "bytes_after"],
    [145, "bytes_after"],
  ])("with %i bytes behind the tag says %s", (after, flaw) => {
    expect(chain.verify?.(proofWith(after))).toBe(flaw);
  });

  test("sees another tag behind ours", () => {
    expect(chain.verify?.(proofWith(60, new TextEncoder().encode("RSKBLOCK:")))).toMatch(/^tag_/);
  });

  test("sees that the header's hash does not meet the target", () => {
    const proof = proofWith(51);
    expect(chain.verify?.({ ...proof, work: { ...proof.work, target: 1n } })).toBe("high_hash");
  });
});

describe("submission", () => {
  const proof = (node: string): Proof => ({
    work: {
      id: hash("1"),
      hash: fromHex("11".repeat(32)),
      parent: hash("a"),
      height: 101,
      target: 1n,
      value: 7n,
      details: { node },
    },
    header: new Uint8Array(80),
    headerHash: new Uint8Array(32),
    coinbase: new Uint8Array(100),
    merkleBranch: [],
    transactionCount: 1,
    auxpow: undefined,
  });
  const forgotten = () => {
    throw new RpcError(-33000, `Cannot publish block, could not find hash ${hash("1")} in the cache`);
  };
  const pair = () => {
    const a = pretendNode();
    const b = pretendNode();
    return { a, b, ...setUp({ "a:4444": a.daemon, "b:4444": b.daemon }) };
  };
  const SUBMIT = "mnr_submitBitcoinBlockPartialMerkle";

  test("goes to the node that made the work first, whichever leads now", async () => {
    const { a, b, chain } = pair();
    expect(await chain.submit(proof("b:4444"), signal)).toMatchObject({
      verdict: "accepted",
      blockHash: hash("b"),
      height: 101,
    });
    expect([counts(a.daemon, SUBMIT), counts(b.daemon, SUBMIT)]).toEqual([0, 1]);
  });

  test("is stale when its maker does not know the work any more and no other does", async () => {
    const { a, b, chain } = pair();
    a.state.submit = forgotten;
    b.state.submit = forgotten;
    expect(await chain.submit(proof("a:4444"), signal)).toEqual({
      verdict: "stale",
      reason: "no node has this work in its cache any more",
    });
    expect(counts(b.daemon, SUBMIT)).toBe(1);
  });

  test("is tried again later when its maker is down, though the others do not know the work", async () => {
    const { a, b, chain } = pair();
    a.daemon.state = "down";
    b.state.submit = forgotten;
    await expect(chain.submit(proof("a:4444"), signal)).rejects.toMatchObject({ code: "node-refused" });
    a.daemon.state = "up";
    expect(await chain.submit(proof("a:4444"), signal)).toMatchObject({ verdict: "accepted" });
  });

  test("is stale when its maker forgot it, though another is down", async () => {
    const { a, b, chain } = pair();
    a.state.submit = forgotten;
    b.daemon.state = "down";
    expect(await chain.submit(proof("a:4444"), signal)).toMatchObject({ verdict: "stale" });
  });

  test("is taken by another node when that one knows the work", async () => {
    const { a, chain } = pair();
    a.daemon.state = "down";
    expect(await chain.submit(proof("a:4444"), signal)).toMatchObject({ verdict: "accepted" });
  });

  test("that comes too soon is tried again later", async () => {
    const { daemon, state } = pretendNode();
    const { chain } = setUp({ "a:4444": daemon });
    state.submit = () => {
      throw new RpcError(-33000, "Cannot publish block, block submission rate limit exceeded");
    };
    await expect(chain.submit(proof("a:4444"), signal)).rejects.toMatchObject({ code: "node-rpc-error" });
  });

  test("to a node that hangs ends when its time is over", async () => {
    const { daemon } = pretendNode();
    const { chain, host } = setUp({ "a:4444": daemon });
    daemon.state = "hang";
    const controller = new AbortController();
    const submitted = chain.submit(proof("a:4444"), controller.signal);
    await pass(host, 1000);
    controller.abort(new Error("the core gave up"));
    await expect(submitted).rejects.toThrow("the core gave up");
    expect(host.clock.pending).toBe(0);
  });

  test("answered with nonsense is tried again later", async () => {
    const { daemon, state } = pretendNode();
    const { chain } = setUp({ "a:4444": daemon });
    state.submit = () => ({ nonsense: [null] });
    await expect(chain.submit(proof("a:4444"), signal)).rejects.toMatchObject({ code: "node-answer-unexpected" });
  });

  test("keeps the configured interval, in order", async () => {
    const { daemon } = pretendNode();
    const { chain, host } = setUp({ "a:4444": daemon }, { submit_interval_ms: 1000 });
    const ended: number[] = [];
    const all = [1, 2, 3].map((n) => chain.submit(proof("a:4444"), signal).then(() => ended.push(n)));
    await settle();
    expect(ended).toEqual([1]);
    await pass(host, 2000);
    await Promise.all(all);
    expect(ended).toEqual([1, 2, 3]);
    expect(host.clock.monotonicMs()).toBe(2000);
  });
});

describe("what became of a block", () => {
  const ours = hash("b");
  const HEIGHT = 101;
  const block: SubmittedBlock = {
    work: {
      id: hash("1"),
      hash: new Uint8Array(32),
      parent: hash("a"),
      height: HEIGHT,
      target: 1n,
      value: 7n,
      details: {},
    },
    blockHash: ours,
    height: HEIGHT,
  };
  /** A node with a tip and a block at our height. */
  function following(tip: number, at: string) {
    const { daemon } = pretendNode();
    daemon.methods.eth_blockNumber = () => `0x${tip.toString(16)}`;
    daemon.methods.eth_getBlockByNumber = ([number]) =>
      Number(number) > tip
        ? null
        : {
            number,
            hash: Number(number) === HEIGHT ? at : hash("e"),
            miner: `0x${"5a".repeat(20)}`,
            transactions: [],
            uncles: [],
          };
    return daemon;
  }

  test("is said by the node that has it, whatever one says that was set back or went another way", async () => {
    const { chain } = setUp({
      "a:4444": following(HEIGHT - 1, ours),
      "b:4444": following(110, hash("c")),
      "c:4444": following(110, ours),
    });
    expect(await chain.status(block, signal)).toEqual({ state: "confirmed", confirmations: 10, reward: undefined });
  });

  test("is orphaned when the nodes that know its height have another there", async () => {
    const { chain } = setUp({ "a:4444": following(HEIGHT - 1, ours), "b:4444": following(110, hash("c")) });
    expect(await chain.status(block, signal)).toMatchObject({ state: "orphaned" });
  });

  test("is not said while a node is away that may have it", async () => {
    const away = following(110, ours);
    const { chain } = setUp({ "a:4444": following(110, hash("c")), "b:4444": away });
    away.state = "down";
    await expect(chain.status(block, signal)).rejects.toMatchObject({ code: "node-refused" });
    away.state = "up";
    expect(await chain.status(block, signal)).toMatchObject({ state: "confirmed" });
  });

  test("is asked of one node at a time: one that fails half-way is no half of an answer", async () => {
    const failing = following(500, ours);
    failing.methods.eth_getBlockByNumber = () => {
      throw new RpcError(-32603, "Internal server error");
    };
    const { chain } = setUp({ "a:4444": failing, "b:4444": following(110, ours) });
    expect(await chain.status(block, signal)).toMatchObject({ state: "confirmed", confirmations: 10 });
  });
});
