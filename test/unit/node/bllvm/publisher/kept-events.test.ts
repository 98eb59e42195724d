/** Events that outlive a node that is away. */
import { describe, expect, test } from "vitest";
import type { BllvmPublishedEvent } from "../../../../../src/node/bllvm/bllvm-node.ts";
import { KeptEvents } from "../../../../../src/node/bllvm/publisher/kept-events.ts";

const reward = (n: number): BllvmPublishedEvent => ({
  name: "MergeMiningReward",
  event: { secondaryChain: "namecoin", rewardAmount: BigInt(n), blockHash: new Uint8Array(32) },
});
const connected = (poolUrl: string): BllvmPublishedEvent => ({
  name: "MiningPoolConnected",
  event: { poolUrl, poolId: undefined },
});
const disconnected = (poolUrl: string): BllvmPublishedEvent => ({
  name: "MiningPoolDisconnected",
  event: { poolUrl, reason: "eof" },
});
const all = (kept: KeptEvents): BllvmPublishedEvent[] => {
  const events: BllvmPublishedEvent[] = [];
  for (let next = kept.take(); next !== undefined; next = kept.take()) events.push(next.event);
  return events;
};

describe("kept events", () => {
  test("rewards in their order, then of each pool what is true now", () => {
    const kept = new KeptEvents({}, { maxRewards: 10, maxPools: 10 });
    expect(kept.add(connected("a"))).toEqual([]);
    expect(kept.add(reward(1))).toEqual([]);
    expect(kept.add(connected("b"))).toEqual([]);
    expect(kept.add(disconnected("a"))).toEqual(["MiningPoolConnected"]);
    expect(kept.add(reward(2))).toEqual([]);
    expect(kept.size).toBe(4);
    expect(all(kept)).toEqual([reward(1), reward(2), connected("b"), disconnected("a")]);
  });

  test("at the bound the oldest goes", () => {
    const kept = new KeptEvents({}, { maxRewards: 1000, maxPools: 2 });
    for (let n = 0; n < 1000; n++) expect(kept.add(reward(n))).toEqual([]);
    expect(kept.add(reward(1000))).toEqual(["MergeMiningReward"]);
    for (const url of ["a", "b"]) kept.add(connected(url));
    expect(kept.add(connected("c"))).toEqual(["MiningPoolConnected"]);
    expect(kept.size).toBe(1002);
    const [first, ...others] = all(kept);
    expect(first).toEqual(reward(1));
    expect(others.slice(-2)).toEqual([connected("b"), connected("c")]);
  });

  test("what is put back comes first again, unless newer ones took its place", () => {
    const kept = new KeptEvents({}, { maxRewards: 2, maxPools: 1 });
    kept.add(reward(1));
    kept.add(reward(2));
    const first = kept.take()!;
    expect(kept.putBack(first)).toBe(true);
    const again = kept.take()!;
    expect(again).toBe(first);
    kept.add(reward(3));
    expect(kept.putBack(again)).toBe(false);
    expect(all(kept)).toEqual([reward(2), reward(3)]);
    kept.add(connected("a"));
    const pool = kept.take()!;
    kept.add(disconnected("a"));
    expect(kept.putBack(pool)).toBe(false);
    expect(all(kept)).toEqual([disconnected("a")]);
  });

  test("clear names what it forgets", () => {
    const kept = new KeptEvents({}, { maxRewards: 2, maxPools: 1 });
    kept.add(connected("a"));
    kept.add(reward(1));
    expect(kept.clear()).toEqual(["MergeMiningReward", "MiningPoolConnected"]);
    expect(kept.size).toBe(0);
  });
});
