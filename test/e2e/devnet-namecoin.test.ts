/** The embedded Namecoin daemon over real sockets: who may ask, how it answers, how it breaks and comes back, its notices. */
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { connectTcp } from "../../src/daemon/socket.ts";
import { subscribeToBlocks } from "../../src/daemon/zmq-subscription.ts";
import { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import type { NamecoinDaemonOptions } from "../../src/devnet/namecoin/options.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { type Asked, askHttp, type Question } from "../support/ask-rpc.ts";
import { type AuxBlock, NAMECOIN_ADDRESS, solve } from "../support/namecoin.ts";
import { seededRandom } from "../support/seeded-random.ts";

const never = new AbortController().signal;
const running: NamecoinDaemon[] = [];

async function start(options: NamecoinDaemonOptions = {}): Promise<NamecoinDaemon> {
  const daemon = new NamecoinDaemon({ clock: systemClock, random: seededRandom(1), log: silentLog }, options);
  await daemon.start(never);
  running.push(daemon);
  return daemon;
}

afterEach(async () => {
  for (const daemon of running.splice(0)) await daemon.stop();
});

function ask(daemon: NamecoinDaemon, method: string, params: unknown[] = [], more: Question = {}): Promise<Asked> {
  const body = JSON.stringify({ jsonrpc: "1.0", id: 1, method, params });
  return askHttp(daemon.url, body, { auth: `${daemon.user}:${daemon.password}`, ...more });
}

async function result<T>(daemon: NamecoinDaemon, method: string, ...params: unknown[]): Promise<T> {
  const { body } = await ask(daemon, method, params);
  return JSON.parse(body).result as T;
}

const create = (daemon: NamecoinDaemon): Promise<AuxBlock> => result(daemon, "createauxblock", NAMECOIN_ADDRESS);

test("a block is created, solved, submitted and followed, and a wrong password sees nothing of it", async () => {
  const daemon = await start();
  expect(await ask(daemon, "getblockcount", [], { auth: "devnet:wrong" })).toMatchObject({ status: 401, body: "" });
  const work = await create(daemon);
  expect(await ask(daemon, "submitauxblock", [work.hash, solve("33".repeat(32))])).toMatchObject({
    status: 200,
    body: '{"result":false,"error":null,"id":1}\n',
  });
  expect(await result(daemon, "submitauxblock", work.hash, solve(work.hash))).toBe(true);
  daemon.mineForeignBlock();
  expect(await result(daemon, "getblockheader", work.hash)).toMatchObject({ confirmations: 2, height: work.height });
  const block = await result<{ tx: { vout: { value: number }[] }[] }>(daemon, "getblock", work.hash, 2);
  expect(block.tx[0]?.vout[0]?.value).toBe(50);
  expect(await ask(daemon, "submitauxblock", ["zz", "00"])).toMatchObject({ status: 500 });
  expect(await ask(daemon, "createauxblock", ["nonsense"])).toMatchObject({ status: 500 });
});

describe("how it ends", () => {
  test("an upper-case hash of a known block with a readable proof takes the daemon down; others do not", async () => {
    const daemon = await start();
    const { hash } = await create(daemon);
    const upper = hash.toUpperCase();
    expect(await ask(daemon, "submitauxblock", ["AA".repeat(32), "00"])).toMatchObject({ status: 500 });
    expect(await ask(daemon, "submitauxblock", [upper, "00"])).toMatchObject({ status: 500 });
    await expect(ask(daemon, "submitauxblock", [upper, solve(hash)])).rejects.toThrow();
    expect(daemon.isRunning).toBe(false);
    await expect(ask(daemon, "getblockcount")).rejects.toThrow(/ECONNREFUSED/);
    const { url } = daemon;
    await daemon.start(never);
    expect(daemon.url).toBe(url);
    expect(await result(daemon, "getblockcount")).toBe(20);
  });

  test("a restart keeps the chain and the password and loses the templates", async () => {
    const daemon = await start();
    const { hash, height } = await create(daemon);
    await result(daemon, "submitauxblock", hash, solve(hash));
    const next = await create(daemon);
    await daemon.restart();
    expect(await result(daemon, "getblockcount")).toBe(height);
    const { body } = await ask(daemon, "submitauxblock", [next.hash, solve(next.hash)]);
    expect(JSON.parse(body).error).toEqual({ code: -8, message: "block hash unknown" });
  });

  test("calls that wait get no answer from a daemon that crashes, and one from a daemon that stops", async () => {
    const daemon = await start();
    const lost = ask(daemon, "waitfornewblock", [0]);
    const failed = expect(lost).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await daemon.crash();
    await failed;
    await daemon.start(never);
    const waiting = ask(daemon, "waitfornewblock", [0]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await result(daemon, "stop")).toBe("Namecoin Core stopping");
    expect(await waiting).toMatchObject({ status: 200 });
    await expect
      .poll(() => ask(daemon, "getblockcount").catch((error: Error) => error.message))
      .toMatch(/ECONNREFUSED/);
  });

  test("it cannot start twice, nor on a port that is taken", async () => {
    const daemon = await start();
    await expect(daemon.start(never)).rejects.toThrow(TypeError);
    const port = Number(new URL(daemon.url).port);
    await expect(start({ port })).rejects.toMatchObject({ code: "devnet-listen-failed" });
    await expect(start({ zmqPort: port })).rejects.toMatchObject({ code: "devnet-listen-failed" });
  });
});

describe("what breaks on purpose", () => {
  test("slow, hanging, garbled, cut and failing answers", async () => {
    const daemon = await start();
    const { disturbances } = daemon;
    disturbances.set("createauxblock", { kind: "delay", ms: 100 }, 1);
    const before = performance.now();
    await create(daemon);
    expect(performance.now() - before).toBeGreaterThanOrEqual(95);
    disturbances.set("createauxblock", { kind: "http", status: 200, body: "<html>proxy</html>" }, 1);
    expect(await ask(daemon, "createauxblock", [NAMECOIN_ADDRESS])).toMatchObject({ body: "<html>proxy</html>" });
    disturbances.set("submitauxblock", { kind: "error", code: -32603, message: "Internal error" }, 1);
    expect(JSON.parse((await ask(daemon, "submitauxblock", ["", ""])).body).error.code).toBe(-32603);
    for (const kind of ["drop", "reset"] as const) {
      disturbances.set("*", { kind }, 1);
      await expect(create(daemon)).rejects.toThrow(kind === "reset" ? /ECONNRESET/ : /hang up|ECONNRESET/);
    }
    disturbances.set("submitauxblock", { kind: "hang" }, 1);
    const signal = AbortSignal.timeout(100);
    await expect(ask(daemon, "submitauxblock", ["", ""], { signal })).rejects.toThrow();
    expect(await result(daemon, "getblockcount")).toBe(20);
  });

  test("loading is an HTTP 500 with -28 on everything", async () => {
    const daemon = await start();
    daemon.disturbances.loading = "Verifying blocks…";
    const { status, body } = await ask(daemon, "getblockchaininfo");
    expect({ status, error: JSON.parse(body).error }).toEqual({
      status: 500,
      error: { code: -28, message: "Verifying blocks…" },
    });
  });
});

describe("new blocks", () => {
  test("are told by ZMQ and by waitfornewblock at once, those of others and our own", async () => {
    const daemon = await start({ zmqPort: 0 });
    const told: string[] = [];
    const stopped = new AbortController();
    const subscription = { node: "nmc", address: daemon.zmqAddress!, onHash: (hash: string) => told.push(hash) };
    subscribeToBlocks(connectTcp, subscription, stopped.signal).catch(() => undefined);
    await expect
      .poll(() => {
        daemon.mineForeignBlock();
        return told.length;
      })
      .toBeGreaterThan(0);
    const waiting = result<{ hash: string }>(daemon, "waitfornewblock", 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { hash } = await create(daemon);
    await result(daemon, "submitauxblock", hash, solve(hash));
    expect(await waiting).toMatchObject({ hash });
    await expect.poll(() => told.at(-1)).toBe(hash);
    expect(await result(daemon, "getzmqnotifications")).toMatchObject([{ address: daemon.zmqAddress }]);
    stopped.abort();
  });

  test("come by themselves at the rate that was asked for, and stop with the daemon", async () => {
    const daemon = await start({ blockEveryMs: 20, transactionEveryMs: 10 });
    await expect.poll(() => daemon.chain.tip.height).toBeGreaterThan(25);
    await daemon.stop();
    const { height } = daemon.chain.tip;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(daemon.chain.tip.height).toBe(height);
  });
});
