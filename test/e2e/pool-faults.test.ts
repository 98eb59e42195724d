/**
 * Pools that are killed, hang, refuse, send garbage and change extranonces and targets, while miners of every kind mine: none is disconnected, each
 * move costs one clean job, and no share is credited to the wrong pool, twice, or not at all.
 */
import { describe, expect, test } from "vitest";
import { targetToBytes } from "../../src/bitcoin/target.ts";
import { allowListAuthoriser } from "../../src/pool/authoriser.ts";
import { BusyMiner, type BusyOptions, flagsOf } from "../support/busy-miner.ts";
import { makeTemplate } from "../support/fake-chain.ts";
import { encodeMessage, type Fields } from "../support/messages.ts";
import { type PoolLevel, type PoolLevelOptions, poolLevel } from "../support/pool-level.ts";
import { RoughProxy } from "../support/rough-proxy.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { replaceBy, sniff } from "../support/sniffer.ts";
import { until } from "../support/until.ts";

const ONE_BY_ONE = { ackBatchSize: 1 };
const KINDS: readonly BusyOptions["kind"][] = ["extended", "group", "standard"];
/** A pool that is silent for so long hangs; the test servers answer shares at once. */
const IDLE_MS = 1200;
const FAILBACK_MS = 250;

const pool = (): Promise<TestServer> => startServer({ mining: ONE_BY_ONE });

/** Miners of every kind on a level. */
async function miners(level: PoolLevel): Promise<BusyMiner[]> {
  const all: BusyMiner[] = [];
  for (const kind of KINDS) {
    const miner = await level.miner(flagsOf(kind));
    all.push(await BusyMiner.start(miner, { kind, channels: 1, userIdentity: `farm.${kind}`, pauseMs: 5 }));
  }
  return all;
}

const mineOn = (all: readonly BusyMiner[], shares = 5): Promise<unknown> =>
  Promise.all(all.map((busy) => busy.mineOn(shares)));

/** Ends mining, and checks what holds whatever happened: nobody was disconnected, and each of `moves` cost one clean job. */
async function stopped(all: readonly BusyMiner[], moves: number): Promise<void> {
  await Promise.all(all.map((busy) => busy.stop()));
  for (const { refused, prevHashes } of all) {
    // A share on its way while the job changed is late, and is told so as on every new block.
    expect(refused.filter((code) => code !== "stale-share")).toEqual([]);
    expect(prevHashes).toBe(1 + moves);
  }
}

/** Every share that was credited for a pool's jobs is one that this pool accepted, or that nobody answered. */
function checkCredit(level: PoolLevel, pools: Readonly<Record<string, TestServer>>, all: readonly BusyMiner[]): void {
  let credited = 0;
  for (const [name, { credits }] of Object.entries(pools)) {
    const ours = level.credits.filter((credit) => credit.pool === name).length;
    const answers = (answer: string): number => level.meter.byLabel("shares_forwarded_total")[`${name},${answer}`] ?? 0;
    const [accepted, unknown] = [answers("accepted"), answers("unanswered") + answers("unsent")];
    expect(ours, name).toBe(accepted + unknown);
    expect(credits.length, name).toBeGreaterThanOrEqual(accepted);
    expect(credits.length, name).toBeLessThanOrEqual(accepted + unknown);
    credited += ours;
  }
  expect(level.credits.filter((credit) => credit.pool !== undefined).length).toBe(credited);
  expect(all.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(level.credits.length);
}

const LEVEL: Pick<PoolLevelOptions, "failbackMs" | "idleTimeoutMs" | "mining"> = {
  failbackMs: FAILBACK_MS,
  idleTimeoutMs: IDLE_MS,
  mining: ONE_BY_ONE,
};

describe.each(["aggregated", "per_miner"] as const)("a pool, %s,", (channels) => {
  test.each([
    ["killed", (proxy: RoughProxy) => proxy.kill()],
    ["hung", (proxy: RoughProxy) => proxy.hang()],
    ["sending garbage", (proxy: RoughProxy) => proxy.spoil(seededRandom(5).bytes(300))],
  ])("that is %s is left for the next, and mined for again when it is back", async (_what, fault) => {
    const [a, b] = [await pool(), await pool()];
    const proxy = await RoughProxy.start(a.address);
    const level = await poolLevel({ ...LEVEL, pools: [proxy.address, b.address], channels });
    await level.minesFor("a");
    const all = await miners(level);
    await mineOn(all);
    fault(proxy);
    await level.minesFor("b");
    await mineOn(all);
    proxy.recover();
    await level.minesFor("a");
    await mineOn(all);
    await stopped(all, 2);
    checkCredit(level, { a, b }, all);
    expect(level.links).toEqual(["+a", "-a", "+b", "-b", "+a"]);
    expect(level.lines.some((line) => line.startsWith("warn: lost pool a: "))).toBe(true);
  });
});

describe("a pool that refuses", () => {
  test("the connection is passed over, and its words are in the log", async () => {
    const [a, b] = [await pool(), await pool()];
    const refusal = replaceBy("SetupConnectionError", { flags: 4, errorCode: "unsupported-feature-flags" });
    const middle = await sniff(a, { direction: "toDownstream", name: "SetupConnectionSuccess", action: refusal });
    const level = await poolLevel({ ...LEVEL, pools: [middle.address, b.address] });
    await level.minesFor("b");
    const all = await miners(level);
    await mineOn(all);
    await stopped(all, 0);
    const said = level.lines.filter((line) => line.includes("unsupported-feature-flags"));
    expect(said.filter((line) => line.startsWith("warn"))).toEqual([
      expect.stringMatching(/^warn: pool a does not work: .*version_rolling_mask/),
    ]);
  });

  test("the user is passed over, and its words are in the log", async () => {
    const a = await startServer({ authoriser: allowListAuthoriser(["somebody"]) });
    const b = await pool();
    const level = await poolLevel({ ...LEVEL, pools: [a.address, b.address] });
    await level.minesFor("b");
    const all = await miners(level);
    await mineOn(all);
    await stopped(all, 0);
    expect(level.lines.filter((line) => line.startsWith("warn") && line.includes("unknown-user"))).toEqual([
      expect.stringMatching(/^warn: pool a does not work: .*`user` in \[upstream\]/),
    ]);
  });
});

describe("under load", () => {
  test("a pool that sends us to another of its hosts is followed, with one clean job", async () => {
    const template = makeTemplate({ height: 840_000, prevHash: seededRandom(4).bytes(32) });
    const [a, elsewhere, b] = [await startServer({ mining: ONE_BY_ONE, template }), await pool(), await pool()];
    const [newHost = "", newPort] = elsewhere.address.split(":");
    let isMoving = false;
    const middle = await sniff(a, {
      direction: "toDownstream",
      name: "NewExtendedMiningJob",
      action: ({ value }) => [
        isMoving
          ? encodeMessage("Reconnect", { newHost, newPort: Number(newPort) })
          : encodeMessage("NewExtendedMiningJob", value as Fields<"NewExtendedMiningJob">),
      ],
    });
    const level = await poolLevel({ ...LEVEL, pools: [middle.address, b.address] });
    await level.minesFor("a");
    const all = await miners(level);
    await mineOn(all);
    isMoving = true;
    a.source.offer({ ...template, id: "another" }, "refresh");
    await until("the move", () => level.links.length === 3);
    await mineOn(all);
    await stopped(all, 1);
    expect(level.links).toEqual(["+a", "-a", "+a"]);
    expect(b.credits).toEqual([]);
    expect(elsewhere.credits.length).toBeGreaterThan(0);
    expect(level.credits.length).toBeGreaterThanOrEqual(a.credits.length + elsewhere.credits.length);
  });

  test("a pool with another extranonce is one clean job and another prefix", async () => {
    const [a, b] = [await pool(), await pool()];
    const other = await poolLevel({ pools: [b.address], rollableBytes: 12, mining: ONE_BY_ONE });
    await other.minesFor("a");
    const proxy = await RoughProxy.start(a.address);
    const middle = await poolLevel({ ...LEVEL, pools: [proxy.address, other.address] });
    await middle.minesFor("a");
    const top = await poolLevel({ pools: [middle.address], rollableBytes: 4, mining: ONE_BY_ONE });
    await top.minesFor("a");
    const [below, above] = [await miners(middle), await miners(top)];
    await mineOn([...below, ...above]);
    proxy.kill();
    await middle.minesFor("b");
    await mineOn([...below, ...above]);
    proxy.recover();
    await middle.minesFor("a");
    await mineOn([...below, ...above]);
    await stopped(below, 2);
    await stopped(above, 2);
    // 16 bytes at the one pool, 12 at the other: miners here get another prefix, those above do not even learn of it.
    expect(below.map(({ prefixes }) => prefixes)).toEqual([2, 2, 2]);
    expect(above.map(({ prefixes }) => prefixes)).toEqual([0, 0, 0]);
    expect(top.links).toEqual(["+a"]);
    expect(above.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(top.credits.length);
  });

  test("a pool that makes shares harder gets those that it wants, and all work is credited here", async () => {
    const template = makeTemplate({ height: 840_000, prevHash: seededRandom(4).bytes(32) });
    const a = await startServer({ mining: ONE_BY_ONE, template });
    let target: bigint | undefined;
    const middle = await sniff(a, {
      direction: "toDownstream",
      name: "NewExtendedMiningJob",
      action: ({ value }) => {
        const job = value as Fields<"NewExtendedMiningJob">;
        const again = encodeMessage("NewExtendedMiningJob", job);
        if (target === undefined) return [again];
        const { channelId } = job;
        return [encodeMessage("SetTarget", { channelId, maximumTarget: targetToBytes(target) }), again];
      },
    });
    const level = await poolLevel({ ...LEVEL, pools: [middle.address] });
    await level.minesFor("a");
    const all = await miners(level);
    const passed: number[] = [];
    for (const [i, bits] of [250, 246, 250].entries()) {
      target = 2n ** BigInt(bits);
      a.source.offer(makeTemplate({ height: 840_001 + i, prevHash: seededRandom(10 + i).bytes(32) }), "newBlock");
      await Promise.all(all.map((busy) => until("the job is there", () => busy.prevHashes === 2 + i)));
      await mineOn(all, 20);
      const before = [a.credits.length, level.credits.length];
      await mineOn(all, 20);
      passed.push((a.credits.length - (before[0] ?? 0)) / (level.credits.length - (before[1] ?? 0)));
    }
    await stopped(all, 3);
    // Shares here are of 2^250 and easier: what the pool wants of them is all, then one in sixteen, then all.
    expect(passed[0]).toBe(1);
    expect(passed[1]).toBeLessThan(0.4);
    expect(passed[2]).toBe(1);
    expect(level.meter.byLabel("shares_forwarded_total")["a,accepted"]).toBe(a.credits.length);
    expect(all.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(level.credits.length);
  });
});

describe("with own templates as last resort", () => {
  test("they are mined while no pool works, and their blocks are ours", async () => {
    const a = await pool();
    const proxy = await RoughProxy.start(a.address);
    const solo = makeTemplate({ height: 840_000, prevHash: seededRandom(3).bytes(32) });
    const level = await poolLevel({ ...LEVEL, pools: [proxy.address], solo });
    await level.minesFor("a");
    const all = await miners(level);
    await mineOn(all);
    proxy.kill();
    await level.minesFor("solo");
    await mineOn(all);
    proxy.recover();
    await level.minesFor("a");
    await mineOn(all);
    await stopped(all, 2);
    checkCredit(level, { a }, all);
    const own = level.credits.filter((credit) => credit.pool === undefined);
    expect(own.length).toBeGreaterThanOrEqual(15);
    expect(own.every(({ height }) => height === 840_000)).toBe(true);
  });

  test("miners with a channel of their own at the pool get them as well", async () => {
    const a = await pool();
    const proxy = await RoughProxy.start(a.address);
    const solo = makeTemplate({ height: 840_000, prevHash: seededRandom(3).bytes(32) });
    const level = await poolLevel({ ...LEVEL, pools: [proxy.address], solo, channels: "per_miner" });
    await level.minesFor("a");
    const all = await miners(level);
    await mineOn(all);
    proxy.kill();
    await level.minesFor("solo");
    const late = await BusyMiner.start(await level.miner(), { kind: "extended" });
    await mineOn([...all, late]);
    proxy.recover();
    await level.minesFor("a");
    await mineOn([...all, late]);
    await stopped(all, 2);
    await stopped([late], 1);
    checkCredit(level, { a }, [...all, late]);
  });
});
