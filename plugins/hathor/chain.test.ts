/** The chain over scripted nodes and a fake clock. */
import {
  type ConnectWebSocket,
  concat,
  fromHex,
  type HttpClient,
  type Proof,
  sha256d,
  toHex,
  type WebSocketEvents,
} from "bllvm-stratum-v2/plugin";
import { describe, expect, test } from "vitest";
import { chainHost } from "../../test/support/chain-host.ts";
import { settle } from "../../test/support/scripted-daemon.ts";
import { hathorPlugin } from "./index.ts";

const ADDRESS = "HPjmDFnUesHJXqFJh1qMD1KikbPZYfwaFF";
const SCRIPT = Buffer.from("76a914bcdddee6f042c73ff4b947bc9bca929fbd4fa98588ac", "hex").toString("base64");
const hash = (digit: string) => digit.repeat(64);

/** A node by its answers: text is sent with status 200, a pair with its status, `undefined` for nothing that listens. */
interface Node {
  template: object | readonly [number, string] | undefined;
  submit: object | readonly [number, string] | undefined;
  transaction: object;
  info: object;
  readonly asked: string[];
  readonly posted: string[];
}

const template = (parent: string, more: object = {}) => ({
  timestamp: 1_700_000_000,
  version: 3,
  weight: 1,
  signal_bits: 0,
  parents: [parent, hash("8"), hash("9")],
  outputs: [{ value: 800, token_data: 0, script: SCRIPT }],
  data: "",
  metadata: { height: 6_000_001 },
  ...more,
});

function setUp(names: readonly string[] = ["a"], more: object = {}) {
  const nodes = new Map<string, Node>(
    names.map((name) => [
      `${name}:8080`,
      {
        template: template(hash("a")),
        submit: { result: true },
        transaction: { success: false, message: "Transaction not found" },
        info: { success: true, blocks: 6_000_000 },
        asked: [],
        posted: [],
      },
    ]),
  );
  const http: HttpClient = {
    close() {},
    send: async ({ url, body, method }, { signal }) => {
      const node = nodes.get(url.host);
      if (node === undefined) throw new Error("no such node");
      node.asked.push(`${method} ${url.pathname}${url.search}`);
      if (method === "POST") node.posted.push(JSON.parse(body).hexdata);
      const of: Record<string, unknown> = {
        get_block_template: node.template,
        submit_block: node.submit,
        transaction: node.transaction,
        getmininginfo: node.info,
      };
      const answer = of[url.pathname.replace("/v1a/", "")];
      if (answer === "hang")
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      if (answer === undefined) throw Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
      const [status, text] = Array.isArray(answer) ? (answer as [number, string]) : [200, JSON.stringify(answer)];
      return { status, dateMs: undefined, text };
    },
  };
  const sockets: { url: string; events: WebSocketEvents }[] = [];
  const connectWebSocket: ConnectWebSocket = (url, _limits, events) => {
    sockets.push({ url, events });
    return { send() {}, ping() {}, close() {} };
  };
  const host = chainHost("hathor");
  const plugin = hathorPlugin({ http: () => http, connectWebSocket });
  const urls = names.map((name) => `http://${name}:8080/v1a/`);
  const chain = plugin.open(plugin.config.parse({ urls, address: ADDRESS, ...more }), host);
  const node = (name: string) => nodes.get(`${name}:8080`) as Node;
  return { host, chain, sockets, node, plugin };
}

const signal = new AbortController().signal;

async function started(names?: readonly string[], more?: object) {
  const made = setUp(names, more);
  await made.chain.start();
  await settle();
  const [work] = made.host.offers;
  if (work === undefined) throw new Error(String(made.host.troubles));
  const { script } = made.chain.commit(work) as { script: Uint8Array };
  // Weight 1: every other hash is below the limit.
  const proofOf = (head: Uint8Array, branch: readonly Uint8Array[] = []): Proof => {
    const coinbase = concat(head, script, new Uint8Array(4));
    const root = branch.reduce((at, sibling) => sha256d(concat(at, sibling)), sha256d(coinbase));
    for (let nonce = 0; ; nonce += 1) {
      const header = concat(new Uint8Array(36), root, new Uint8Array(8), Uint8Array.of(nonce, 0, 0, 0));
      const headerHash = sha256d(header);
      if ((headerHash[31] ?? 255) >= 0x7f) continue;
      return { work, header, headerHash, coinbase, merkleBranch: branch, transactionCount: 1, auxpow: undefined };
    }
  };
  return { ...made, work, proofOf, proof: proofOf(new Uint8Array(60)) };
}

async function pass(host: { clock: { advance(ms: number): void } }, ms: number) {
  for (let passed = 0; passed < ms; passed += 100) {
    host.clock.advance(100);
    await settle();
  }
}

describe("work", () => {
  test("is a whole block that pays to the address, and is asked for every two seconds", async () => {
    const { host, node, work, chain } = await started();
    expect(node("a").asked).toEqual([`GET /v1a/get_block_template?address=${ADDRESS}&capabilities=mergedmining`]);
    expect(work).toMatchObject({ parent: hash("a"), height: 6_000_001, value: 800n, id: toHex(work.hash) });
    expect(host.troubles).toEqual([undefined]);
    await pass(host, 4000);
    expect(host.offers).toHaveLength(3);
    await chain.stop();
    expect(host.clock.pending).toBe(0);
  });

  test("commits as `6a24 Hath hash`, the first Hath of the coinbase", async () => {
    const { chain, work } = await started();
    const output = chain.commit(work) as { script: Uint8Array; first: Uint8Array };
    expect(toHex(output.script)).toBe(`6a2448617468${toHex(work.hash)}`);
    expect(toHex(output.first)).toBe("48617468");
    await chain.stop();
  });

  test("that pays to somebody else is not offered", async () => {
    const { host, node, chain } = setUp();
    node("a").template = template(hash("a"), { outputs: [{ value: 800, token_data: 0, script: "dqkU" }] });
    await chain.start();
    await settle();
    expect(host.offers).toEqual([]);
    expect(host.troubles).toEqual(["the node's template does not pay to the configured address"]);
    await chain.stop();
  });

  test("of a synchronising node is withdrawn at once, of one that is gone after ten seconds", async () => {
    const { host, node, chain } = await started();
    node("a").template = [503, '{"error":"Node syncing"}'];
    await pass(host, 2000);
    expect(host.offers.at(-1)).toBeUndefined();
    expect(host.troubles.at(-1)).toContain("synchronising");
    node("a").template = template(hash("b"));
    await pass(host, 2000);
    expect(host.offers.at(-1)?.parent).toBe(hash("b"));
    node("a").template = undefined;
    await pass(host, 10_000);
    expect(host.offers.at(-1)?.parent).toBe(hash("b"));
    await pass(host, 4000);
    expect(host.offers.at(-1)).toBeUndefined();
    await chain.stop();
  });

  test("comes from the next node while one fails, and from the first again later", async () => {
    const { host, node, chain } = await started(["a", "b"]);
    node("b").template = template(hash("b"));
    node("a").template = undefined;
    await pass(host, 2000);
    expect(host.offers.at(-1)?.parent).toBe(hash("b"));
    node("a").template = template(hash("c"));
    await pass(host, 10_000);
    expect(host.offers.at(-1)?.parent).toBe(hash("b"));
    await pass(host, 24_000);
    expect(host.offers.at(-1)?.parent).toBe(hash("c"));
    await chain.stop();
  });

  test("on another tip is asked for as soon as the node pushes it", async () => {
    const { host, node, chain, sockets } = await started();
    expect(sockets.map(({ url }) => url)).toEqual(["ws://a:8080/v1a/mining_ws"]);
    sockets[0]?.events.onOpen();
    const notify = (parent: string) =>
      sockets[0]?.events.onMessage(
        JSON.stringify({ id: null, method: "mining.notify", params: [{ parents: [parent], height: 1 }] }),
      );
    notify(hash("a"));
    await settle();
    expect(host.offers).toHaveLength(1);
    node("a").template = template(hash("b"));
    notify(hash("b"));
    await settle();
    expect(host.offers.at(-1)?.parent).toBe(hash("b"));
    expect(host.clock.monotonicMs()).toBe(0);
    await chain.stop();
  });
});

describe("the check before a submission", () => {
  test("takes what hathor-core would", async () => {
    const { chain, proof } = await started();
    expect(chain.verify?.(proof)).toBeUndefined();
    await chain.stop();
  });

  test("sees an earlier Hath, which a miner's extranonce may bring", async () => {
    const { chain, proofOf } = await started();
    expect(chain.verify?.(proofOf(concat(new Uint8Array(40), fromHex("48617468"), new Uint8Array(8))))).toBe(
      "magic_early",
    );
    await chain.stop();
  });

  test("says why a long merkle path is not taken", async () => {
    const { chain, proofOf } = await started(["a"], { max_merkle_path: 12 });
    const branch = Array.from({ length: 13 }, () => new Uint8Array(32));
    expect(chain.verify?.(proofOf(new Uint8Array(60), branch))).toBe(
      "merkle_path: 13 hashes, and the network takes 12 at most (max_merkle_path)",
    );
    expect(chain.verify?.(proofOf(new Uint8Array(60), branch.slice(1)))).toBeUndefined();
    await chain.stop();
  });

  test("sees that the coinbase does not hold the hash", async () => {
    const { chain, proof } = await started();
    expect(chain.verify?.({ ...proof, coinbase: new Uint8Array(100) })).toBe("magic_missing");
    await chain.stop();
  });
});

describe("a submission", () => {
  test("is the whole block; its hash is Bitcoin's header's", async () => {
    const { chain, node, proof, work } = await started();
    const outcome = await chain.submit(proof, signal);
    expect(outcome).toEqual({
      verdict: "accepted",
      reason: "",
      blockHash: toHex(Uint8Array.from(proof.headerHash).reverse()),
      height: 6_000_001,
    });
    const { funds, graph } = work.details;
    const { header, coinbase } = proof;
    // The coinbase: 60 bytes, the script's first six (up to Hath), the hash, four bytes of lock time.
    expect(coinbase).toHaveLength(102);
    expect(node("a").posted).toEqual([
      [
        funds,
        graph,
        toHex(header.subarray(0, 36)),
        "42",
        toHex(coinbase.subarray(0, 66)),
        "04",
        toHex(coinbase.subarray(98)),
        "00",
        toHex(header.subarray(68)),
      ].join(""),
    ]);
    await chain.stop();
  });

  test("that the node has already is a duplicate", async () => {
    const { chain, node, proof } = await started();
    node("a").submit = { result: false };
    node("a").transaction = {
      success: true,
      tx: { height: 6_000_001, outputs: [{ value: 800 }] },
      meta: { voided_by: [] },
    };
    expect(await chain.submit(proof, signal)).toMatchObject({ verdict: "duplicate" });
    await chain.stop();
  });

  test("on a tip that is none any more is stale, on the same tip refused", async () => {
    const { chain, node, proof } = await started();
    node("a").submit = { result: false };
    expect(await chain.submit(proof, signal)).toMatchObject({ verdict: "rejected" });
    node("a").template = template(hash("b"));
    expect(await chain.submit(proof, signal)).toMatchObject({ verdict: "stale" });
    await chain.stop();
  });

  test("that one node refuses is taken by another", async () => {
    const { chain, node, proof } = await started(["a", "b"]);
    node("a").submit = { result: false };
    node("a").template = template(hash("0"));
    expect(await chain.submit(proof, signal)).toMatchObject({ verdict: "accepted" });
    await chain.stop();
  });

  test.each([
    [[400, '{"error":"Not a block"}'], { verdict: "rejected", reason: "Not a block" }],
    [
      [500, '{"error":"Transaction has invalid data"}'],
      { verdict: "rejected", reason: "Transaction has invalid data" },
    ],
  ] as const)("answered with %j is final", async (answer, outcome) => {
    const { chain, node, proof } = await started();
    node("a").submit = answer;
    expect(await chain.submit(proof, signal)).toMatchObject(outcome);
    await chain.stop();
  });

  test.each([
    [[400, '{"error":"Node syncing"}']],
    [[502, "<html>Bad Gateway</html>"]],
    [{ nonsense: [null] }],
    [undefined],
  ] as const)("answered with %j is tried again", async (answer) => {
    const { chain, node, proof } = await started();
    node("a").submit = answer;
    await expect(chain.submit(proof, signal)).rejects.toThrow();
    await chain.stop();
  });
});

describe("a block", () => {
  const known = (height: number, voided: readonly string[] = []) => ({
    success: true,
    tx: { height, outputs: [{ value: 800 }] },
    meta: { voided_by: voided },
  });

  test.each([
    [known(6_000_000), { state: "confirmed", confirmations: 1, reward: 800n }],
    [known(5_999_998), { state: "confirmed", confirmations: 3, reward: 800n }],
    [known(5_999_701), { state: "confirmed", confirmations: 300, reward: 800n }],
    [known(5_999_700), { state: "mature", confirmations: 301, reward: 800n }],
    [known(6_000_000, [hash("f")]), { state: "orphaned", confirmations: 0, reward: undefined }],
    [
      { success: false, message: "Transaction not found" },
      { state: "unknown", confirmations: 0, reward: undefined },
    ],
  ])("known as %o is %o", async (transaction, status) => {
    const { chain, node, work } = await started();
    node("a").transaction = transaction;
    expect(await chain.status({ work, blockHash: hash("d"), height: 1 }, signal)).toEqual(status);
    expect(node("a").asked).toContain(`GET /v1a/transaction?id=${hash("d")}`);
    await chain.stop();
  });

  test("is in the chain when any node has it there, and nothing is said while that one is away", async () => {
    const { chain, node, work } = await started(["a", "b"]);
    const status = () => chain.status({ work, blockHash: hash("d"), height: 1 }, signal);
    node("b").transaction = known(5_999_998);
    expect(await status()).toMatchObject({ state: "confirmed", confirmations: 3 });
    node("a").transaction = known(5_999_998, [hash("f")]);
    expect(await status()).toMatchObject({ state: "confirmed" });
    node("b").transaction = { success: false, message: "Transaction not found" };
    expect(await status()).toMatchObject({ state: "orphaned" });
    node("b").info = { success: false, message: "Node still syncing" };
    node("b").transaction = known(5_999_998);
    await expect(status()).rejects.toMatchObject({ code: "node-syncing" });
    await chain.stop();
  });

  test("of a node that synchronises is not judged", async () => {
    const { chain, node, work } = await started();
    node("a").transaction = known(1);
    node("a").info = { success: false, message: "Node still syncing" };
    await expect(chain.status({ work, blockHash: hash("d"), height: 1 }, signal)).rejects.toMatchObject({
      code: "node-syncing",
    });
    await chain.stop();
  });
});

test("the slowest poll that can be configured comes long before work expires", () => {
  const { config, defaults } = setUp().plugin;
  expect(config.safeParse({ urls: ["http://a:8080/v1a"], address: ADDRESS, poll_s: 60 }).success).toBe(true);
  expect(config.safeParse({ urls: ["http://a:8080/v1a"], address: ADDRESS, poll_s: 61 }).success).toBe(false);
  expect(defaults?.expiryMs).toBeGreaterThanOrEqual(2 * 60_000);
});

test.each([
  [{ urls: [], address: ADDRESS }],
  [{ urls: ["http://a:8080/v1a"] }],
  [{ urls: ["http://a:8080/v1a"], address: "JDdpurxFekFpVfqiEWbozSFaR5q47fUus" }],
  [{ urls: ["http://a:8080/v1a"], address: `${ADDRESS.slice(0, -1)}x` }],
  [{ urls: ["ftp://a"], address: ADDRESS }],
  [{ url: "http://a:8080/v1a", address: ADDRESS }],
  [{ urls: ["http://a:8080/v1a"], address: ADDRESS, user: "u" }],
])("the table %j is refused", (table) => {
  expect(setUp().plugin.config.safeParse(table).success).toBe(false);
});
