/** The devnet's RPC over real HTTP on loopback: who may ask, what Core's statuses are, what breaks on purpose, restarts. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { connectTcp } from "../../src/daemon/socket.ts";
import { subscribeToBlocks } from "../../src/daemon/zmq-subscription.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import type { DevnetNodeOptions } from "../../src/devnet/node/options.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { seededRandom } from "../support/seeded-random.ts";

const running: DevnetNode[] = [];
const never = new AbortController().signal;

async function start(options: DevnetNodeOptions = {}): Promise<DevnetNode> {
  const deps = { clock: systemClock, random: seededRandom(1), log: silentLog };
  const node = new DevnetNode(deps, { initialBlocks: 101, ...options });
  await node.start(never);
  running.push(node);
  return node;
}

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
});

interface Asked {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly auth?: string | undefined;
  readonly signal?: AbortSignal;
}

/** One HTTP request; rejects when the connection breaks. */
function ask(node: DevnetNode, body: string, question: Question = {}): Promise<Asked> {
  const { method = "POST", path = "/", signal } = question;
  const auth = "auth" in question ? question.auth : `${node.user}:${node.password}`;
  return new Promise((resolve, reject) => {
    const sent = request(
      `${node.url}${path}`,
      { method, ...(auth === undefined ? {} : { auth }), ...(signal === undefined ? {} : { signal }) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const count = '{"id":1,"method":"getblockcount"}';

describe("who may ask", () => {
  test("only who knows the password; others wait and get 401 with nothing in it", async () => {
    const node = await start({ user: "u", password: "p" });
    expect(await ask(node, count)).toMatchObject({ status: 200, body: '{"result":101,"error":null,"id":1}\n' });
    expect(await ask(node, count, { auth: undefined })).toMatchObject({
      status: 401,
      body: "",
      headers: { "www-authenticate": 'Basic realm="jsonrpc"' },
    });
    for (const auth of ["u:x", "x:p", ":", "u:p:"]) {
      const began = performance.now();
      expect(await ask(node, count, { auth })).toMatchObject({ status: 401, body: "" });
      expect(performance.now() - began).toBeGreaterThanOrEqual(240);
    }
  });

  test("a cookie file for its owner alone, gone with the node", async () => {
    const directory = mkdtempSync(join(tmpdir(), "devnet-"));
    try {
      const node = await start({ cookieDirectory: directory });
      const path = node.cookiePath ?? "";
      expect(readFileSync(path, "utf8")).toBe(`__cookie__:${node.password}`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect((await ask(node, count, { auth: readFileSync(path, "utf8") })).status).toBe(200);
      await node.stop();
      expect(() => statSync(path)).toThrow("ENOENT");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("a cookie that cannot be written is told, and nothing is left listening", async () => {
    const deps = { clock: systemClock, random: seededRandom(1), log: silentLog };
    const node = new DevnetNode(deps, { initialBlocks: 1, cookieDirectory: "/nonexistent/folder" });
    await expect(node.start(never)).rejects.toMatchObject({ code: "devnet-cookie-failed" });
    await expect(ask(node, count)).rejects.toThrow("ECONNREFUSED");
  });
});

describe("HTTP as Core does it", () => {
  test("another path, another method, no JSON, too much", async () => {
    const node = await start();
    expect(await ask(node, count, { path: "/other" })).toMatchObject({ status: 404, body: "" });
    expect((await ask(node, count, { path: "/wallet/any" })).status).toBe(200);
    expect(await ask(node, "", { method: "GET" })).toMatchObject({
      status: 405,
      body: "JSONRPC server handles only POST requests",
    });
    expect(await ask(node, "{")).toMatchObject({ status: 500, headers: { "content-type": "application/json" } });
    expect((await ask(node, '{"id":1,"method":"nosuchmethod"}')).status).toBe(404);
    expect(await ask(node, '{"jsonrpc":"2.0","method":"getblockcount"}')).toMatchObject({ status: 204, body: "" });
    const huge = await ask(node, "x".repeat(9_500_000)).catch((error: Error) => ({ status: error.message }));
    expect([413, "write EPIPE", "read ECONNRESET", "socket hang up", "write ECONNRESET"]).toContain(huge.status);
    expect((await ask(node, count)).status).toBe(200);
  });

  test("long polls hold a place each; when all are taken the next gets 503; all end when the node stops", async () => {
    const node = await start();
    const { longpollid } = JSON.parse(
      (await ask(node, '{"id":1,"method":"getblocktemplate","params":[{"rules":["segwit"]}]}')).body,
    ).result;
    const poll = JSON.stringify({
      id: 1,
      method: "getblocktemplate",
      params: [{ rules: ["segwit"], longpollid: `${longpollid}` }],
    });
    const polls = Array.from({ length: 80 }, () => ask(node, poll));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await ask(node, count)).toMatchObject({ status: 503, body: "Work queue depth exceeded" });
    const [first, ...rest] = polls;
    await node.stop();
    expect(await first).toMatchObject({ status: 500, body: expect.stringContaining('"code":-9') });
    for (const each of rest) expect((await each).status).toBe(500);
  });

  test("a client that goes away frees its place", async () => {
    const node = await start();
    const clients = Array.from({ length: 80 }, () => new AbortController());
    const polls = clients.map(({ signal }) =>
      ask(node, '{"id":1,"method":"waitfornewblock"}', { signal }).catch(() => undefined),
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const client of clients) client.abort();
    await Promise.all(polls);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await ask(node, count)).status).toBe(200);
  });
});

describe("what breaks on purpose", () => {
  test("errors, bare HTTP answers, delays, cut and hanging connections, each as often as asked", async () => {
    const node = await start();
    const { disturbances } = node;
    disturbances.set("getblockcount", { kind: "error", code: -28, message: "Loading block index…" }, 2);
    for (let i = 0; i < 2; i++) {
      expect(await ask(node, count)).toMatchObject({ status: 500, body: expect.stringContaining("-28") });
    }
    expect((await ask(node, count)).status).toBe(200);
    disturbances.set("*", { kind: "http", status: 503, body: "Work queue depth exceeded" }, 1);
    expect(await ask(node, count)).toMatchObject({ status: 503, body: "Work queue depth exceeded" });
    disturbances.set("getblockcount", { kind: "drop" }, 1);
    await expect(ask(node, count)).rejects.toThrow("socket hang up");
    disturbances.set("getblockcount", { kind: "delay", ms: 300 });
    const began = performance.now();
    expect((await ask(node, count)).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThanOrEqual(290);
    disturbances.clear("getblockcount");
    disturbances.set("getblockcount", { kind: "hang" }, 1);
    const impatient = ask(node, count, { signal: AbortSignal.timeout(300) });
    await expect(impatient).rejects.toThrow();
    expect((await ask(node, count)).status).toBe(200);
    disturbances.headersAhead = 7;
    expect(JSON.parse((await ask(node, '{"id":1,"method":"getblockchaininfo"}')).body).result.headers).toBe(108);
    disturbances.clear();
    expect(JSON.parse((await ask(node, '{"id":1,"method":"getblockchaininfo"}')).body).result.headers).toBe(101);
  });
});

test("new tips are published by ZMQ, once for each", async () => {
  const node = await start({ zmqPort: 0 });
  const address = node.zmqAddress ?? "";
  expect(await node.call("getzmqnotifications")).toEqual([{ type: "pubhashblock", address, hwm: 1000 }]);
  const hashes: string[] = [];
  const ending = new AbortController();
  const subscribed = new Promise<void>((resolve) => {
    subscribeToBlocks(
      connectTcp,
      { node: "devnet", address, onSubscribed: resolve, onHash: (hash) => hashes.push(hash) },
      ending.signal,
    ).catch(() => undefined);
  });
  await subscribed;
  await new Promise((resolve) => setTimeout(resolve, 50));
  const mined = await node.generate(3);
  // A reorg by two blocks is one new tip.
  node.chain.invalidate(node.chain.at(103) ?? node.chain.tip);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(hashes).toEqual([...mined, mined[0]]);
  await node.stop();
  await node.start(never);
  expect(node.zmqAddress).toBe(address);
  ending.abort();
});

describe("start and stop", () => {
  test("a node comes back at the same port with the same chain and password", async () => {
    const node = await start();
    const { url } = node;
    await node.generate(2);
    await node.stop();
    await expect(ask(node, count)).rejects.toThrow("ECONNREFUSED");
    await node.start(never);
    expect(node.url).toBe(url);
    expect(JSON.parse((await ask(node, count)).body).result).toBe(103);
    expect(await node.generate(1)).toHaveLength(1);
  });

  test("a port that is taken is told", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({ code: "devnet-listen-failed" });
    await new Promise((resolve) => other.close(resolve));
  });

  test("mining leaves the node answering meanwhile, and ends when asked", async () => {
    // Difficulty 1: no block in any time that a test has.
    const node = await start({ nBits: 0x1d00ffff });
    const enough = new AbortController();
    const mined = node.generate(1, undefined, enough.signal);
    for (let i = 0; i < 5; i++) expect((await ask(node, count)).status).toBe(200);
    enough.abort();
    expect(await mined).toEqual([]);
  });
});
