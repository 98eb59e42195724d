/**
 * Golden frames against the IPC server that is published: the node answers the bytes of `test/vectors/bllvm-ipc.json` with
 * those that stand beside them, and behaves as our client was built to bear. Nothing of our codec takes part.
 */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { headerHash } from "../../src/bitcoin/header.ts";
import { fromHex, toHex } from "../../src/kernel/bytes.ts";
import { pause, until } from "../support/until.ts";
import { blvm } from "./foreign/blvm-crates.ts";
import { BlvmHarness } from "./foreign/blvm-harness.ts";
import { BareConnection, counting, golden, le } from "./foreign/golden-frames.ts";
import { regtestDraft, solved } from "./foreign/regtest-block.ts";
import { CAPABILITIES, installStub, MODULE_NAME } from "./foreign/stub-module.ts";

const { harness, version } = await blvm();
/** From height 17 on the node and Bitcoin Core want a coinbase's height written alike. */
const BLOCKS = 16;
const OP_TRUE = Uint8Array.of(0x51);
const VECTOR_HEIGHT = 840_000;
const utf8Hex = (text: string): string => Buffer.from(text).toString("hex");

describe.skipIf(harness === undefined)(`the IPC server of blvm-node ${version}`, () => {
  let node: BlvmHarness;
  const open: BareConnection[] = [];

  beforeEach(async () => {
    node = await BlvmHarness.start(harness ?? "");
    await node.mine(BLOCKS);
  });

  afterEach(async () => {
    for (const each of open.splice(0)) each.close();
    await node.stop();
  });

  async function connected(): Promise<BareConnection> {
    const connection = await BareConnection.open(node.socket);
    open.push(connection);
    return connection;
  }

  /** A connection that is served, with the manifest's capabilities. */
  async function served(): Promise<BareConnection> {
    await node.command("permit", { module: MODULE_NAME, capabilities: CAPABILITIES });
    const connection = await connected();
    const ack = golden("head.resp.handshake_ack", [utf8Hex("0.1.54"), utf8Hex(version)]);
    expect(await connection.ask(golden("head.req.handshake"))).toBe(ack);
    return connection;
  }

  test("answers reads of the chain", async () => {
    const { tip } = await node.chain();
    const module = await served();
    expect(await module.ask(golden("head.req.get_chain_tip"))).toBe(golden("head.resp.hash", [counting(0), tip]));
    const height = [le(VECTOR_HEIGHT, 8), le(BLOCKS, 8)] as const;
    expect(await module.ask(golden("head.req.get_block_height"))).toBe(golden("head.resp.u64", height));
    // What is called difficulty is one: regtest's, cut to a whole number and at least 1. It is no compact target.
    const info = golden("head.resp.chain_info", [counting(0), tip], height, [
      `${le(0x17034219, 4)}${le(7, 8)}`,
      `${le(1, 4)}${le(2 * (BLOCKS + 1), 8)}`,
    ]);
    expect(await module.ask(golden("head.req.get_chain_info"))).toBe(info);
    const header = await module.ask(golden("head.req.get_block_header", [counting(0), tip]));
    expect(toHex(headerHash(header80(header)))).toBe(tip);
    expect(await module.ask(golden("head.req.get_block_header"))).toBe(golden("head.resp.block_header_none"));
  });

  test("tells of blocks that come and go", async () => {
    const module = await served();
    expect(await module.ask(golden("head.req.subscribe"))).toBe(golden("head.resp.subscribe_ack"));
    const { tip } = await node.chain();
    const { block = "", height = 0 } = await node.mine();
    const came = golden("head.event.new_block", [counting(0), block], [le(VECTOR_HEIGHT + 1, 8), le(height, 8)]);
    expect(await module.next()).toBe(came);
    await node.command("disconnect");
    // BlockDisconnected has the fields of NewBlock.
    expect(await module.next()).toBe(came.slice(0, 16) + le(2, 4) + le(2, 4) + came.slice(32));
    expect(await module.next()).toBe(golden("head.event.chain_reorg", [counting(0), block], [counting(1), tip]));
  });

  test.each([
    ["mining_job_created", 11, "MiningJobCreated", { job_id: "7", prev_hash: counting(1), height: 840_001 }],
    ["share_submitted", 12, "ShareSubmitted", { job_id: "7", share_hash: counting(3), miner_id: "miner-1" }],
    [
      ...(["merge_mining_reward", 13, "MergeMiningReward"] as const),
      { secondary_chain: "namecoin", reward_amount: 312_500_000, block_hash: counting(4) },
    ],
    [...(["pool_connected", 14, "MiningPoolConnected"] as const), { pool_url: "stratum2+tcp://p:3333", pool_id: null }],
    [
      ...(["pool_disconnected", 15, "MiningPoolDisconnected"] as const),
      { pool_url: "stratum2+tcp://p:3333", reason: "eof" },
    ],
  ] as const)("delivers a published %s to the node's modules", async (frame, correlation, name, fields) => {
    const module = await served();
    const ack = golden("head.resp.event_published", [le(11, 8), le(correlation, 8)]);
    expect(await module.ask(golden(`head.req.publish.${frame}`))).toBe(ack);
    await until("the event arrived", () => node.events(name).length > 0);
    expect(node.events(name).map(({ fields }) => fields)).toEqual([fields]);
  });

  test("queues a block in wire format, judges it with its consensus code and tells of it by NewBlock", async () => {
    const module = await served();
    await module.ask(golden("head.req.subscribe"));
    const queued = golden("head.resp.received_block_queued");
    expect(await module.ask(golden("head.req.queue_received_block"))).toBe(queued);
    await until("a verdict", () => node.verdicts().length === 1);
    expect(node.verdicts()[0]?.reason).toContain("unparsable");

    const { tip } = await node.chain();
    const time = Math.floor(Date.now() / 1000) + BLOCKS;
    const { wire, hash } = solved(regtestDraft({ prevHash: fromHex(tip), height: BLOCKS + 1, time, script: OP_TRUE }));
    expect(await module.ask(queueRequest(wire))).toBe(queued);
    const came = [[counting(0), toHex(hash)] as const, [le(VECTOR_HEIGHT + 1, 8), le(BLOCKS + 1, 8)] as const];
    expect(await module.next()).toBe(golden("head.event.new_block", ...came));
    expect(node.verdicts()[1]).toMatchObject({ verdict: "accepted", block: toHex(hash) });
    expect(await module.ask(queueRequest(wire))).toBe(queued);
    await until("another verdict", () => node.verdicts().length === 3);
    expect(node.verdicts()[2]?.reason).toBe("duplicate");
  });

  test("writes log lines, and calls what a module registers", async () => {
    const module = await served();
    module.send(golden("head.log.info"));
    expect(await module.ask(golden("head.req.register_cli_spec"))).toBe(golden("head.resp.bool_true"));
    await until("the line", () => node.log.some((line) => line.includes(`hi module_id=${MODULE_NAME}`)));
    // ModuleApiRegistered is the 40th response, EventPublished the 38th: both are bare.
    const registered = golden("head.resp.event_published", [le(11, 8), le(20, 8)], [le(38, 4), le(40, 4)]);
    expect(await module.ask(golden("head.req.register_module_api"))).toBe(registered);
    const answer = node.command("call", { method: "get_pool_stats", params: "{}" });
    const invocation = await module.next();
    const correlation = invocation.slice(16, 32);
    const asked = golden("head.invocation.module_api", [le(2, 8) + le(2, 4), correlation + le(2, 4)]);
    // The vector's caller is "c".
    expect(invocation.slice(8)).toBe(asked.slice(8).replace(/010000000000000063$/, `${le(7, 8)}${utf8Hex("harness")}`));
    module.send(golden("head.invocation_result.module_api", [`${le(5, 4)}${le(2, 8)}`, `${le(5, 4)}${correlation}`]));
    expect(await answer).toEqual({ answer: "{}" });
  });

  test("closes the connection at what is not permitted, and serves the next one", async () => {
    const module = await connected();
    await module.ask(golden("head.req.handshake"));
    // Without capabilities of its own a module may read and subscribe.
    await module.ask(golden("head.req.get_chain_tip"));
    module.send(golden("head.req.publish.mining_job_created"));
    await until("the node closed it", () => module.closed);
    expect(module.frames).toEqual([]);
    expect(node.events("MiningJobCreated")).toEqual([]);
    await served();
  });

  test("serves one connection at a time, the next when the first is gone", async () => {
    const first = await served();
    const second = await connected();
    second.send(golden("head.req.handshake"));
    await pause(1_000);
    expect(second.frames).toEqual([]);
    first.close();
    expect(await second.next()).toContain(utf8Hex(version));
  });

  test.each([
    ["a connection that says nothing", ""],
    ["a first frame that is no request", golden("head.log.info")],
  ])("ends for good at %s", async (_, first) => {
    const rude = await connected();
    if (first !== "") rude.send(first);
    rude.close();
    await expect
      .poll(() =>
        BareConnection.open(node.socket).then(
          () => "open",
          (error) => error.code,
        ),
      )
      .toBe("ECONNREFUSED");
  });

  test("ends for good at a connection that went away while it waited to be served", async () => {
    const first = await served();
    const waiting = await connected();
    waiting.send(golden("head.req.handshake"));
    await pause(100);
    waiting.close();
    first.close();
    await expect
      .poll(() =>
        BareConnection.open(node.socket).then(
          () => "open",
          (error) => error.code,
        ),
      )
      .toBe("ECONNREFUSED");
  });

  describe("as a module's parent", () => {
    const install = (script: string): void => installStub(join(node.folder, "modules"), script);

    test("serves a module that was started elsewhere once a stub with its name has failed, and grants its capabilities", async () => {
      install("sleep 1; exit 3");
      expect(await node.command("load")).toEqual({ modules: [MODULE_NAME] });
      const module = await connected();
      // The node's own connection for heartbeats is served until it notices, within 5 s, that the stub is gone.
      expect(await module.ask(golden("head.req.handshake"))).toContain(utf8Hex(version));
      expect(await module.ask(golden("head.req.publish.mining_job_created"))).toBe(golden("head.resp.event_published"));
      expect(node.events("ModuleCrashed")).toEqual([]);
    });

    test("serves no other connection while its child lives, and hangs at its end", async () => {
      install("exec sleep 60");
      await node.command("load");
      const module = await connected();
      module.send(golden("head.req.handshake"));
      await pause(6_000);
      expect(module.frames).toEqual([]);
      expect(await node.command("stop")).toMatchObject({ hangs: true });
    });

    test("does not finish its start while a module is served that connected first", async () => {
      install("exec sleep 60");
      const module = await served();
      const loaded = node.command("load");
      await pause(1_500);
      expect(node.events("ModuleInstalled")).toEqual([]);
      module.close();
      expect(await loaded).toEqual({ modules: [MODULE_NAME] });
    });
  });
});

/** The 80 bytes that an answer to GetBlockHeader spells with 64-bit integers. */
function header80(frame: string): Uint8Array {
  const some = frame.slice(-2 - 2 * 96, -2);
  const at = (from: number, bytes: number): string => some.slice(2 * from, 2 * (from + bytes));
  return fromHex(at(0, 4) + at(8, 64) + at(72, 4) + at(80, 4) + at(88, 4));
}

/** The golden request with another block in it. */
function queueRequest(block: Uint8Array): string {
  const payload = golden("head.req.queue_received_block")
    .slice(8)
    .replace(`${le(3, 8)}010203`, "");
  const body = `${payload}${le(block.length, 8)}${toHex(block)}`;
  return (body.length / 2).toString(16).padStart(8, "0") + body;
}
