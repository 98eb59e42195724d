import { describe, expect, test } from "vitest";
import { z } from "zod";
import { miningInfo } from "../../../../../src/node/bitcoind/answers.ts";
import { BLLVM_RPC_DEFAULTS, BllvmRpc } from "../../../../../src/node/bllvm/rpc/bllvm-rpc.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { recordingLog } from "../../../../support/recording-log.ts";
import { HeaderNode, type HeaderNodeOptions } from "./header-node.ts";

const template = z.object({ bits: z.string(), curtime: z.int(), mintime: z.int(), height: z.int(), version: z.int() });

function setting(options: HeaderNodeOptions, nowS = options.time + 30) {
  const node = new HeaderNode(options);
  const clock = new FakeClock(nowS * 1000);
  const rpc = new BllvmRpc({ node, rpc: undefined, clock, log: recordingLog() }, BLLVM_RPC_DEFAULTS);
  const next = async (): Promise<string | undefined> => (await rpc.call("getmininginfo", [], miningInfo)).next?.bits;
  const total = (): number => [...node.requests.values()].reduce((sum, count) => sum + count, 0);
  return { node, rpc, clock, next, total };
}

describe("the target of the next block", () => {
  test.each([
    // Bitcoin Core, src/test/pow_tests.cpp: get_next_work, get_next_work_lower_limit_actual, get_next_work_upper_limit_actual.
    [32255, 1261130161, 1262152739, 0x1d00ffff, "1d00d86a"],
    [68543, 1279008237, 1279297671, 0x1c05a3f4, "1c0168fd"],
    [46367, 1263163443, 1269211443, 0x1c387f6f, "1d00e1fd"],
  ])("behind mainnet's block %d is computed from its period", async (tip, firstTime, time, nBits, expected) => {
    const first = tip - 2015;
    const { next, rpc, total } = setting({
      network: "mainnet",
      tip,
      time,
      nBits,
      at: { [first]: { time: firstTime } },
      extra: [first],
    });
    expect(await next()).toBe(expected);
    const made = await rpc.call("getblocktemplate", [], template);
    expect(made).toMatchObject({ bits: expected, height: tip + 1, version: 0x20000000 });
    // Genesis by number and hash, the tip by info and number, ten headers, the first of the period; then the tip alone.
    expect(total()).toBeLessThanOrEqual(16);
    const before = total();
    await rpc.call("getblocktemplate", [], template);
    expect(total() - before).toBe(1);
  });

  test("is the tip's within a period, without a question", async () => {
    const { next, node } = setting({ network: "mainnet", tip: 900_000, time: 1_750_000_000, nBits: 0x17023774 });
    expect(await next()).toBe("17023774");
    expect(node.requests.get("blockByHeight")).toBe(2);
  });

  test("comes from headers alone at a node that has pruned the first block of the period", async () => {
    const tip = 32255;
    const { next, node } = setting({
      network: "mainnet",
      tip,
      from: tip - 2015,
      time: 1262152739,
      nBits: 0x1d00ffff,
      at: { [tip - 2015]: { time: 1261130161 } },
      prunedBelow: tip - 300,
    });
    expect(await next()).toBe("1d00d86a");
    expect(node.requests.get("blockHeader")).toBeGreaterThan(2000);
  });

  test("is refused when the first block of the period is of another target: it is none of this period", async () => {
    const tip = 32255;
    const { next } = setting({
      network: "mainnet",
      tip,
      time: 1262152739,
      nBits: 0x1d00ffff,
      at: { [tip - 2015]: { time: 1261130161, nBits: 0x1d00d86a } },
      extra: [tip - 2015],
    });
    await expect(next()).rejects.toMatchObject({
      code: "bllvm-target-disputed",
      data: { computed: "1d00ffff", named: "1d00d86a", nextHeight: 32256, by: "the first block of the period, 30240" },
    });
  });
});

describe("on test networks", () => {
  const tip = 50_000;
  const first = tip - (tip % 2016);
  const easy = {
    network: "testnet",
    tip,
    time: 1_700_000_000,
    nBits: 0x1d00ffff,
    at: { [first]: { nBits: 0x1b012345 } },
    extra: [first],
  } as const;

  test("twenty minutes make it the easiest, and before it is the period's, however many easy blocks there were", async () => {
    const { next, clock } = setting(easy, 1_700_000_000 + 1200);
    expect(await next()).toBe("1b012345");
    clock.advance(1000);
    expect(await next()).toBe("1d00ffff");
  });
});

describe("what the node's events say of the target", () => {
  const options = { network: "mainnet", tip: 900_000, time: 1_750_000_000, nBits: 0x17023774 } as const;

  test("is heard when it is of another block", async () => {
    const { next, node } = setting(options);
    node.emit("MiningDifficultyChanged", { oldNBits: 1, newNBits: 2, height: 899_136 });
    expect(await next()).toBe("17023774");
    node.emit("MiningDifficultyChanged", { oldNBits: 1, newNBits: 0x17023774, height: 900_000 });
    expect(await next()).toBe("17023774");
  });

  test.each([
    ["the tip", 900_000],
    ["the next block", 900_001],
  ])("stops the work when it is another one for %s", async (_name, height) => {
    const { next, node } = setting(options);
    node.emit("MiningDifficultyChanged", { oldNBits: 0x17023774, newNBits: 0x17023775, height });
    await expect(next()).rejects.toMatchObject({
      code: "bllvm-target-disputed",
      data: { computed: "17023774", named: "17023775", by: "MiningDifficultyChanged" },
    });
    // The block that it was about may be gone.
    node.emit("ChainReorg", { oldTip: new Uint8Array(32), newTip: new Uint8Array(32) });
    expect(await next()).toBe("17023774");
  });
});
