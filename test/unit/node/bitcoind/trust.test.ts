import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fault } from "../../../../src/kernel/fault.ts";
import {
  type Candidate,
  checkNetwork,
  choose,
  isBehind,
  judge,
  type NodeFacts,
  type TrustOptions,
} from "../../../../src/node/bitcoind/trust.ts";

const nowMs = 1_700_000_000_000;
const now = { nowMs, monotonicMs: 100_000 };
const options: TrustOptions = { network: "mainnet", lagMs: 3_000, catchUpMs: 30_000, staleTipMs: 5_400_000 };
const tip = { hash: "aa", height: 800_000, chainwork: 100n, timeS: nowMs / 1000 - 60 };
const healthy: NodeFacts = {
  node: "core",
  fault: undefined,
  known: true,
  chain: "main",
  version: "/Satoshi:31.1.0/",
  headers: 800_000,
  initialBlockDownload: false,
  connections: 10,
  tip,
  latencyMs: 1,
  clockOffsetMs: 200,
  catchingUpSinceMs: undefined,
  behindSinceMs: undefined,
};
const verdict = (change: Partial<NodeFacts>, more: Partial<TrustOptions> = {}) => {
  const { trust, fault, warnings } = judge({ ...healthy, ...change }, { ...options, ...more }, now);
  return [trust, fault?.code, ...warnings.map(({ code }) => code)];
};

describe("the judgement of a node", () => {
  test("trusts one that is well", () => {
    expect(verdict({})).toEqual(["trusted", undefined]);
  });

  test("uses none that failed or was never asked", () => {
    const fault = new Fault("node-refused");
    expect(verdict({ fault })).toEqual(["unusable", "node-refused"]);
    expect(verdict({ known: false })).toEqual(["unusable", undefined]);
    expect(verdict({ tip: undefined })).toEqual(["unusable", undefined]);
  });

  test("during the initial download uses none on mainnet, prefers others on test networks, does not mind on regtest", () => {
    const change = { initialBlockDownload: true };
    expect(verdict(change)).toEqual(["unusable", "node-syncing"]);
    expect(verdict(change, { network: "testnet4" })).toEqual(["doubtful", "node-syncing"]);
    expect(verdict(change, { network: "regtest" })).toEqual(["trusted", undefined]);
  });

  test("without peers uses none on mainnet, warns on test networks, does not mind on regtest", () => {
    const change = { connections: 0 };
    expect(verdict(change)).toEqual(["unusable", "node-no-peers"]);
    expect(verdict(change, { network: "signet" })).toEqual(["trusted", undefined, "node-no-peers"]);
    expect(verdict(change, { network: "regtest" })).toEqual(["trusted", undefined]);
    expect(verdict({ connections: undefined })).toEqual(["trusted", undefined]);
  });

  test("doubts one that lags behind another, but only after a grace for the block to spread", () => {
    expect(verdict({ behindSinceMs: now.monotonicMs - 2_999 })).toEqual(["trusted", undefined]);
    expect(verdict({ behindSinceMs: now.monotonicMs - 3_000 })).toEqual(["doubtful", "node-behind"]);
  });

  test("doubts one whose headers are ahead of its blocks for long", () => {
    expect(verdict({ headers: 800_005, catchingUpSinceMs: now.monotonicMs - 29_999 })).toEqual(["trusted", undefined]);
    const late = judge({ ...healthy, headers: 800_005, catchingUpSinceMs: now.monotonicMs - 30_000 }, options, now);
    expect(late.trust).toBe("doubtful");
    expect(late.fault?.message).toContain("height 800000, headers 800005");
  });

  test("names a tip that is old, or in the future, and clocks that differ", () => {
    const old = { ...tip, timeS: nowMs / 1000 - 5_401 };
    expect(verdict({ tip: old })).toEqual(["trusted", undefined, "node-tip-old"]);
    expect(verdict({ tip: old }, { network: "regtest" })).toEqual(["trusted", undefined]);
    expect(verdict({ tip: { ...tip, timeS: nowMs / 1000 + 7_201 } })).toEqual(["trusted", undefined, "node-clock"]);
    expect(verdict({ clockOffsetMs: -60_001 })).toEqual(["trusted", undefined, "node-clock"]);
    expect(verdict({ tip: { ...tip, timeS: undefined } })).toEqual(["trusted", undefined]);
    const words = judge({ ...healthy, tip: old }, options, now).warnings[0];
    expect(words?.message).toContain("height 800000, minutes 90");
    expect(words?.help).toContain("clocks of both machines");
  });
});

describe("the better chain", () => {
  test("is the one with more work, whatever its height", () => {
    expect(isBehind(tip, { ...tip, hash: "bb", chainwork: 101n, height: 799_999 })).toBe(true);
    expect(isBehind(tip, { ...tip, hash: "bb", chainwork: 100n, height: 800_001 })).toBe(false);
    expect(isBehind(tip, tip)).toBe(false);
  });

  test("is the higher one where a node does not tell its work", () => {
    expect(isBehind(tip, { ...tip, hash: "bb", chainwork: undefined, height: 800_001 })).toBe(true);
    expect(isBehind(tip, { ...tip, hash: "bb", chainwork: undefined })).toBe(false);
  });
});

describe("the choice", () => {
  const at = { failbackMs: 60_000, monotonicMs: 100_000 };
  const node = (trust: Candidate["trust"], forMs?: number): Candidate => ({
    trust,
    trustedSinceMs: forMs === undefined ? undefined : at.monotonicMs - forMs,
  });

  test("at first is the first trusted node in order of preference", () => {
    expect(choose([node("trusted", 0), node("trusted", 0)], undefined, at)).toBe(0);
    expect(choose([node("unusable"), node("trusted", 0)], undefined, at)).toBe(1);
  });

  test("is a doubtful node only when none is trusted", () => {
    expect(choose([node("doubtful"), node("trusted", 0)], undefined, at)).toBe(1);
    expect(choose([node("unusable"), node("doubtful")], undefined, at)).toBe(1);
    expect(choose([node("unusable"), node("unusable")], 0, at)).toBeUndefined();
    // And among doubtful ones there is no reason to move.
    expect(choose([node("doubtful"), node("doubtful")], 1, at)).toBe(1);
  });

  test("leaves a node at once when it fails or falls behind", () => {
    expect(choose([node("unusable"), node("trusted", 0)], 0, at)).toBe(1);
    expect(choose([node("doubtful"), node("trusted", 0)], 0, at)).toBe(1);
  });

  test("goes back to a preferred node only after it was well for long enough", () => {
    expect(choose([node("trusted", 59_999), node("trusted", 90_000)], 1, at)).toBe(1);
    expect(choose([node("trusted", 60_000), node("trusted", 90_000)], 1, at)).toBe(0);
    expect(choose([node("trusted", 10), node("trusted", 60_000), node("trusted", 99_000)], 2, at)).toBe(1);
  });

  test("when the active one fails takes one that has proved itself before one that has just come back", () => {
    expect(choose([node("trusted", 10), node("trusted", 60_000), node("unusable")], 2, at)).toBe(1);
    expect(choose([node("trusted", 10), node("trusted", 20), node("unusable")], 2, at)).toBe(0);
  });

  const candidates = fc.array(
    fc.record({
      trust: fc.constantFrom("trusted", "doubtful", "unusable"),
      forMs: fc.integer({ min: 0, max: 100_000 }),
    }),
    { minLength: 1, maxLength: 5 },
  );

  test("is never worse than the best there is, and does not move without a reason", () => {
    fc.assert(
      fc.property(candidates, fc.option(fc.nat(4), { nil: undefined }), (drawn, drawnActive) => {
        const nodes = drawn.map(({ trust, forMs }) =>
          node(trust as Candidate["trust"], trust === "trusted" ? forMs : undefined),
        );
        const active = drawnActive === undefined || drawnActive >= nodes.length ? undefined : drawnActive;
        const chosen = choose(nodes, active, at);
        const best = ["trusted", "doubtful"].find((trust) => nodes.some((candidate) => candidate.trust === trust));
        expect(chosen === undefined ? undefined : nodes[chosen]?.trust).toBe(best);
        // Asked again it says the same: no flapping.
        expect(choose(nodes, chosen, at)).toBe(chosen);
      }),
    );
  });
});

describe("the network", () => {
  const genesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

  test("of a node must be the configured one, by name and by genesis block", () => {
    expect(() => checkNetwork("n", "main", genesis, "mainnet")).not.toThrow();
    expect(() => checkNetwork("n", "main", undefined, "mainnet")).not.toThrow();
    expect(() => checkNetwork("n", "test", genesis, "mainnet")).toThrow("configured mainnet, found testnet");
    expect(() => checkNetwork("n", "regtest", genesis, "mainnet")).toThrow("found regtest");
    // Namecoin calls its network main, too.
    const namecoin = "000000000062b72c5e2ceb45fbc8587e807c155b0da735e6483dfba2f0a9c770";
    expect(() => checkNetwork("n", "main", namecoin, "mainnet")).toThrow("found another coin");
  });
});
