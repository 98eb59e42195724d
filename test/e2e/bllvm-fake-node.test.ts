/** The fake bllvm node has the real node's defects: each is shown with nothing but a socket. */
import { statSync } from "node:fs";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseTransaction } from "../../src/bitcoin/transaction.ts";
import { serializeBlock } from "../support/bllvm/block-bytes.ts";
import { wireOf } from "../support/bllvm/messages.ts";
import { FakeBllvmNode, type FakeBllvmNodeOptions } from "../support/bllvm/node.ts";
import { ALL_PERMISSIONS } from "../support/bllvm/permissions.ts";
import { RawModule } from "../support/bllvm/raw-module.ts";
import { pause, until } from "../support/until.ts";

const TIP = { name: "GetChainTip", value: {} } as const;
const JOB = { name: "MiningJobCreated", value: { jobId: "7", prevHash: new Uint8Array(32), height: 9n } } as const;
const PUBLISH = { name: "PublishEvent", value: { eventType: "MiningJobCreated", event: JOB } } as const;

async function start(options: FakeBllvmNodeOptions = {}): Promise<FakeBllvmNode> {
  const node = await FakeBllvmNode.start(options);
  onTestFinished(() => node.stop());
  return node;
}

async function greet(node: FakeBllvmNode, id = "raw"): Promise<RawModule> {
  const module = await RawModule.greet(node.socketPath, id, { wire: node.wire });
  onTestFinished(() => module.close());
  return module;
}

const subscribe = (
  ...eventTypes: readonly (
    | "NewBlock"
    | "ChainReorg"
    | "BlockDisconnected"
    | "BlockMined"
    | "MiningJobCreated"
    | "MiningDifficultyChanged"
    | "NodeShutdown"
    | "DataMaintenance"
  )[]
) => ({ name: "SubscribeEvents", value: { eventTypes } }) as const;

describe("the fake bllvm node", () => {
  test("listens on a socket for its owner alone, and acknowledges a handshake with its version", async () => {
    const node = await start({ nodeVersion: "0.1.13" });
    expect(statSync(node.socketPath).mode & 0o777).toBe(0o600);
    const module = await RawModule.connect(node.socketPath);
    const id = module.send({ name: "Handshake", value: { moduleId: "m", moduleName: "m", version: "1.0" } });
    expect(await module.response(id)).toEqual({ name: "HandshakeAck", value: { nodeVersion: "0.1.13" } });
    expect(node.connections[0]).toMatchObject({ moduleId: "m", handshake: { moduleName: "m", version: "1.0" } });
    module.close();
  });

  test("answers the reads that need no permission", async () => {
    const node = await start();
    const module = await greet(node);
    const { tip } = node.chain.chain;
    expect(await module.ask(TIP)).toEqual({ name: "Hash", value: { hash: tip.hash } });
    expect(await module.ask({ name: "GetBlockHeight", value: {} })).toEqual({ name: "U64", value: { value: 110n } });
    const info = await module.ask({ name: "GetChainInfo", value: {} });
    // The node's `difficulty` is a difficulty cut to an integer, not nBits, and never less than 1.
    expect(info).toMatchObject({ name: "ChainInfo", value: { height: 110n, difficulty: 1, isSynced: true } });
    const header = await module.ask({ name: "GetBlockHeader", value: { hash: tip.hash } });
    expect(header).toMatchObject({ value: { header: { bits: 0x207fffffn, prevBlockHash: tip.header.prevHash } } });
    expect(await module.ask({ name: "GetBlockHeader", value: { hash: new Uint8Array(32) } })).toEqual({
      name: "BlockHeader",
      value: { header: null },
    });
    const block = await module.ask({ name: "GetBlockByHeight", value: { height: 110n } });
    expect(block).toMatchObject({ name: "BlockByHeight", value: { block: { transactions: [{ version: 2n }] } } });
    expect(await module.ask({ name: "GetSyncStatus", value: {} })).toMatchObject({ value: { isSynced: true } });
  });

  test("serves one connection at a time, the others in order of coming", async () => {
    const node = await start();
    const first = await greet(node, "first");
    const second = await RawModule.greet(node.socketPath, "second", { wait: false });
    const third = await RawModule.greet(node.socketPath, "third", { wait: false });
    await until("both wait", () => node.waiting === 2);
    await pause(50);
    expect([second.received, third.received]).toEqual([[], []]);
    first.close();
    await until("the second is served", () => second.received.length === 1);
    await pause(30);
    expect(third.received).toEqual([]);
    second.close();
    await until("the third is served", () => third.received.length === 1);
    expect(node.connections.map(({ moduleId }) => moduleId)).toEqual(["first", "second", "third"]);
    third.close();
  });

  test("serves them side by side when it is patched", async () => {
    const node = await start({ concurrent: true });
    const [first, second] = [await greet(node, "first"), await greet(node, "second")];
    expect(await second.ask(TIP)).toEqual(await first.ask(TIP));
    const bad = await RawModule.connect(node.socketPath);
    bad.close();
    await pause(30);
    expect(node.serverFailure).toBeUndefined();
    await greet(node, "third");
  });

  test.each([
    ["an end before the first frame", (module: RawModule) => module.close()],
    [
      "a first frame that is no message",
      (module: RawModule) => module.sendBytes(Uint8Array.of(0, 0, 0, 4, 9, 9, 9, 9)),
    ],
    ["a first frame that is too long", (module: RawModule) => module.sendBytes(Uint8Array.of(0x7f, 0, 0, 0))],
    [
      "a first message that is no request",
      (module: RawModule) =>
        module.sendMessage({ type: "Log", level: "Info", moduleId: "m", message: "", target: "", timestamp: 0n }),
    ],
  ])("ends its whole IPC server at %s", async (_, spoil) => {
    const node = await start();
    const spoiler = await RawModule.connect(node.socketPath);
    const waiting = await RawModule.greet(node.socketPath, "waiting", { wait: false });
    await until("the other waits", () => node.waiting === 1);
    spoil(spoiler);
    await until("the server failed", () => node.serverFailure !== undefined);
    await until("who waited was cut off", () => waiting.closed);
    expect(waiting.received).toEqual([]);
    await expect(RawModule.connect(node.socketPath)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await node.restart();
    await greet(node);
  });

  test("ends its IPC server when somebody gave up waiting: his turn comes all the same", async () => {
    const node = await start();
    const first = await greet(node, "first");
    const impatient = await RawModule.connect(node.socketPath);
    await until("he waits", () => node.waiting === 1);
    impatient.close();
    await pause(30);
    expect(await first.ask(TIP)).not.toBeNull();
    first.close();
    await until("the server failed", () => node.serverFailure !== undefined);
  });

  test("swallows a first request that is no handshake and makes up an id", async () => {
    const node = await start();
    const module = await RawModule.connect(node.socketPath);
    module.send(TIP);
    const second = module.send({ name: "GetBlockHeight", value: {} });
    expect(await module.response(second)).toMatchObject({ name: "U64" });
    expect(module.received).toHaveLength(1);
    expect(node.connections[0]?.moduleId).toMatch(/^module_0_\d+$/);
    module.close();
  });

  test("closes the connection at a request that fails, and loses what it had not written", async () => {
    const node = await start();
    const module = await greet(node);
    const [tip] = module.sendTogether([TIP, PUBLISH, TIP]);
    await expect(module.response(tip!)).rejects.toThrow("closed the connection");
    expect(node.connections[0]?.closedBecause).toContain("publish_events");
    expect(node.published).toEqual([]);
    // The last request was never read.
    expect(node.requestsOf("GetChainTip")).toHaveLength(1);
    // And nothing worse has happened.
    await greet(node);
  });

  test("may also have written it", async () => {
    const node = await start({ losesQueuedResponses: false });
    const module = await greet(node);
    const [tip, publish] = module.sendTogether([TIP, PUBLISH]);
    await expect(module.response(publish!)).rejects.toThrow("closed the connection");
    expect(await module.response(tip!)).toMatchObject({ name: "Hash" });
  });

  test.each([
    ["SubmitBlock", { name: "SubmitBlock", value: { block: { header: zeroHeader(), transactions: [] } } }],
    ["RegisterRpcEndpoint", { name: "RegisterRpcEndpoint", value: { method: "m", description: "d" } }],
  ] as const)("%s never works", async (_, request) => {
    const node = await start({ permissions: { raw: ALL_PERMISSIONS } });
    const module = await greet(node);
    await expect(module.ask(request)).rejects.toThrow("closed the connection");
  });

  test("a registered set of permissions replaces the default one, by the name that the handshake says", async () => {
    const node = await start({ permissions: { raw: ["read_blockchain", "PublishEvents"] } });
    const named = await greet(node, "raw");
    expect(await named.ask(PUBLISH)).toMatchObject({ name: "EventPublished" });
    expect(node.published).toEqual([{ moduleId: "raw", event: JOB }]);
    await expect(named.ask(TIP)).rejects.toThrow("closed the connection");
    const withId = await greet(node, "raw_0123456789abcdef");
    expect(await withId.ask(TIP)).toMatchObject({ name: "Hash" });
    await expect(withId.ask(PUBLISH)).rejects.toThrow("closed the connection");
  });

  test("more than 100 requests in a second cost the connection", async () => {
    let nowMs = 5_000;
    const node = await start({ nowMs: () => nowMs });
    const module = await greet(node);
    const ids = module.sendTogether(Array.from({ length: 100 }, () => TIP));
    expect(await module.response(ids.at(-1)!)).toMatchObject({ name: "Hash" });
    nowMs += 1000;
    expect(await module.ask(TIP)).toMatchObject({ name: "Hash" });
    const more = module.sendTogether(Array.from({ length: 100 }, () => TIP));
    await expect(module.response(more.at(-1)!)).rejects.toThrow("closed the connection");
    expect(node.connections[0]?.closedBecause).toContain("rate limit");
  });

  test("subscribes before it asks for the permission, and twice who asks twice", async () => {
    const node = await start({ permissions: { mute: ["read_blockchain"] }, lateUnsubscribeMs: false });
    const module = await greet(node);
    await module.ask(subscribe("NewBlock"));
    await module.ask(subscribe("NewBlock", "ChainReorg"));
    const [hash] = node.mine();
    await until("the event came twice", () => module.events.length === 2);
    expect(module.events).toEqual(Array(2).fill({ name: "NewBlock", value: { blockHash: hash, height: 111n } }));
    module.close();
    const mute = await RawModule.greet(node.socketPath, "mute");
    mute.sendTogether([subscribe("NewBlock")]);
    await until("it was closed", () => mute.closed);
    expect(node.connections.at(-1)?.closedBecause).toContain("subscribe_events");
  });

  test("drops events beyond 100 that wait, and replays nothing", async () => {
    const node = await start();
    const module = await greet(node);
    await module.ask(subscribe("MiningJobCreated"));
    for (let i = 0; i < 130; i++) node.emit(JOB);
    await until("what had room came", () => module.events.length >= 100);
    await pause(30);
    expect(module.events).toHaveLength(100);
    expect(node.events.dropped).toBe(30);
    module.close();
    await pause(50);
    node.emit(JOB);
    const again = await greet(node);
    await again.ask(subscribe("MiningJobCreated"));
    await pause(30);
    expect(again.events).toEqual([]);
    node.dropNextEvents(1);
    node.emit(JOB);
    node.emit(JOB);
    await until("the second came", () => again.events.length === 1);
  });

  test("forgets the subscription of who comes back at once under the same id", async () => {
    const node = await start({ lateUnsubscribeMs: 400 });
    const first = await greet(node, "same");
    await first.ask(subscribe("NewBlock"));
    first.close();
    const hasty = await greet(node, "same");
    await hasty.ask(subscribe("NewBlock"));
    expect(node.events.subscribersOf("NewBlock")).toEqual(["same"]);
    await pause(500);
    expect(node.events.subscribersOf("NewBlock")).toEqual([]);
    hasty.close();
    await pause(500);
    const patient = await greet(node, "same");
    await patient.ask(subscribe("NewBlock"));
    await pause(500);
    node.mine();
    await until("the event came", () => patient.events.length === 1);
  });

  test("tells of blocks, reorganisations and another difficulty as the node does", async () => {
    const node = await start({ chain: { nBits: 0x207ffffe } });
    const module = await greet(node);
    const types = ["NewBlock", "ChainReorg", "BlockDisconnected", "BlockMined", "MiningDifficultyChanged"] as const;
    await module.ask(subscribe(...types));
    const [one] = node.mine();
    const two = node.reorg(1);
    const [three] = node.chain.generate(1);
    node.chain.invalidateTip();
    await until("all came", () => module.events.length === 8);
    const between = node.chain.chain.tip.prev;
    expect(module.events).toEqual([
      {
        name: "MiningDifficultyChanged",
        value: { oldDifficulty: 0x207fffff, newDifficulty: 0x207ffffe, height: 111n },
      },
      { name: "NewBlock", value: { blockHash: one, height: 111n } },
      { name: "BlockDisconnected", value: { hash: one, height: 111n } },
      { name: "ChainReorg", value: { oldTip: one, newTip: two } },
      { name: "NewBlock", value: { blockHash: two, height: 112n } },
      { name: "BlockMined", value: { blockHash: three, height: 113n, minerId: null } },
      { name: "BlockDisconnected", value: { hash: three, height: 113n } },
      { name: "ChainReorg", value: { oldTip: three, newTip: two } },
    ]);
    expect(between?.height).toBe(111);
  });

  test("queues a block in wire format, judges it by the rules, and only then tells of it", async () => {
    const node = await start({ permissions: { raw: ALL_PERMISSIONS }, chain: { transactions: 12 }, queueMs: 30 });
    const module = await greet(node);
    await module.ask(subscribe("NewBlock"));
    const block = node.chain.nextBlock();
    const bytes = serializeBlock(block);
    const spoiled = bytes.slice();
    spoiled[40]! ^= 1;
    for (const blockBytes of [spoiled, new Uint8Array(9), bytes]) {
      expect(await module.ask({ name: "QueueReceivedBlock", value: { blockBytes } })).toMatchObject({
        name: "ReceivedBlockQueued",
      });
    }
    expect(node.chain.height).toBe(110);
    await until("the block is the tip", () => node.chain.height === 111);
    await until("the event came", () => module.events.length === 1);
    expect(module.events).toEqual([{ name: "NewBlock", value: { blockHash: block.hash, height: 111n } }]);
    expect(node.chain.judged.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/high-hash|bad-txnmrklroot/),
      expect.stringContaining("unreadable"),
      null,
    ]);
  });

  test("gives a template with the tip's height, no fees, no witnesses and half a target", async () => {
    const node = await start({ chain: { transactions: 40 } });
    const module = await greet(node);
    const answer = await module.ask({
      name: "GetBlockTemplate",
      value: { rules: ["segwit"], coinbaseScript: Uint8Array.of(1, 110), coinbaseAddress: "hex:51" },
    });
    if (answer?.name !== "BlockTemplate") throw new Error("no template");
    const { template } = answer.value;
    expect(template).toMatchObject({
      height: 110n,
      target: 1n,
      header: { version: 1n, bits: 0x207fffffn, prevBlockHash: node.chain.tipHash },
      coinbaseTx: {
        version: 1n,
        lockTime: 97n,
        inputs: [{ scriptSig: Uint8Array.of(1, 110), sequence: 0xfffffffen }],
        outputs: [{ value: 5_000_000_000n, scriptPubkey: Uint8Array.of(0x51) }],
      },
    });
    expect(template.transactions.length).toBeGreaterThanOrEqual(40);
    const withWitness = [...node.chain.node.mempool.entries()].filter(({ tx }) =>
      tx.inputs.some((i) => i.witness.length > 0),
    );
    expect(withWitness.length).toBeGreaterThan(0);
    expect(withWitness.length).toBeLessThan(template.transactions.length);
    expect(withWitness.map(({ raw }) => parseTransaction(raw).inputs.length)).not.toContain(0);
  });

  test("asks a module, routes one module's call to another, and keeps what they log and register", async () => {
    const node = await start({ concurrent: true, permissions: { a: ALL_PERMISSIONS, b: ALL_PERMISSIONS } });
    const [a, b] = [await greet(node, "a"), await greet(node, "b")];
    const spec = { version: 1, name: "a", about: null, subcommands: [] };
    expect(await a.ask({ name: "RegisterCliSpec", value: { spec } })).toEqual({ name: "Bool", value: { value: true } });
    await a.ask({ name: "RegisterModuleApi", value: { methods: ["get_pool_stats"], apiVersion: 1 } });
    a.sendMessage({ type: "Log", level: "Warn", moduleId: "a", message: "hello", target: "t", timestamp: 5n });
    const called = b.send({
      name: "CallModule",
      value: { targetModuleId: null, method: "get_pool_stats", params: Uint8Array.of(1) },
    });
    const invocation = () => a.received.find((message) => message.type === "Invocation");
    await until("a was asked", () => invocation() !== undefined);
    expect(invocation()).toMatchObject({
      invocation: {
        name: "ModuleApi",
        value: { method: "get_pool_stats", params: Uint8Array.of(1), callerModuleId: "b" },
      },
    });
    a.sendMessage({
      type: "InvocationResult",
      correlationId: 1n,
      success: true,
      payload: { name: "ModuleApi", value: { result: Uint8Array.of(2) } },
      error: null,
    });
    expect(await b.response(called)).toEqual({ name: "ModuleApiResponse", value: { result: Uint8Array.of(2) } });
    const cli = node.invoke("a", { name: "Cli", value: { subcommand: "status", args: ["x"] } });
    await until("a was asked again", () => a.received.filter((message) => message.type === "Invocation").length === 2);
    const result = { stdout: "fine", stderr: "", exitCode: 0 };
    a.sendMessage({
      type: "InvocationResult",
      correlationId: 2n,
      success: true,
      payload: { name: "Cli", value: result },
      error: null,
    });
    expect(await cli).toMatchObject({ success: true, payload: { value: result } });
    expect(node.logs).toMatchObject([{ level: "Warn", message: "hello" }]);
    expect(node.cliSpecs.get("a")).toEqual(spec);
    expect(node.apis.get("a")).toEqual({ methods: ["get_pool_stats"], apiVersion: 1 });
    const lost = node.invoke("a", { name: "Cli", value: { subcommand: "status", args: [] } });
    a.close();
    await expect(lost).rejects.toThrow("hung up");
  });

  test.each(["n0", "n1", "n2", "s1", "s2"] as const)("speaks %s", async (schema) => {
    const node = await start({ schema, permissions: { raw: ALL_PERMISSIONS } });
    const module = await greet(node);
    expect(await module.ask(TIP)).toMatchObject({ name: "Hash" });
    const block = await module.ask({ name: "GetBlock", value: { hash: node.chain.tipHash } });
    expect(block).toMatchObject({
      value: { block: { transactions: [{ inputs: [{ prevout: { index: 0xffffffff } }] }] } },
    });
    const foreign = await RawModule.greet(node.socketPath, "raw", { wire: wireOf("s3"), wait: false });
    module.close();
    await until("the other is served", () => foreign.received.length === 1);
    foreign.send(PUBLISH);
    if (schema === "s2") await until("it is understood", () => node.published.length === 1);
    else await until("it costs the connection", () => foreign.closed);
    foreign.close();
  });

  test("sends what is no message, and the head of a frame without end, on demand", async () => {
    const node = await start();
    const socket = connect(node.socketPath);
    onTestFinished(() => void socket.destroy());
    const came: Buffer[] = [];
    socket.on("data", (chunk) => came.push(chunk));
    const handshake = { name: "Handshake", value: { moduleId: "m", moduleName: "m", version: "1" } } as const;
    socket.write(node.wire.frame({ type: "Request", correlationId: 1n, request: handshake }));
    await until("the handshake was acknowledged", () => came.length === 1);
    node.sendGarbage();
    node.sendOversized();
    await until("both came", () => Buffer.concat(came.slice(1)).length === 13);
    const spoiled = Buffer.concat(came.slice(1));
    expect(() => node.wire.decode(spoiled.subarray(4, 9))).toThrow();
    expect(spoiled.readUInt32BE(9)).toBeGreaterThan(node.wire.maxPayload);
  });

  test("forgets at its end what modules registered, and keeps what its own start registers", async () => {
    const node = await start({ permissions: { raw: ALL_PERMISSIONS } });
    node.permissions.register("other", ALL_PERMISSIONS);
    const module = await greet(node);
    await module.ask({ name: "RegisterModuleApi", value: { methods: ["m"], apiVersion: 1 } });
    await node.restart();
    expect([node.apis.size, node.permissions.of("other")]).toEqual([0, undefined]);
    expect(node.permissions.of("raw")).toEqual(ALL_PERMISSIONS);
  });

  test("hangs, closes and dies on demand, and comes back with the same chain", async () => {
    const node = await start();
    const module = await greet(node);
    await module.ask(subscribe("NodeShutdown", "DataMaintenance"));
    node.hang();
    const unanswered = module.send(TIP);
    await pause(50);
    expect(module.received).toHaveLength(2);
    node.resume();
    expect(await module.response(unanswered)).toMatchObject({ name: "Hash" });
    await node.announceShutdown();
    await until("both were told", () => module.events.length === 2);
    expect(module.events.map(({ name }) => name)).toEqual(["NodeShutdown", "DataMaintenance"]);
    node.closeConnections();
    await until("it is closed", () => module.closed);
    node.refuse();
    const refused = await RawModule.connect(node.socketPath);
    await until("it is refused", () => refused.closed);
    node.refuse(false);
    const [hash] = node.mine();
    const last = await greet(node);
    await node.kill();
    await until("it is cut off", () => last.closed);
    await expect(RawModule.connect(node.socketPath)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await node.listen();
    const back = await greet(node);
    expect(await back.ask(TIP)).toEqual({ name: "Hash", value: { hash } });
  });
});

function zeroHeader() {
  const zeros = new Uint8Array(32);
  return { version: 1n, prevBlockHash: zeros, merkleRoot: zeros, timestamp: 0n, bits: 0n, nonce: 0n };
}
