/** Between the server's bus and the node, both ways. */
import { describe, expect, test } from "vitest";
import { NODE_EVENTS, type NodeEvents, NodeEventsToBus } from "../../../../src/app/module/events/node-events.ts";
import { PublishedEvents, type PublishedFrom } from "../../../../src/app/module/events/published-events.ts";
import type { Coins } from "../../../../src/app/reports/coin-text.ts";
import { Bus } from "../../../../src/kernel/events.ts";
import type { MergeMiningReward } from "../../../../src/ledger/events.ts";
import type { ShareSubmitted } from "../../../../src/pool/events.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import { ScriptedBllvmNode } from "../../../support/scripted-bllvm-node.ts";

const never = new AbortController().signal;
const hash = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const rethrow = {
  onError(error: unknown) {
    throw error;
  },
};

function share(change: Partial<ShareSubmitted> = {}): ShareSubmitted {
  return {
    connectionId: 1,
    channelId: 2,
    userIdentity: "alice.rig",
    errorCode: undefined,
    difficulty: 1,
    block: false,
    jobId: 7,
    height: 100,
    hash: hash(3),
    atMs: 1,
    ...change,
  };
}

function reward(change: Partial<MergeMiningReward> = {}): MergeMiningReward {
  const blockHash = "ab".repeat(32);
  return {
    secondaryChain: "namecoin",
    blockHash,
    height: 5,
    rewardAmount: 25n * 10n ** 8n,
    confirmations: 1,
    atMs: 1,
    ...change,
  };
}

const COINS: Coins = new Map([
  ["namecoin", { symbol: "NMC", decimals: 8 }],
  ["rsk", { symbol: "RBTC", decimals: 18 }],
]);

async function stage(coins: () => Promise<Coins> = async () => COINS) {
  const bus = new Bus<PublishedFrom>(rethrow);
  const log = recordingLog();
  const told: unknown[][] = [];
  const tell =
    (what: string) =>
    (...words: unknown[]): void =>
      void told.push([what, ...words]);
  const publisher = {
    job: tell("job"),
    share: tell("share"),
    reward: tell("reward"),
    poolConnected: tell("connected"),
    poolDisconnected: tell("disconnected"),
  };
  const part = new PublishedEvents({ bus, publisher, log, coins });
  await part.start(never);
  return { bus, log, told, part };
}

describe("from the bus to the node", () => {
  test("jobs, accepted shares and pools, as the node names them", async () => {
    const { bus, told } = await stage();
    const job = {
      jobId: 7,
      height: 100,
      prevHash: hash(1),
      cause: "newBlock",
      value: 1n,
      transactionCount: 1,
      atMs: 1,
    };
    bus.emit("MiningJobCreated", { ...job, cause: "newBlock" });
    bus.emit("ShareSubmitted", share());
    bus.emit("ShareSubmitted", share({ errorCode: "stale-share" }));
    bus.emit("ShareSubmitted", share({ errorCode: "invalid-job-id", jobId: undefined, hash: undefined }));
    bus.emit("MiningPoolConnected", { poolUrl: "p", poolId: undefined });
    bus.emit("MiningPoolDisconnected", { poolUrl: "p", reason: "eof" });
    expect(told).toEqual([
      ["job", { jobId: "7", prevHash: hash(1), height: 100 }],
      ["share", 7, hash(3), "alice.rig"],
      ["connected", { poolUrl: "p", poolId: undefined }],
      ["disconnected", { poolUrl: "p", reason: "eof" }],
    ]);
  });

  test("rewards in their order with the unit of their coin, and at a stop all that came before it", async () => {
    const { bus, told, part, log } = await stage(async () => {
      await Promise.resolve();
      return COINS;
    });
    bus.emit("MergeMiningReward", reward());
    bus.emit("MergeMiningReward", reward({ secondaryChain: "rsk", rewardAmount: 10n ** 15n }));
    bus.emit("MergeMiningReward", reward({ secondaryChain: "gone", rewardAmount: 2n ** 70n }));
    await part.stop();
    bus.emit("MergeMiningReward", reward());
    await Promise.resolve();
    const amounts = told.map(([, event]) => (event as { rewardAmount: bigint }).rewardAmount);
    expect(amounts).toEqual([2_500_000_000n, 100_000n, 2n ** 64n - 1n]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "gone: a reward is published in base units, for nobody here knows its coin",
      `gone: a reward of ${2n ** 70n} base units is published as the most that fits`,
    ]);
  });

  test("coins that cannot be looked up cost no reward", async () => {
    const { bus, told, part } = await stage(() => Promise.reject(new Error("somebody is writing in the file")));
    bus.emit("MergeMiningReward", reward());
    await part.stop();
    expect(told).toMatchObject([["reward", { rewardAmount: 2_500_000_000n }]]);
  });

  test("no more than a thousand wait for their coin", async () => {
    let release: (coins: Coins) => void = () => undefined;
    const { bus, told, part, log } = await stage(() => new Promise((resolve) => (release = resolve)));
    for (let i = 0; i < 1001; i++) bus.emit("MergeMiningReward", reward());
    expect(log.lines).toHaveLength(1);
    const stopped = part.stop();
    for (let i = 0; i < 1000; i++) {
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
      release(COINS);
    }
    await stopped;
    expect(told).toHaveLength(1000);
  });
});

describe("from the node to the bus", () => {
  test("each event under its name, from start to stop", async () => {
    const node = new ScriptedBllvmNode();
    const bus = new Bus<NodeEvents>(rethrow);
    const heard: [string, unknown][] = [];
    for (const name of NODE_EVENTS) bus.on(name, (event) => void heard.push([name, event]));
    const part = new NodeEventsToBus({ node, bus });
    const events = {
      NewBlock: { blockHash: hash(1), height: 5 },
      BlockDisconnected: { hash: hash(2), height: 5 },
      ChainReorg: { oldTip: hash(3), newTip: hash(4) },
      BlockMined: { blockHash: hash(5), height: 6, minerId: undefined },
      BlockTemplateUpdated: { prevHash: hash(6), height: 7, txCount: 9 },
      MiningDifficultyChanged: { oldNBits: 1, newNBits: 2, height: 8 },
      ChainTipUpdated: { blockHash: hash(7), height: 9 },
    };
    const tellAll = (): void => {
      node.tell("NewBlock", events.NewBlock);
      node.tell("BlockDisconnected", events.BlockDisconnected);
      node.tell("ChainReorg", events.ChainReorg);
      node.tell("BlockMined", events.BlockMined);
      node.tell("BlockTemplateUpdated", events.BlockTemplateUpdated);
      node.tell("MiningDifficultyChanged", events.MiningDifficultyChanged);
      node.tell("ChainTipUpdated", events.ChainTipUpdated);
      node.tell("NodeShutdown", { reason: "graceful", timeoutS: 30 });
    };
    tellAll();
    expect(heard).toEqual([]);
    await part.start(never);
    tellAll();
    expect(heard).toEqual(Object.entries(events));
    await part.stop();
    tellAll();
    expect(heard).toHaveLength(NODE_EVENTS.length);
  });
});
