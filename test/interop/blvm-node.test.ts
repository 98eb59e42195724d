/**
 * Our client of the bllvm node against what is published: the module system on a chain in memory, and the whole node from
 * its configuration file to its RPC, each in the version that the golden frames are of and in the newest one.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { type Block, parseBlock } from "../../src/bitcoin/block.ts";
import { headerHash, serializeHeader } from "../../src/bitcoin/header.ts";
import { type Transaction, txid } from "../../src/bitcoin/transaction.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { connectUnix } from "../../src/daemon/socket.ts";
import { ANYONE_SCRIPT } from "../../src/devnet/node/synthetic.ts";
import { fromHex, fromUtf8, toDisplayHex, toHex, utf8 } from "../../src/kernel/bytes.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import type { BllvmEvents, BllvmHeader, BllvmPublishedEvent } from "../../src/node/bllvm/bllvm-node.ts";
import { BllvmClient } from "../../src/node/bllvm/client/client.ts";
import { wireCodec } from "../../src/node/bllvm/wire/codec.ts";
import { ANYONE_WITNESS, type Draft, finish } from "../support/block-draft.ts";
import { recordingLog } from "../support/recording-log.ts";
import { until } from "../support/until.ts";
import { blvm, newestBlvm } from "./foreign/blvm-crates.ts";
import { BlvmHarness } from "./foreign/blvm-harness.ts";
import { BlvmRegtestNode } from "./foreign/blvm-regtest-node.ts";
import { regtestDraft, solved } from "./foreign/regtest-block.ts";
import { CAPABILITIES, installStub, MODULE_NAME } from "./foreign/stub-module.ts";

/** A version whose wire our codec does not have yet is not worth its build. */
const speaksNewest = wireCodec("s4").has("request", "QueueReceivedBlock");
if (!speaksNewest)
  console.warn("SKIPPED: the tests with the newest blvm-node, because our codec lacks rows of schema s4");
const crates = [await blvm(), ...(speaksNewest ? [await newestBlvm()] : [])];
/** From height 17 on the node's versions and Bitcoin Core want a coinbase's height written alike. */
const BLOCKS = 16;
const MATURITY = 100;
/** The node looks after its children every 5 s. */
const SERVED_MS = 20_000;
const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const hash = (first: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => first + i);

/** A client and what it told. */
class Attached {
  readonly log = recordingLog();
  readonly blocks: BllvmEvents["NewBlock"][] = [];
  readonly tips: BllvmEvents["ChainTipUpdated"][] = [];
  readonly shutdowns: BllvmEvents["NodeShutdown"][] = [];
  readonly client: BllvmClient;

  constructor(socket: string) {
    const { log } = this;
    const deps = { clock: systemClock, random: systemRandom(), log, meter: silentMeter, connect: connectUnix };
    this.client = new BllvmClient(
      { ...deps, files: diskFiles },
      { path: socket, moduleName: MODULE_NAME, moduleVersion: "0.1.0", family: "socket", wire: "auto" },
    );
    this.client.on("NewBlock", (event) => this.blocks.push(event));
    this.client.on("ChainTipUpdated", (event) => this.tips.push(event));
    this.client.on("NodeShutdown", (event) => this.shutdowns.push(event));
  }

  async start(withinMs: number): Promise<void> {
    await this.client.start(new AbortController().signal);
    await until("the node serves us", () => this.client.state().phase === "up", withinMs).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(this.client.state())}`);
    });
  }
}

/** Hash of a header as the node gave it. */
function hashOf({ version, prevHash, merkleRoot, timestamp, nBits, nonce }: BllvmHeader): Uint8Array {
  return headerHash(serializeHeader({ version, prevHash, merkleRoot, time: timestamp, nBits, nonce }));
}

describe.each(crates)("blvm-node $version", ({ version, schema, harness, node: binary }) => {
  describe.skipIf(harness === undefined)("as a module system", () => {
    let node: BlvmHarness;
    let module: Attached;

    beforeEach(async () => {
      node = await BlvmHarness.start(harness ?? "");
      await node.mine(BLOCKS);
      await node.command("permit", { module: MODULE_NAME, capabilities: CAPABILITIES });
      module = new Attached(node.socket);
      await module.start(SERVED_MS);
    });

    afterEach(async () => {
      await module.client.stop();
      await node.stop();
    });

    test("tells us its version, its tip and its blocks", async () => {
      const { client } = module;
      expect(client.state()).toMatchObject({ nodeVersion: version, schema, unusable: [] });
      const { tip } = await node.chain();
      await until("the tip", () => module.tips.length > 0);
      expect(module.tips).toEqual([{ blockHash: fromHex(tip), height: BLOCKS }]);
      expect(await client.chainInfo()).toMatchObject({ tipHash: fromHex(tip), height: BLOCKS });
      const header = await client.blockHeader(fromHex(tip));
      expect(header && toHex(hashOf(header))).toBe(tip);
      expect((await client.blockByHeight(BLOCKS))?.transactionCount).toBe(1);
      expect(await client.blockHeader(hash(1))).toBeUndefined();
      expect(await client.peerCount()).toBe(0);
    });

    test("tells us of blocks as they come and go", async () => {
      const before = await node.chain();
      const { block = "" } = await node.mine();
      await until("NewBlock", () => module.blocks.length === 1);
      expect(module.blocks).toEqual([{ blockHash: fromHex(block), height: BLOCKS + 1 }]);
      await node.command("disconnect");
      await until("the tip before it", () => module.tips.length === 3);
      expect(module.tips.map(({ blockHash }) => toHex(blockHash))).toEqual([before.tip, block, before.tip]);
    });

    test("delivers what we publish", async () => {
      const published: BllvmPublishedEvent[] = [
        { name: "MiningJobCreated", event: { jobId: "7", prevHash: hash(1), height: 17 } },
        { name: "ShareSubmitted", event: { jobId: "7", shareHash: hash(3), minerId: "alice.rig1" } },
        { name: "MergeMiningReward", event: { secondaryChain: "namecoin", rewardAmount: 5n, blockHash: hash(4) } },
        { name: "MiningPoolConnected", event: { poolUrl: "stratum2+tcp://p:3333", poolId: undefined } },
        { name: "MiningPoolDisconnected", event: { poolUrl: "stratum2+tcp://p:3333", reason: "eof" } },
      ];
      for (const event of published) await module.client.publish(event);
      const arrived = () => published.flatMap(({ name }) => node.events(name)).map(({ fields }) => fields);
      await until("all arrived", () => arrived().length === published.length);
      expect(arrived()).toEqual([
        { job_id: "7", prev_hash: toHex(hash(1)), height: 17 },
        { job_id: "7", share_hash: toHex(hash(3)), miner_id: "alice.rig1" },
        { secondary_chain: "namecoin", reward_amount: 5, block_hash: toHex(hash(4)) },
        { pool_url: "stratum2+tcp://p:3333", pool_id: null },
        { pool_url: "stratum2+tcp://p:3333", reason: "eof" },
      ]);
      expect(module.client.state()).toMatchObject({ phase: "up", unusable: [] });
    });

    test("accepts a block of ours by its own consensus code", async () => {
      const { tip } = await node.chain();
      const time = Math.floor(Date.now() / 1000) + BLOCKS;
      const place = { prevHash: fromHex(tip), height: BLOCKS + 1, time, script: ANYONE_SCRIPT };
      const block = solved(regtestDraft(place));
      await module.client.queueReceivedBlock(block.wire);
      await until("a verdict", () => node.verdicts().length === 1);
      expect(node.verdicts()[0]).toMatchObject({ verdict: "accepted", block: toHex(block.hash) });
      await until("NewBlock", () => module.blocks.length === 1);
      expect(module.blocks[0]?.blockHash).toEqual(block.hash);
    });

    test("calls what we serve, and writes our lines into its log", async () => {
      module.client.serve({
        methods: ["get_pool_stats"],
        apiVersion: 1,
        cli: { name: "stratum-v2", about: "the mining server", subcommands: [] },
        handler: async (invocation) =>
          invocation.type === "ModuleApi"
            ? { type: "ModuleApi", result: utf8(`${invocation.method} ${fromUtf8(invocation.params)}`) }
            : { type: "error", error: "no such thing" },
      });
      await until("the registration", () => node.log.some((line) => line.includes("Registering API for module")));
      expect(await node.command("call", { method: "get_pool_stats", params: "{}" })).toEqual({
        answer: "get_pool_stats {}",
      });
      module.client.log("warn", "a line of ours", "pool");
      await until("the line", () => node.log.some((line) => / WARN .*a line of ours/.test(line)));
    });
  });

  describe.skipIf(binary === undefined)("as a whole node, which a stub told of us", () => {
    let node: BlvmRegtestNode;
    let module: Attached;

    beforeAll(async () => {
      node = await BlvmRegtestNode.start(binary ?? "", MODULE_NAME, (modules) =>
        installStub(modules, "sleep 2; exit 3"),
      );
      await node.call("generatetoaddress", [BLOCKS, ADDRESS]);
      module = new Attached(node.socket);
      await module.start(SERVED_MS);
    });

    afterAll(async () => {
      await module?.client.stop();
      node?.remove();
    });

    /** A draft on the node's tip. */
    async function draft(transactions: readonly Transaction[] = []): Promise<Draft> {
      const { tipHash, height } = await module.client.chainInfo();
      const tip = await module.client.blockHeader(tipHash);
      // Blocks that were made in one second run ahead of the clock, by as much as the median of eleven wants.
      const time = Math.max(Math.floor(Date.now() / 1000), (tip?.timestamp ?? 0) + 1);
      return regtestDraft({ prevHash: tipHash, height: height + 1, time, script: ANYONE_SCRIPT, transactions });
    }

    /** Hands a block over and waits for the node's word that it is in the chain. */
    async function mined(draft: Draft): Promise<Block> {
      const block = solved(draft);
      const told = module.blocks.length;
      await module.client.queueReceivedBlock(block.wire);
      await until("NewBlock", () => module.blocks.length > told);
      expect(module.blocks.at(-1)).toEqual({ blockHash: block.hash, height: draft.height });
      expect(await node.call("getbestblockhash")).toBe(toDisplayHex(block.hash));
      return parseBlock(block.wire);
    }

    test("its tip is ours, and it does not call itself synced without peers", async () => {
      const { client } = module;
      expect(client.state()).toMatchObject({ nodeVersion: version, schema, unusable: [] });
      const { tipHash, height, isSynced } = await client.chainInfo();
      expect([toDisplayHex(tipHash), height, isSynced]).toEqual([await node.call("getbestblockhash"), BLOCKS, false]);
      expect((await client.syncStatus()).isSynced).toBe(false);
      expect(await node.call("getblockchaininfo")).toMatchObject({ initialblockdownload: false });
      const header = await client.blockHeader(tipHash);
      expect(header && hashOf(header)).toEqual(tipHash);
    });

    test("blocks of ours become its chain, with segwit transactions too", async () => {
      const [coinbase] = (await mined(await draft())).transactions;
      await node.call("generatetoaddress", [MATURITY, ADDRESS]);
      const atTip = (): boolean => module.tips.at(-1)?.height === BLOCKS + 1 + MATURITY;
      await until("the tip is known", atTip, 15_000);
      const spend: Transaction = {
        version: 2,
        inputs: [
          {
            prevHash: txid(coinbase!),
            prevIndex: 0,
            script: new Uint8Array(0),
            sequence: 0xffffffff,
            witness: ANYONE_WITNESS,
          },
        ],
        outputs: [{ value: 49_9999_0000n, script: ANYONE_SCRIPT }],
        lockTime: 0,
      };
      await mined(await draft([spend]));
    });

    test("a block that breaks a rule is acknowledged and never heard of again", async () => {
      const before = await node.call("getbestblockhash");
      const honest = await draft();
      const [output] = honest.coinbase.outputs;
      const greedy = { value: (output?.value ?? 0n) + 1n, script: ANYONE_SCRIPT };
      const told = module.blocks.length;
      await module.client.queueReceivedBlock(
        finish({ ...honest, coinbase: { ...honest.coinbase, outputs: [greedy] } }),
      );
      await until("the node's refusal", () => node.log.some((line) => line.includes("Block validation failed")));
      expect(module.blocks.length).toBe(told);
      expect(await node.call("getbestblockhash")).toBe(before);
      expect(module.client.state().phase).toBe("up");
    });

    test("the stub's manifest lets us publish", async () => {
      const event = { jobId: "7", prevHash: hash(1), height: 17 };
      await module.client.publish({ name: "MiningJobCreated", event });
      expect(module.client.state()).toMatchObject({ phase: "up", unusable: [] });
    });

    test("tells us when it ends", async () => {
      const stopped = node.stop();
      await until("NodeShutdown", () => module.shutdowns.length === 1);
      expect(module.shutdowns).toEqual([{ reason: "graceful", timeoutS: 30 }]);
      expect(await stopped).toBe("ended");
    });
  });
});
