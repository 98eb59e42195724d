/** The embedded RSK node over real sockets: HTTP and WebSocket, how it breaks and comes back, and its heads. */
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../src/app/system.ts";
import { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import type { RskDaemonOptions } from "../../src/devnet/rsk/options.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { type Asked, askHttp, type Question } from "../support/ask-rpc.ts";
import { ascii, partialMerkle, type RskSubmitted, type RskWork, taggedParent } from "../support/rsk.ts";
import { seededRandom } from "../support/seeded-random.ts";

const never = new AbortController().signal;
const running: RskDaemon[] = [];
const sockets: WebSocket[] = [];

async function start(options: RskDaemonOptions = {}): Promise<RskDaemon> {
  const daemon = new RskDaemon({ clock: systemClock, random: seededRandom(1), log: silentLog }, options);
  await daemon.start(never);
  running.push(daemon);
  return daemon;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const daemon of running.splice(0)) await daemon.stop();
});

function ask(daemon: RskDaemon, method: string, params: unknown[] = [], more: Question = {}): Promise<Asked> {
  return askHttp(daemon.url, JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }), more);
}

async function result<T>(daemon: RskDaemon, method: string, ...params: unknown[]): Promise<T> {
  return JSON.parse((await ask(daemon, method, params)).body).result as T;
}

const submit = async (daemon: RskDaemon, work: RskWork): Promise<RskSubmitted> =>
  result(daemon, "mnr_submitBitcoinBlockPartialMerkle", ...partialMerkle(taggedParent(work)));

/** A connection and the messages that came. */
async function connect(url: string): Promise<{ socket: WebSocket; messages: Record<string, unknown>[] }> {
  const socket = new WebSocket(url);
  sockets.push(socket);
  const messages: Record<string, unknown>[] = [];
  socket.on("message", (text) => messages.push(JSON.parse(String(text))));
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return { socket, messages };
}

test("work is fetched, solved, submitted and followed", async () => {
  const daemon = await start({ difficulty: 100 });
  const work = await result<RskWork>(daemon, "mnr_getWork");
  const { blockImportedResult, blockHash, blockIncludedHeight } = await submit(daemon, work);
  expect(ascii(blockImportedResult)).toBe("IMPORTED_BEST");
  expect(await result(daemon, "eth_getBlockByNumber", blockIncludedHeight, false)).toMatchObject({ hash: blockHash });
});

test("it speaks POST and JSON only, and errors come with status 200", async () => {
  const daemon = await start();
  expect(await ask(daemon, "eth_chainId", [], { method: "GET" })).toMatchObject({ status: 405 });
  expect(await ask(daemon, "eth_chainId", [], { type: "text/plain" })).toMatchObject({ status: 415 });
  expect(await ask(daemon, "eth_chainId", [], { type: "application/json; charset=utf-8" })).toMatchObject({
    status: 200,
  });
  const { status, body } = await ask(daemon, "mnr_nosuch");
  expect({ status, ...JSON.parse(body) }).toEqual({
    status: 200,
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32601, message: "method not found" },
  });
});

describe("how it ends and comes back", () => {
  test("a restart keeps the chain and loses its works", async () => {
    const daemon = await start({ wsPort: 0 });
    const work = await result<RskWork>(daemon, "mnr_getWork");
    await submit(daemon, work);
    daemon.addTransaction();
    daemon.refreshWork();
    const old = await result<RskWork>(daemon, "mnr_getWork");
    const { url, wsUrl } = daemon;
    daemon.mineForeignBlock();
    await daemon.crash();
    await expect(ask(daemon, "eth_blockNumber")).rejects.toThrow(/ECONNREFUSED/);
    await daemon.start(never);
    expect([daemon.url, daemon.wsUrl]).toEqual([url, wsUrl]);
    expect(await result(daemon, "eth_blockNumber")).toBe("0x1f6");
    const { body } = await ask(daemon, "mnr_submitBitcoinBlockPartialMerkle", partialMerkle(taggedParent(old)));
    expect(JSON.parse(body).error).toMatchObject({
      code: -33000,
      message: expect.stringContaining("could not find hash"),
    });
    await daemon.restart();
    expect(daemon.isRunning).toBe(true);
    await expect(daemon.start(never)).rejects.toThrow(TypeError);
    const port = Number(new URL(url).port);
    await expect(start({ port })).rejects.toMatchObject({ code: "devnet-listen-failed" });
    await expect(start({ wsPort: port })).rejects.toMatchObject({ code: "devnet-listen-failed" });
  });

  test("answers that are slow, garbled, cut, or never come", async () => {
    const { disturbances, url } = await start();
    const daemon = running[0]!;
    disturbances.set("mnr_getWork", { kind: "http", status: 502, body: "<html>Bad Gateway</html>" }, 1);
    expect(await ask(daemon, "mnr_getWork")).toMatchObject({ status: 502 });
    disturbances.set("mnr_getWork", { kind: "reset" }, 1);
    await expect(ask(daemon, "mnr_getWork")).rejects.toThrow(/ECONNRESET/);
    disturbances.set("mnr_getWork", { kind: "error", code: -32603, message: "Internal server error" }, 1);
    expect(JSON.parse((await ask(daemon, "mnr_getWork")).body).error.code).toBe(-32603);
    disturbances.set("*", { kind: "hang" }, 1);
    await expect(askHttp(url, "{}", { signal: AbortSignal.timeout(100) })).resolves.toMatchObject({ status: 200 });
    await expect(ask(daemon, "mnr_getWork", [], { signal: AbortSignal.timeout(100) })).rejects.toThrow();
    disturbances.set("mnr_getWork", { kind: "delay", ms: 100 }, 1);
    const before = performance.now();
    await ask(daemon, "mnr_getWork");
    expect(performance.now() - before).toBeGreaterThanOrEqual(95);
  });
});

describe("WebSocket", () => {
  test("methods are answered, and subscribers hear of each new head until they unsubscribe", async () => {
    const daemon = await start({ wsPort: 0 });
    const { socket, messages } = await connect(daemon.wsUrl!);
    const say = (id: number, method: string, ...params: unknown[]): void =>
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    say(1, "eth_subscribe", "newHeads");
    say(2, "eth_blockNumber");
    say(3, "eth_subscribe", "logs");
    await expect.poll(() => messages.length).toBe(3);
    // Answers come in any order.
    messages.sort((a, b) => Number(a.id) - Number(b.id));
    const name = messages[0]?.result;
    expect(messages).toMatchObject([{ id: 1 }, { id: 2, result: "0x1f4" }, { id: 3, error: { code: -32602 } }]);
    const hash = daemon.mineForeignBlock();
    await expect.poll(() => messages.length).toBe(4);
    expect(messages[3]).toMatchObject({
      method: "eth_subscription",
      params: { subscription: name, result: { hash, number: "0x1f5" } },
    });
    const { blockHash } = await submit(daemon, await result<RskWork>(daemon, "mnr_getWork"));
    await expect.poll(() => messages.length).toBe(5);
    expect(messages[4]).toMatchObject({ params: { result: { hash: blockHash } } });
    say(4, "eth_unsubscribe", name);
    await expect.poll(() => messages.length).toBe(6);
    expect(messages[5]).toMatchObject({ id: 4, result: true });
    daemon.mineForeignBlock();
    say(5, "eth_chainId");
    await expect.poll(() => messages.length).toBe(7);
    expect(messages[6]).toMatchObject({ id: 5 });
  });

  test("other paths, binary messages and a node that ends close it", async () => {
    const daemon = await start({ wsPort: 0 });
    await expect(connect(daemon.wsUrl!.replace("/websocket", "/other"))).rejects.toThrow(/401/);
    const first = await connect(daemon.wsUrl!);
    const closed = new Promise((resolve) => first.socket.once("close", resolve));
    first.socket.send(Buffer.of(1));
    expect(await closed).toBe(1003);
    const second = await connect(daemon.wsUrl!);
    const cut = new Promise((resolve) => second.socket.once("close", resolve));
    await daemon.stop();
    expect(await cut).toBe(1006);
  });

  test("a head is told before there is work on it, when the node is set so", async () => {
    const daemon = await start({ wsPort: 0, workDelayMs: 200 });
    const { socket, messages } = await connect(daemon.wsUrl!);
    socket.send(JSON.stringify({ id: 1, method: "eth_subscribe", params: ["newHeads"] }));
    await expect.poll(() => messages.length).toBe(1);
    const hash = daemon.mineForeignBlock();
    await expect.poll(() => messages.length).toBe(2);
    expect((await result<RskWork>(daemon, "mnr_getWork")).parentBlockHash).not.toBe(hash);
    await expect.poll(async () => (await result<RskWork>(daemon, "mnr_getWork")).parentBlockHash).toBe(hash);
  });
});

test("blocks and fees come by themselves at the rate that was asked for, and stop with the node", async () => {
  const daemon = await start({ blockEveryMs: 20, transactionEveryMs: 5, refreshMs: 20 });
  await expect.poll(() => daemon.chain.tip.number).toBeGreaterThan(505);
  expect(daemon.chain.tip.feesSoFar).toBeGreaterThan(0n);
  await daemon.stop();
  const { number } = daemon.chain.tip;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(daemon.chain.tip.number).toBe(number);
});
