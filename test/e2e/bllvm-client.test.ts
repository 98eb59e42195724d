/** The client against a fake bllvm node over real sockets: every way to lose it, and each of its defects. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { connectUnix, listenUnix } from "../../src/daemon/socket.ts";
import type { BllvmPhase } from "../../src/node/bllvm/bllvm-node.ts";
import { BllvmClient, type BllvmClientOptions } from "../../src/node/bllvm/client/client.ts";
import { LegacyEndpoint } from "../../src/node/bllvm/client/legacy-endpoint.ts";
import { serializeBlock } from "../support/bllvm/block-bytes.ts";
import { FakeBllvmNode, type FakeBllvmNodeOptions } from "../support/bllvm/node.ts";
import { ALL_PERMISSIONS } from "../support/bllvm/permissions.ts";
import { RawModule } from "../support/bllvm/raw-module.ts";
import { recordingLog } from "../support/recording-log.ts";
import { recordingMeter } from "../support/recording-meter.ts";
import { pause, until } from "../support/until.ts";

const NAME = "bllvm-stratum-v2";
const SHARE = { jobId: "7", shareHash: new Uint8Array(32).fill(3), minerId: "rig" };
const code = (code: string) => expect.objectContaining({ code });

async function setUp(nodeOptions: FakeBllvmNodeOptions = {}, options: Partial<BllvmClientOptions> = {}) {
  const node = await FakeBllvmNode.start({ permissions: { [NAME]: ALL_PERMISSIONS }, ...nodeOptions });
  const log = recordingLog();
  const meter = recordingMeter();
  const client = new BllvmClient(
    { clock: systemClock, random: systemRandom(), log, meter, connect: connectUnix, files: diskFiles },
    {
      path: node.socketPath,
      moduleName: NAME,
      moduleVersion: "0.1.0",
      family: "socket",
      wire: "auto",
      tipPollMs: 300,
      ...options,
    },
  );
  onTestFinished(async () => {
    await client.stop();
    await node.stop();
  });
  const phases: BllvmPhase[] = [];
  client.onState(({ phase }) => {
    if (phase !== phases.at(-1)) phases.push(phase);
  });
  const tips: number[] = [];
  client.on("ChainTipUpdated", ({ height }) => tips.push(height));
  const is = (phase: BllvmPhase) => until(`the client is ${phase}`, () => client.state().phase === phase, 20_000);
  const start = async () => {
    await client.start(new AbortController().signal);
    await is("up");
  };
  return { node, client, log, meter, phases, tips, is, start };
}

const publish = (client: BllvmClient) => client.publish({ name: "ShareSubmitted", event: SHARE });

describe("the client of the bllvm node", () => {
  test("reads, publishes, logs, registers and answers", async () => {
    const { node, client, start, tips } = await setUp();
    client.serve({
      methods: ["get_pool_stats"],
      apiVersion: 1,
      cli: { name: "stratum-v2", about: "a pool", subcommands: [{ name: "status", about: "how it is", args: [] }] },
      handler: async (asked) =>
        asked.type === "Cli"
          ? { type: "Cli", stdout: `${asked.subcommand} is good`, stderr: "", exitCode: 0 }
          : { type: "ModuleApi", result: asked.params },
    });
    await start();
    const { tip } = node.chain.chain;
    expect(await client.chainInfo()).toEqual({
      tipHash: tip.hash,
      height: 110,
      isSynced: true,
    });
    expect(await client.syncStatus()).toEqual({ phase: "Synced", progress: 1, isSynced: true, error: undefined });
    expect(await client.blockHeader(tip.hash)).toMatchObject({ nBits: tip.header.nBits, nonce: tip.header.nonce });
    expect(await client.blockHeader(new Uint8Array(32))).toBeUndefined();
    expect(await client.blockByHeight(110)).toMatchObject({ transactionCount: 1, header: { nBits: tip.header.nBits } });
    expect((await client.block(tip.hash))?.coinbaseScriptSig?.length).toBeGreaterThan(1);
    expect(await client.peerCount()).toBe(8);
    await publish(client);
    expect(node.published).toMatchObject([{ moduleId: NAME, event: { name: "ShareSubmitted" } }]);
    client.log("warn", "a line", "pool");
    await until("the line is there", () => node.logs.length === 1);
    expect(node.logs[0]).toMatchObject({ level: "Warn", message: "a line", target: "pool", moduleId: NAME });
    await until("the methods are there", () => node.apis.has(NAME));
    expect(node.cliSpecs.get(NAME)).toMatchObject({ name: "stratum-v2", version: 1 });
    const answer = await node.invoke(NAME, { name: "Cli", value: { subcommand: "status", args: [] } });
    expect(answer.payload).toEqual({ name: "Cli", value: { stdout: "status is good", stderr: "", exitCode: 0 } });
    expect(tips).toEqual([110]);
    expect(node.connections).toHaveLength(1);
    expect(node.connections[0]?.handshake).toEqual({ moduleName: NAME, version: "0.1.0" });
  });

  test.each(["n1", "n2", "s1", "s2", "s3"] as const)("speaks %s, and publishes in it", async (schema) => {
    const legacy = schema.startsWith("n");
    const { node, client, start, tips } = await setUp({ schema }, legacy ? { family: "legacy", wire: schema } : {});
    await start();
    await until("the tip is read", () => tips.length > 0);
    node.mine();
    await until("the block is told", () => tips.length === 2);
    // S1 and the first of S2 give the same version: the first attempt may cost a connection, the second does not.
    await publish(client).catch(() => undefined);
    await until("it is up", () => client.state().phase === "up");
    await publish(client);
    expect(node.published.length).toBeGreaterThan(0);
    expect(node.serverFailure).toBeUndefined();
  });

  test("speaks N0, which has three of our events and no more than reads", async () => {
    const { node, client, tips } = await setUp({ schema: "n0" }, { family: "legacy" });
    await client.start(new AbortController().signal);
    await until("N0 is found out", () => client.state().schema === "n0" && client.state().phase === "up");
    await until("the tip is read", () => tips.length > 0);
    node.mine();
    await until("the block is told", () => tips.includes(111));
    expect(await client.chainInfo()).toMatchObject({ height: 111 });
    await expect(publish(client)).rejects.toThrow(code("bllvm-request-unusable"));
    client.log("info", "into the void", "pool");
    await pause(100);
    expect(client.state().phase).toBe("up");
  });

  test("hands a block over, which the chain takes", async () => {
    const { node, client, start } = await setUp();
    await start();
    const block = node.chain.nextBlock();
    await client.queueReceivedBlock(serializeBlock(block));
    await until("the block is the tip", () => client.tip?.height === 111);
    expect(client.tip?.blockHash).toEqual(block.hash);
    expect(node.chain.judged.map(({ reason }) => reason)).toEqual([null]);
  });

  test("has no permission to publish: the connection is lost once, and never again for it", async () => {
    const { node, client, start, log, tips } = await setUp({ permissions: {} });
    await start();
    await expect(publish(client)).rejects.toThrow(code("bllvm-request-closed"));
    await until("it is up again", () => node.connections.length === 2 && client.state().phase === "up");
    for (let i = 0; i < 5; i++) await expect(publish(client)).rejects.toThrow(code("bllvm-request-unusable"));
    node.mine();
    await until("events still come", () => tips.includes(111));
    // The node knows none of our capabilities: what takes another one is not tried.
    expect(client.state()).toMatchObject({
      unusable: ["GetNetworkStats", "RegisterModuleApi", "PublishEvent"],
      isKnown: false,
    });
    expect(node.connections).toHaveLength(2);
    expect(node.connections[0]?.closedBecause).toContain("publish_events");
    expect(log.lines.filter(({ message }) => message.includes("PublishEvent"))).toHaveLength(1);
  });

  test("lives with the seed's manifest, which takes the tip away: events tell it", async () => {
    const { node, client, start, tips } = await setUp({
      permissions: { [NAME]: ["read_blockchain", "subscribe_events"] },
    });
    await start();
    await until("the tip was asked for", () => node.connections.length === 2);
    await until("it is up again", () => client.state().phase === "up");
    await pause(1_000);
    node.mine();
    await until("the block is told", () => tips.includes(111));
    expect(await client.blockHeader(node.chain.tipHash)).toBeDefined();
    expect(node.connections).toHaveLength(2);
  });

  test("waits for its turn behind the node's own heartbeat, and is served when that goes away", async () => {
    const node = await FakeBllvmNode.start();
    const heartbeat = await RawModule.greet(node.socketPath, `${NAME}_0123`);
    const { client, log, phases, is } = await setUp({}, { path: node.socketPath });
    onTestFinished(() => node.stop());
    await client.start(new AbortController().signal);
    await is("starving");
    await pause(500);
    expect(node.waiting).toBe(1);
    expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
    heartbeat.close();
    await is("up");
    expect(phases).toEqual(["connecting", "starving", "connecting", "up"]);
    expect((await client.chainInfo()).height).toBe(110);
    expect(node.serverFailure).toBeUndefined();
  });

  test("is stopped while it waits without ending the node's server, if the node has time for it", async () => {
    const node = await FakeBllvmNode.start();
    const heartbeat = await RawModule.greet(node.socketPath, `${NAME}_0123`);
    const { client } = await setUp({}, { path: node.socketPath });
    onTestFinished(() => node.stop());
    await client.start(new AbortController().signal);
    await until("it waits", () => node.waiting === 1);
    const stopped = client.stop();
    await pause(300);
    heartbeat.close();
    await stopped;
    const next = await RawModule.greet(node.socketPath, "next");
    expect(node.serverFailure).toBeUndefined();
    next.close();
  });

  test("keeps away while the hold file is there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hold-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const holdFile = join(folder, "ipc.hold");
    writeFileSync(holdFile, "");
    const { node, client, is } = await setUp({}, { holdFile });
    await client.start(new AbortController().signal);
    await is("held");
    await pause(700);
    expect(node.connections).toHaveLength(0);
    rmSync(holdFile);
    await is("up");
    writeFileSync(holdFile, "");
    await is("held");
    await until("the node sees it", () => node.served.length === 0);
    // What the node starts meanwhile finds it free.
    const launcher = await RawModule.greet(node.socketPath, `${NAME}_0123`);
    launcher.close();
    rmSync(holdFile);
    await is("up");
    expect(node.serverFailure).toBeUndefined();
  });

  test("comes back after kill -9 of the node, in every phase", async () => {
    const { node, client, is, tips, phases } = await setUp();
    await node.kill();
    await client.start(new AbortController().signal);
    await is("down");
    await node.listen();
    await is("up");
    // While requests are under way.
    node.hang();
    const asked = expect(client.chainInfo()).rejects.toThrow(code("bllvm-request-closed"));
    const published = expect(publish(client)).rejects.toThrow(/./);
    await pause(50);
    await node.kill();
    await Promise.all([asked, published]);
    node.mine(2);
    await pause(1_000);
    await node.listen();
    await is("up");
    await until("the tip was read again", () => tips.includes(112));
    // While it waits for its turn.
    node.hang();
    await node.kill();
    await node.listen();
    node.hang();
    await is("starving");
    await node.kill();
    await is("down");
    await node.listen();
    await is("up");
    // While the node says that it stops.
    const said = node.announceShutdown();
    await is("closing");
    await said;
    await node.kill();
    await is("down");
    await node.listen();
    await is("up");
    await publish(client);
    expect(client.state().unusable).toEqual([]);
    expect(phases).toContain("closing");
    expect(node.serverFailure).toBeUndefined();
  });

  test("comes back after every way in which the node can close or fail", async () => {
    const { node, client, is } = await setUp();
    await client.start(new AbortController().signal);
    const faults = [
      () => node.closeConnections(),
      () => node.sendGarbage(),
      () => node.sendOversized(),
      () => {
        node.refuse();
        node.closeConnections();
        setTimeout(() => node.refuse(false), 800);
      },
      () => {
        node.switches.failing.add("GetBlock");
        client.block(node.chain.tipHash).catch(() => undefined);
      },
    ];
    for (const fault of faults) {
      await is("up");
      fault();
      await is("down");
    }
    await is("up");
    expect((await client.chainInfo()).height).toBe(110);
    expect(client.state().unusable).toEqual([]);
    expect(node.serverFailure).toBeUndefined();
  });

  test("finds out which of many requests costs the connection, while the others get their answers", async () => {
    const { node, client, start, is } = await setUp();
    await start();
    node.switches.failing.add("GetBlock");
    const { tipHash } = node.chain;
    const all = await Promise.allSettled([
      client.blockHeader(tipHash),
      client.block(tipHash),
      client.blockHeader(tipHash),
      client.chainInfo(),
    ]);
    expect(all.some(({ status }) => status === "rejected")).toBe(true);
    // As a caller does, each is tried again, until what is healthy was answered.
    const answered = new Set<string>();
    const deadline = performance.now() + 15_000;
    while (answered.size < 2 && performance.now() < deadline) {
      await is("up");
      await Promise.allSettled([
        client.blockHeader(tipHash).then(() => answered.add("header")),
        client.block(tipHash),
        client.chainInfo().then(() => answered.add("info")),
      ]);
    }
    expect([...answered].sort()).toEqual(["header", "info"]);
    expect(node.connections.length).toBeLessThanOrEqual(4);
    await expect(client.block(tipHash)).rejects.toThrow(code("bllvm-request-closed"));
    expect(await client.blockHeader(tipHash)).toBeDefined();
  });

  test("never meets the node's limit, though 1,000 are asked at once", async () => {
    const { node, client, start } = await setUp();
    await start();
    const at: number[] = [];
    const push = node.requests.push.bind(node.requests);
    node.requests.push = (...items) => {
      at.push(performance.now());
      return push(...items);
    };
    const all = await Promise.allSettled(
      Array.from({ length: 1_000 }, () => client.blockHeader(node.chain.tipHash, { timeoutMs: 30_000 })),
    );
    const refused = all.flatMap((each) => (each.status === "rejected" ? [each.reason.code as string] : []));
    expect(new Set(refused)).toEqual(new Set(["bllvm-queue-full"]));
    expect(all.length - refused.length).toBeGreaterThanOrEqual(256);
    expect(node.connections).toHaveLength(1);
    const inWindow = (from: number): number => at.filter((ms) => ms >= from && ms < from + 1_000).length;
    // The node reads a little later than we write, so its windows may catch some more than 50; its limit is 100.
    expect(Math.max(...at.map(inWindow))).toBeLessThanOrEqual(60);
  });

  test("finds the tip by polling when events are lost, and tells a repeated one once", async () => {
    const { node, client, start, tips } = await setUp();
    const blocks: number[] = [];
    client.on("NewBlock", ({ height }) => blocks.push(height));
    await start();
    await until("the first tip is read", () => tips.length === 1);
    node.dropNextEvents(1);
    node.mine();
    await until("the tip is found", () => tips.includes(111));
    expect(blocks).toEqual([]);
    const event = { name: "NewBlock", value: { blockHash: new Uint8Array(32).fill(9), height: 500n } } as const;
    for (let i = 0; i < 200; i++) node.emit(event);
    await until("the event is told", () => blocks.length > 0);
    await pause(100);
    expect(blocks).toEqual([500]);
  });

  test("finds a block that its RPC made, which no NewBlock tells", async () => {
    const { node, client, start, tips } = await setUp({}, { tipPollMs: 60_000 });
    await start();
    await until("the first tip is read", () => tips.length === 1);
    await pause(50);
    const [hash] = node.chain.generate(1);
    await until("the tip is found", () => tips.includes(111));
    expect(client.tip?.blockHash).toEqual(hash);
  });

  test("follows a reorganisation", async () => {
    const { node, client, start, tips } = await setUp();
    const told: string[] = [];
    client.on("BlockDisconnected", () => told.push("disconnected"));
    client.on("ChainReorg", () => told.push("reorg"));
    await start();
    await until("the first tip is read", () => tips.length === 1);
    node.mine(2);
    await until("the blocks are told", () => tips.at(-1) === 112);
    const tip = node.reorg(2);
    await until("the new branch is told", () => tips.at(-1) === node.chain.height);
    expect(client.tip?.blockHash).toEqual(tip);
    expect(told).toContain("reorg");
    expect(told).toContain("disconnected");
  });

  test("writes nothing to a node that said that it stops", async () => {
    const { node, client, start, is } = await setUp();
    const heard: string[] = [];
    client.on("NodeShutdown", ({ reason }) => heard.push(reason));
    client.on("DataMaintenance", ({ operation }) => heard.push(operation));
    await start();
    await pause(400);
    const said = node.announceShutdown();
    await is("closing");
    const before = node.requests.length;
    await expect(client.chainInfo()).rejects.toThrow(code("bllvm-away"));
    client.log("info", "too late", "pool");
    await said;
    await until("both are heard", () => heard.length === 2);
    await pause(700);
    expect(heard).toEqual(["graceful", "flush"]);
    expect(node.requests).toHaveLength(before);
    expect(node.logs).toEqual([]);
  });

  test("gives up a node that hangs, and takes it up again", async () => {
    const { node, client, start, is, meter } = await setUp();
    await start();
    node.hang();
    const asked = await Promise.allSettled(
      [1, 2, 3].map(() => client.blockHeader(node.chain.tipHash, { timeoutMs: 300 })),
    );
    expect(asked.every(({ status }) => status === "rejected")).toBe(true);
    await until("it gave up", () => client.state().phase !== "up");
    node.resume();
    await is("up");
    expect(meter.sums.get("bllvm_connections_total{why=fault}")).toBe(1);
    expect((await client.chainInfo()).height).toBe(110);
    expect(client.state().unusable).toEqual([]);
  });

  test("registers again on every connection", async () => {
    const { node, client, start } = await setUp();
    client.serve({
      methods: ["get_pool_stats"],
      apiVersion: 1,
      cli: { name: "stratum-v2", about: "a pool", subcommands: [] },
      handler: async () => ({ type: "error", error: "no" }),
    });
    await start();
    await until("it is registered", () => node.apis.has(NAME));
    await node.restart();
    expect(node.apis.has(NAME)).toBe(false);
    await until("it is registered again", () => node.apis.has(NAME));
  });
});

describe("the socket of older nodes", () => {
  test("is for this user only, replaces what a killed process left, answers, and goes with the program", async () => {
    const folder = mkdtempSync(join(tmpdir(), "legacy-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, `${NAME}.sock`);
    const left = await FakeBllvmNode.start({ socketPath: path });
    await left.kill();
    expect(existsSync(path)).toBe(true);
    const tipHash = new Uint8Array(32).fill(7);
    const endpoint = new LegacyEndpoint({ listen: listenUnix, log: recordingLog(), tipHash: () => tipHash }, { path });
    await endpoint.start(new AbortController().signal);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const node = await RawModule.connect(path);
    expect(await node.ask({ name: "GetChainTip", value: {} })).toEqual({ name: "Hash", value: { hash: tipHash } });
    await endpoint.stop();
    expect(existsSync(path)).toBe(false);
    node.close();
    await left.stop();
  });

  test("does not take the place of a file that is none", async () => {
    const folder = mkdtempSync(join(tmpdir(), "legacy-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "notes.txt");
    writeFileSync(path, "mine");
    const endpoint = new LegacyEndpoint(
      { listen: listenUnix, log: recordingLog(), tipHash: () => undefined },
      { path },
    );
    await expect(endpoint.start(new AbortController().signal)).rejects.toThrow(code("bllvm-socket-path"));
  });
});
