/** The client with a fake bllvm node of every version of the IPC, over real sockets: everything that mining needs, once. */
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { connectUnix } from "../../src/daemon/socket.ts";
import { BllvmClient, type BllvmClientOptions } from "../../src/node/bllvm/client/client.ts";
import { serializeBlock } from "../support/bllvm/block-bytes.ts";
import { FakeBllvmNode, type FakeBllvmNodeOptions } from "../support/bllvm/node.ts";
import { ALL_PERMISSIONS } from "../support/bllvm/permissions.ts";
import type { FakeSchema } from "../support/bllvm/schemas.ts";
import { recordingLog } from "../support/recording-log.ts";
import { recordingMeter } from "../support/recording-meter.ts";
import { until } from "../support/until.ts";

const NAME = "bllvm-stratum-v2";
const code = (code: string) => expect.objectContaining({ code });

async function meet(nodeOptions: FakeBllvmNodeOptions, options: Partial<BllvmClientOptions> = {}) {
  const node = await FakeBllvmNode.start({ permissions: { [NAME]: ALL_PERMISSIONS }, ...nodeOptions });
  const client = new BllvmClient(
    {
      clock: systemClock,
      random: systemRandom(),
      log: recordingLog(),
      meter: recordingMeter(),
      connect: connectUnix,
      files: diskFiles,
    },
    { path: node.socketPath, moduleName: NAME, moduleVersion: "0.1.0", family: "socket", wire: "auto", ...options },
  );
  onTestFinished(async () => {
    await client.stop();
    await node.stop();
  });
  const tips: number[] = [];
  client.on("ChainTipUpdated", ({ height }) => tips.push(height));
  await client.start(new AbortController().signal);
  const isUp = () => until("the client is up", () => client.state().phase === "up", 20_000);
  await isUp();
  await until("the tip is read", () => tips.length > 0);
  return { node, client, tips, isUp };
}

const OLD = ["QueueReceivedBlock", "GetSyncStatus", "RegisterCliSpec"];

/** What the node says that it is, what it lacks, and how it is met. N1 and N2 cannot be told apart, so N1 is configured. */
const NODES: readonly (readonly [
  schema: FakeSchema,
  nodeVersion: string,
  lacks: readonly string[],
  options: Partial<BllvmClientOptions>,
])[] = [
  ["n1", "0.1.0", OLD, { family: "legacy", wire: "n1" }],
  ["n2", "0.1.0", OLD, { family: "legacy" }],
  ["s1", "0.1.0", ["QueueReceivedBlock"], {}],
  ["s2", "0.1.8", [], {}],
  ["s3", "0.1.54", [], {}],
  ["s4", "0.1.60", [], {}],
  ["s5", "0.1.83", [], {}],
];

describe.each(NODES)("a node of %s, %s, without %j", (schema, nodeVersion, lacks, options) => {
  test("is greeted, subscribed to, read, published to and handed a block", async () => {
    const { node, client, tips } = await meet({ schema }, options);
    expect(client.state()).toMatchObject({ phase: "up", schema, nodeVersion, unusable: lacks });
    expect(node.requestsOf("Handshake")).toHaveLength(1);

    const [mined] = node.mine();
    await until("the block is told", () => tips.at(-1) === 111);
    const { tip } = node.chain.chain;
    expect(mined).toEqual(tip.hash);
    expect(await client.chainInfo()).toEqual({ tipHash: tip.hash, height: 111, isSynced: true });
    const { version, prevHash, merkleRoot, nBits, nonce } = tip.header;
    const header = { version, prevHash, merkleRoot, timestamp: tip.header.time, nBits, nonce };
    expect(await client.blockHeader(tip.hash)).toEqual(header);
    const block = { header, transactionCount: 1, coinbaseScriptSig: tip.data?.txs[0]?.tx.inputs[0]?.script };
    expect(await client.block(tip.hash)).toEqual(block);
    expect(await client.blockByHeight(111)).toEqual(block);
    expect(await client.block(new Uint8Array(32))).toBeUndefined();
    expect(await client.peerCount()).toBe(8);
    if (!lacks.includes("GetSyncStatus")) {
      expect(await client.syncStatus()).toEqual({ phase: "Synced", progress: 1, isSynced: true, error: undefined });
    }

    const jobId = `job of ${schema}`;
    await client.publish({ name: "MiningJobCreated", event: { jobId, prevHash: tip.hash, height: 112 } });
    expect(node.published).toEqual([
      {
        moduleId: expect.stringContaining(NAME),
        event: { name: "MiningJobCreated", value: { jobId, prevHash: tip.hash, height: 112n } },
      },
    ]);

    const next = node.chain.nextBlock();
    const queued = client.queueReceivedBlock(serializeBlock(next));
    if (lacks.includes("QueueReceivedBlock")) {
      await expect(queued).rejects.toThrow(code("bllvm-request-unusable"));
    } else if (schema === "s2") {
      // Such a node may be of S3 by its version, so it is tried once.
      await expect(queued).rejects.toThrow(code("bllvm-request-closed"));
    } else {
      await queued;
      await until("the block is the tip", () => tips.at(-1) === 112);
      expect(node.chain.chain.tip.hash).toEqual(next.hash);
    }
    expect(node.connections).toHaveLength(1);
    expect(node.serverFailure).toBeUndefined();
  });
});

describe("a node that says another version than it is", () => {
  test.each(["s4", "s5"] as const)("speaks %s and was built from git: what mining needs is read", async (schema) => {
    const { node, client, tips, isUp } = await meet({ schema, nodeVersion: "0.1.13" });
    expect(client.state()).toMatchObject({ schema: "s3", nodeVersion: "0.1.13" });
    const { tip } = node.chain.chain;
    expect(await client.chainInfo()).toEqual({ tipHash: tip.hash, height: 110, isSynced: true });
    expect(await client.blockHeader(tip.hash)).toMatchObject({ nBits: tip.header.nBits });
    await expect(client.queueReceivedBlock(serializeBlock(node.chain.nextBlock()))).rejects.toThrow(
      code("bllvm-request-closed"),
    );
    await until("it is served again", () => node.connections.length === 2, 20_000);
    await isUp();
    node.mine();
    await until("events still come", () => tips.at(-1) === 111);
  });

  test.each(["s4", "s5"] as const)("%s from the configuration makes it whole", async (schema) => {
    const { node, client, tips } = await meet({ schema, nodeVersion: "0.1.13" }, { wire: schema });
    await client.queueReceivedBlock(serializeBlock(node.chain.nextBlock()));
    await until("the block is the tip", () => tips.at(-1) === 111);
    expect(node.connections).toHaveLength(1);
  });

  test.each(["s3", "s4", "s5"] as const)(
    "speaks %s and is newer than all that was seen: what fits is found",
    async (schema) => {
      const { node, client, tips, isUp } = await meet({ schema, nodeVersion: "0.1.99" });
      const block = serializeBlock(node.chain.nextBlock());
      await client.queueReceivedBlock(block).catch(() => undefined);
      await isUp();
      if (schema === "s3") await client.queueReceivedBlock(block);
      await until("the block is the tip", () => tips.at(-1) === 111, 20_000);
      expect(node.connections).toHaveLength(schema === "s3" ? 2 : 1);
      expect(client.state().unusable).toEqual([]);
    },
  );
});
