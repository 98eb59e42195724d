/** The whole program as a module of a bllvm node: every way of being started, with real miners, blocks and kills. */
import { describe, expect, test } from "vitest";
import { printServerUrl } from "../../src/client/url.ts";
import { equal, utf8 } from "../../src/kernel/bytes.ts";
import type { FakeBllvmNode } from "../support/bllvm/node.ts";
import { BllvmWorld, NAME } from "../support/bllvm-world.ts";
import { type Program, program } from "../support/program.ts";
import { RoughProxy } from "../support/rough-proxy.ts";
import { AUTHORITY_PUBLIC_KEY, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** As in module.toml. */
const CAPABILITIES = [
  "read_blockchain",
  "read_chain_state",
  "subscribe_events",
  "publish_events",
  "submit_block",
  "queue_inbound_block",
  "register_module_api",
];
const PERMITTED = { permissions: { [NAME]: CAPABILITIES } };

const ALL = {
  name: "ModuleApi",
  value: { method: "get_pool_stats", params: utf8("{}"), callerModuleId: "other" },
} as const;

/** Resolves when the node has heard of a job on the block `hash`. */
async function toldJobOn(node: FakeBllvmNode, hash: Uint8Array | undefined): Promise<void> {
  await until(
    "a job on that block is told",
    () =>
      node.published.some(
        ({ event }) => event.name === "MiningJobCreated" && hash !== undefined && equal(event.value.prevHash, hash),
      ),
    30_000,
  );
}

/** Resolves when the CPU miner got a job on another block than before. */
async function newBlocks(miner: Program, count: number): Promise<void> {
  const seen = (): number => miner.out.filter((line) => line.includes('"newBlock"')).length;
  await until(`${count} blocks came to the miner`, () => seen() >= count, 30_000);
}

describe("attached to a node that serves side by side, with all capabilities", () => {
  test("mines on its chain, hears its blocks, hands over ours, and tells its other modules", async () => {
    const world = await BllvmWorld.start({ concurrent: true, ...PERMITTED });
    const { node } = world;
    const module = world.attach();
    const miner = await module.mine();
    await miner.line((line) => line.includes('"shareAccepted"'));
    await module.says("was accepted by node bllvm");
    expect(node.requestsOf("QueueReceivedBlock").length).toBeGreaterThan(0);
    expect(node.requestsOf("SubscribeEvents")).toHaveLength(1);
    await until("shares are told", () => node.published.some(({ event }) => event.name === "ShareSubmitted"));
    // Somebody else's block becomes a job.
    miner.kill("SIGTERM");
    await miner.ended;
    await toldJobOn(node, node.mine(1)[0]);
    expect(node.logs.some(({ message }) => message.includes("found at height"))).toBe(true);
    const stats = await node.invoke(NAME, ALL);
    expect(stats, JSON.stringify(stats.error)).toMatchObject({ success: true });
    const cli = await node.invoke(NAME, { name: "Cli", value: { subcommand: "status", args: [] } });
    expect(cli.payload).toMatchObject({ name: "Cli", value: { exitCode: 0 } });
    module.program.kill("SIGTERM");
    expect(await module.program.ended, module.said()).toBe(0);
    expect(module.lines().filter(({ level }) => level >= 50)).toEqual([]);
  }, 60_000);

  test("in pool mode it mines for the pool, tells of it and of its loss, and needs neither payout nor work of the node", async () => {
    const world = await BllvmWorld.start({ concurrent: true, ...PERMITTED });
    const { node } = world;
    const pool = await startServer({ mining: { ackBatchSize: 1 } });
    const proxy = await RoughProxy.start(pool.address);
    const [host = "", port] = proxy.address.split(":");
    const authorityPublicKey = AUTHORITY_PUBLIC_KEY;
    const url = printServerUrl({ transport: "tcp", host, port: Number(port), noise: true, authorityPublicKey });
    const module = world.attach(
      `[stratum_v2]\nlisten_addr = "127.0.0.1:0"\npool_url = "${url}"\n[bitcoin]\nnetwork = "regtest"\n[upstream]\nuser = "farm"\n`,
    );
    const told = (name: string): number => node.published.filter(({ event }) => event.name === name).length;
    await until("the pool is told of", () => told("MiningPoolConnected") === 1, 30_000);
    const params = utf8("{}");
    const asked = await node.invoke(NAME, {
      name: "ModuleApi",
      value: { method: "get_template", params, callerModuleId: "other" },
    });
    expect(asked, JSON.stringify(asked.error)).toMatchObject({ success: true });
    const cli = await node.invoke(NAME, { name: "Cli", value: { subcommand: "status", args: [] } });
    expect(JSON.stringify(cli.payload)).toContain(`mining for ${proxy.address}`);
    proxy.kill();
    await until("its loss is told", () => told("MiningPoolDisconnected") === 1, 30_000);
    module.program.kill("SIGTERM");
    expect(await module.program.ended, module.said()).toBe(0);
  }, 60_000);

  test("a node killed and started anew: miners stay, work goes on, nobody is asked twice", async () => {
    const world = await BllvmWorld.start({ concurrent: true, ...PERMITTED });
    const { node } = world;
    const module = world.attach();
    const miner = await module.mine();
    await miner.line((line) => line.includes('"shareAccepted"'));
    await node.kill();
    node.chain.generate(1);
    await module.says("closed the connection");
    const told = node.published.length;
    await node.listen();
    // The miner finds blocks all the time, and of jobs in quick succession the newest is told: any will do.
    await until(
      "jobs are told again",
      () => node.published.slice(told).some(({ event }) => event.name === "MiningJobCreated"),
      30_000,
    );
    expect(miner.out.filter((line) => line.includes('"disconnected"'))).toEqual([]);
    const before = node.chain.height;
    await until("blocks of ours come in again", () => node.chain.height > before + 1, 30_000);
  }, 90_000);

  test("a reorganisation gives work on the other branch", async () => {
    const world = await BllvmWorld.start({ concurrent: true, ...PERMITTED });
    const { node } = world;
    world.attach();
    await toldJobOn(node, node.chain.tipHash);
    await toldJobOn(node, node.reorg(2));
  }, 60_000);
});

describe("attached to a node as it is, with the permissions that everybody has", () => {
  test("mines by JSON-RPC, publishes nothing, and says once what it cannot do", async () => {
    const world = await BllvmWorld.start();
    const { node } = world;
    const module = world.attach();
    const miner = await module.mine();
    await miner.line((line) => line.includes('"shareAccepted"'));
    await module.says("was accepted by node bllvm");
    await newBlocks(miner, 3);
    expect(node.published).toEqual([]);
    const denied = module.lines().filter(({ msg }) => msg.includes("is not sent any more"));
    expect(new Set(denied.map(({ msg }) => msg)).size).toBe(denied.length);
    expect(denied.length).toBeLessThanOrEqual(3);
    // One of them tells that the node knows no capabilities; a block is worth two attempts.
    expect(node.requestsOf("PublishEvent").length + node.requestsOf("RegisterModuleApi").length).toBe(1);
    expect(node.requestsOf("QueueReceivedBlock").length).toBeLessThanOrEqual(2);
    expect(node.requestsOf("GetNetworkStats")).toEqual([]);
  }, 60_000);

  test("without JSON-RPC there is work, its blocks hold their coinbase alone, and it is said that none can be handed over", async () => {
    const world = await BllvmWorld.start({ rpc: false });
    const module = world.attach(world.config({ rpc: false }));
    await module.says("hold their coinbase alone");
    const miner = await module.mine();
    await miner.line((line) => line.includes('"shareAccepted"'));
  }, 60_000);
});

describe("killed with -9", () => {
  test("in each state, the module starts again on the same folder, and no share's block is lost", async () => {
    const world = await BllvmWorld.start({ concurrent: true, ...PERMITTED });
    const { node } = world;
    const states = ["the ledger is", "serves this module", "miners connect to", "was accepted by node bllvm"];
    const accepted = new Set<string>();
    for (const state of states) {
      const module = world.attach();
      if (state.startsWith("was")) {
        const miner = await module.mine();
        await module.says(state, 30_000);
        miner.kill("SIGKILL");
      } else {
        await module.says(state);
      }
      module.program.kill("SIGKILL");
      expect(await module.program.ended).toBe(-1);
      for (const [, hash = ""] of module.said().matchAll(/block ([0-9a-f]{64}) at height \d+ was accepted/g))
        accepted.add(hash);
      // A mended node goes on serving whoever comes.
      expect(node.serverFailure, state).toBeUndefined();
    }
    const module = world.attach();
    await module.says("work is taken from node bllvm");
    const miner = await module.mine();
    await miner.line((line) => line.includes('"shareAccepted"'));
    module.program.kill("SIGTERM");
    expect(await module.program.ended, module.said()).toBe(0);
    expect(module.lines().filter(({ level }) => level >= 50)).toEqual([]);
    const file = world.configFile(
      world.config().replace("[stratum_v2]", `[stratum_v2]\ndata_dir = "${world.dataDir}"`),
    );
    const blocks = program(["blocks", "--json", "-c", file]);
    expect(await blocks.ended, blocks.err.join("\n")).toBe(0);
    const found = JSON.parse(blocks.out.join("")) as { readonly blocks: readonly { readonly blockHash: string }[] };
    // The ledger has what was accepted in the run that was killed, from the journal if not before.
    expect(accepted.size).toBeGreaterThan(0);
    expect(found.blocks.map(({ blockHash }) => blockHash)).toEqual(expect.arrayContaining([...accepted]));
  }, 120_000);

  test("while it waits for its turn it ends the node's IPC, as the page on the node says; the node's next start is a new one", async () => {
    const world = await BllvmWorld.start();
    const { node } = world;
    const spawned = await world.install();
    await spawned.spawner.load(NAME);
    await spawned.says("serves one connection at a time");
    spawned.spawner.modules.get(NAME)?.process.kill();
    await until(
      "the heartbeat is gone and the queue's next is looked at",
      () => node.serverFailure !== undefined,
      20_000,
    );
    await node.restart();
    expect(node.serverFailure).toBeUndefined();
    const service = world.attach();
    await service.says("serves this module");
  }, 90_000);
});

describe("spawned by the node", () => {
  test("a node as it is starts, serves its heartbeat alone, and blocks are mined by JSON-RPC meanwhile", async () => {
    const world = await BllvmWorld.start();
    const { node } = world;
    const module = await world.install();
    // The node's start does not hang.
    await module.spawner.load(NAME);
    await module.says("work is taken from node bllvm");
    await module.says("serves one connection at a time");
    const miner = await module.mine();
    await miner.line((line) => line.includes('"shareAccepted"'));
    await module.says("was accepted by node bllvm");
    await newBlocks(miner, 2);
    expect(node.serverFailure).toBeUndefined();
  }, 90_000);

  test("a node that serves side by side gives it everything, and its kill loses nothing", async () => {
    const world = await BllvmWorld.start({ concurrent: true });
    const { node } = world;
    const module = await world.install(world.config({ more: "" }).replace("ack_s = 0", "ack_s = 0\nack_shares = 1"));
    await module.spawner.load(NAME);
    const miner = await module.mine();
    await until("shares are told", () => node.published.some(({ event }) => event.name === "ShareSubmitted"), 30_000);
    const accepted = (): number =>
      miner.out
        .filter((line) => line.includes('"shareAccepted"'))
        .reduce((sum, line) => sum + JSON.parse(line).count, 0);
    await until("some shares were accepted", () => accepted() >= 3, 30_000);
    miner.kill("SIGTERM");
    await miner.ended;
    const shares = accepted();
    await module.spawner.stop();
    expect(module.said()).toContain("the bllvm node stops (graceful): credit for shares is written now");
    // flush_s is a minute: what is in the ledger was written at the node's word.
    const told = /credit for (\d+) shares was written in (\d+) ms/.exec(module.said());
    expect(Number(told?.[1])).toBeGreaterThanOrEqual(shares);
    expect(Number(told?.[2])).toBeLessThan(100);
    const file = world.configFile(
      `${world.config()}\n[chains]\n`.replace("[stratum_v2]", `[stratum_v2]\ndata_dir = "${world.dataDir}"`),
    );
    const workers = program(["workers", "--json", "-c", file]);
    expect(await workers.ended, workers.err.join("\n")).toBe(0);
    expect(workers.out.join("\n")).toContain("bllvm-stratum-v2.cpu");
  }, 90_000);
});

describe("legacy", () => {
  test("a node of December 2025 is answered its heartbeats and gives chain and events", async () => {
    const world = await BllvmWorld.start({ schema: "n2" });
    const { node } = world;
    const module = await world.install(undefined, { legacy: true });
    const spawned = await module.spawner.load(NAME);
    const miner = await module.mine();
    await miner.line((line) => line.includes('"shareAccepted"'));
    await newBlocks(miner, 1);
    const seen = miner.out.filter((line) => line.includes('"newBlock"')).length;
    node.mine(1);
    await newBlocks(miner, seen + 1);
    await until("heartbeats are answered", () => (spawned.heartbeat?.beats ?? []).length >= 2, 20_000);
    expect(new Set(spawned.heartbeat?.beats)).toEqual(new Set(["ok"]));
  }, 90_000);
});

describe("registered", () => {
  test("the service steps aside for the stand-in and is served with all capabilities behind it", async () => {
    const world = await BllvmWorld.start();
    const { node } = world;
    const installed = await world.install(undefined, { words: ["--registered"] });
    const service = world.attach();
    await service.says("serves this module");
    const loading = installed.spawner.load(NAME);
    await loading;
    await until(
      "events are published under the capabilities of the manifest",
      () => node.published.some(({ event }) => event.name === "MiningJobCreated"),
      60_000,
    );
    expect(node.serverFailure).toBeUndefined();
  }, 120_000);
});
