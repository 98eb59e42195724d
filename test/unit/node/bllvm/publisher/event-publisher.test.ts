/** What goes out to the node, when, and what does not. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fault } from "../../../../../src/kernel/fault.ts";
import type { BllvmPublishedEvent } from "../../../../../src/node/bllvm/bllvm-node.ts";
import {
  EventPublisher,
  type EventPublisherOptions,
  PUBLISHER_DEFAULTS,
} from "../../../../../src/node/bllvm/publisher/event-publisher.ts";
import { MemoryMeter } from "../../../../../src/ops/memory-meter.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { recordingLog } from "../../../../support/recording-log.ts";
import { ScriptedBllvmNode } from "../../../../support/scripted-bllvm-node.ts";

const never = new AbortController().signal;
const hash = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const jobEvent = (n: number) => ({ jobId: String(n), prevHash: hash(1), height: n });
const rewardEvent = (n: number) => ({ secondaryChain: "namecoin", rewardAmount: BigInt(n), blockHash: hash(2) });

/** A started publisher on a node that a test scripts. */
class Stage {
  readonly clock = new FakeClock();
  readonly node = new ScriptedBllvmNode();
  readonly log = recordingLog();
  readonly meter = new MemoryMeter();
  /** When which event was asked for. */
  readonly asked: { readonly name: string; readonly atMs: number }[] = [];
  /** What the node does; accepts at once when not said otherwise. */
  answer: (event: BllvmPublishedEvent) => Promise<void> = async () => undefined;
  readonly publisher: EventPublisher;

  constructor(options: Partial<EventPublisherOptions> = {}) {
    const { node, clock, log, meter } = this;
    node.onPublish = async (event) => {
      this.asked.push({ name: event.name, atMs: clock.monotonicMs() });
      await this.answer(event);
    };
    this.publisher = new EventPublisher(
      { node, clock, log, meter },
      { ...PUBLISHER_DEFAULTS, enabled: true, shareEventsPerS: 5, ...options },
    );
  }

  static async started(options: Partial<EventPublisherOptions> = {}): Promise<Stage> {
    const stage = new Stage(options);
    await stage.publisher.start(never);
    return stage;
  }

  /** Lets `ms` pass, and what is under way go on. */
  async pass(ms: number, stepMs = 25): Promise<void> {
    await settled();
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await settled();
    }
  }

  names(): string[] {
    return this.node.published.map(({ name }) => name);
  }

  rewards(): bigint[] {
    return this.node.published.flatMap(({ event }) => ("rewardAmount" in event ? [event.rewardAmount] : []));
  }

  leftOut(): Readonly<Record<string, number>> {
    return this.meter.byLabel("bllvm_events_left_out_total");
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}

describe("what goes out", () => {
  test("each event as the node wants it", async () => {
    const stage = await Stage.started();
    const { publisher } = stage;
    publisher.reward(rewardEvent(7));
    publisher.poolConnected({ poolUrl: "stratum2+tcp://p:3333", poolId: undefined });
    publisher.poolDisconnected({ poolUrl: "stratum2+tcp://q:3333", reason: "eof" });
    publisher.job(jobEvent(3));
    publisher.share(3, hash(9), "alice.rig");
    await stage.pass(2000);
    expect(stage.node.published).toEqual([
      { name: "MergeMiningReward", event: rewardEvent(7) },
      { name: "MiningPoolConnected", event: { poolUrl: "stratum2+tcp://p:3333", poolId: undefined } },
      { name: "MiningPoolDisconnected", event: { poolUrl: "stratum2+tcp://q:3333", reason: "eof" } },
      { name: "MiningJobCreated", event: jobEvent(3) },
      { name: "ShareSubmitted", event: { jobId: "3", shareHash: hash(9), minerId: "alice.rig" } },
    ]);
    expect(stage.meter.byLabel("bllvm_events_published_total")).toEqual({
      MergeMiningReward: 1,
      MiningPoolConnected: 1,
      MiningPoolDisconnected: 1,
      MiningJobCreated: 1,
      ShareSubmitted: 1,
    });
  });

  test("rewards and pools go before jobs, jobs before shares, one request at a time", async () => {
    const stage = await Stage.started();
    const answers: (() => void)[] = [];
    stage.answer = () => new Promise((resolve) => answers.push(resolve));
    const { publisher } = stage;
    publisher.share(1, hash(1), "alice");
    await stage.pass(1000);
    expect(stage.asked.map(({ name }) => name)).toEqual(["ShareSubmitted"]);
    publisher.share(1, hash(1), "alice");
    publisher.job(jobEvent(1));
    publisher.poolConnected({ poolUrl: "a", poolId: undefined });
    publisher.reward(rewardEvent(1));
    await stage.pass(1500);
    expect(stage.asked).toHaveLength(1);
    for (let i = 0; i < 5; i++) {
      answers.shift()?.();
      await stage.pass(100);
      expect(answers.length).toBeLessThanOrEqual(1);
    }
    const order = ["ShareSubmitted", "MergeMiningReward", "MiningPoolConnected", "MiningJobCreated", "ShareSubmitted"];
    expect(stage.asked.map(({ name }) => name)).toEqual(order);
  });

  test("of jobs that come faster than two a second only the newest waits", async () => {
    const stage = await Stage.started();
    for (let n = 0; n < 20; n++) {
      stage.publisher.job(jobEvent(n));
      await stage.pass(50);
    }
    await stage.pass(1000);
    const heights = stage.node.published.map(({ event }) => ("height" in event ? event.height : -1));
    // At 0 ms, at 500, and the last.
    expect(heights).toEqual([0, 9, 19]);
    expect(stage.leftOut()).toEqual({ "MiningJobCreated,replaced": 17 });
    const [first, second, third] = stage.asked.map(({ atMs }) => atMs);
    expect(second! - first!).toBeGreaterThanOrEqual(500);
    expect(third! - second!).toBeGreaterThanOrEqual(500);
  });

  test("of many miners five a second, each in its turn, the rest counted", async () => {
    const stage = await Stage.started({ shareEventsPerS: 5 });
    const miners = Array.from({ length: 20 }, (_, i) => `m${i}`);
    for (let second = 0; second < 8; second++) {
      for (const miner of miners) stage.publisher.share(1, hash(3), miner);
      await stage.pass(1000);
    }
    const told = stage.node.published.flatMap(({ event }) => ("minerId" in event ? [event.minerId] : []));
    expect(told.length).toBeGreaterThanOrEqual(34);
    expect(told.length).toBeLessThanOrEqual(40);
    // Nobody was told of twice before everybody was once.
    expect(new Set(told.slice(0, 20)).size).toBe(20);
    const { "ShareSubmitted,rate": left = 0 } = stage.leftOut();
    expect(told.length + left + stage.publisher.held).toBe(8 * 20);
  });

  test("less than one share a second can be asked for, and none at all", async () => {
    const seldom = await Stage.started({ shareEventsPerS: 0.5 });
    const none = await Stage.started({ shareEventsPerS: 0 });
    for (const stage of [seldom, none]) {
      for (let i = 0; i < 100; i++) {
        stage.publisher.share(1, hash(3), "alice");
        await stage.pass(100);
      }
    }
    expect(seldom.node.published).toHaveLength(5);
    expect(none.node.published).toEqual([]);
    expect(none.publisher.held).toBe(0);
  });

  test("a long name is cut between characters, no name is none", async () => {
    const stage = await Stage.started();
    stage.publisher.share(1, hash(1), `${"a".repeat(127)}\u{1f600}${"b".repeat(100)}`);
    stage.publisher.share(1, hash(1), "");
    await stage.pass(2000);
    const told = stage.node.published.map(({ event }) => ("minerId" in event ? event.minerId : "?"));
    expect(new Set(told)).toEqual(new Set(["a".repeat(127), undefined]));
  });

  test("a share's hash is as it was when it came", async () => {
    const stage = await Stage.started();
    const bytes = hash(4);
    stage.publisher.share(1, bytes, "alice");
    bytes.fill(0);
    await stage.pass(1500);
    expect(stage.node.published).toMatchObject([{ event: { shareHash: hash(4) } }]);
  });
});

describe("a node that is away", () => {
  test("rewards and the newest job wait for it, shares do not", async () => {
    const stage = await Stage.started();
    stage.node.become({ phase: "down" });
    for (let n = 0; n < 5; n++) stage.publisher.reward(rewardEvent(n));
    stage.publisher.job(jobEvent(1));
    stage.publisher.share(1, hash(1), "alice");
    await stage.pass(5000);
    expect(stage.asked).toEqual([]);
    expect(stage.meter.total("bllvm_events_waiting")).toBe(5);
    stage.node.become({ phase: "starving" });
    await stage.pass(1000);
    expect(stage.asked).toEqual([]);
    stage.node.become({ phase: "up" });
    await stage.pass(1000);
    expect(stage.rewards()).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(stage.names().filter((name) => name !== "MergeMiningReward")).toEqual(["MiningJobCreated"]);
    expect(stage.leftOut()).toEqual({ "ShareSubmitted,away": 1 });
    expect(stage.meter.total("bllvm_events_waiting")).toBe(0);
  });

  test("shares that waited when it went are dropped; rewards and the newest job go out when it is back", async () => {
    const stage = await Stage.started();
    stage.answer = () => new Promise(() => undefined);
    stage.publisher.poolConnected({ poolUrl: "a", poolId: undefined });
    stage.publisher.job(jobEvent(1));
    stage.publisher.share(1, hash(1), "alice");
    stage.publisher.reward(rewardEvent(1));
    stage.node.become({ phase: "down" });
    stage.publisher.job(jobEvent(2));
    expect(stage.publisher.held).toBe(2);
    expect(stage.leftOut()).toEqual({ "MiningJobCreated,replaced": 1, "ShareSubmitted,away": 1 });
  });

  test("that takes events at last hears of the job that miners have", async () => {
    const stage = await Stage.started();
    stage.answer = async () => {
      stage.node.become({ phase: "down" });
      throw new Fault("bllvm-request-unusable", { request: "PublishEvent" });
    };
    stage.publisher.job(jobEvent(1));
    await stage.pass(1000);
    stage.publisher.job(jobEvent(2));
    expect(stage.publisher.held).toBe(0);
    stage.answer = async () => undefined;
    const before = stage.asked.length;
    stage.node.become({ phase: "up", unusable: [] });
    await stage.pass(1000);
    expect(stage.node.published.map(({ event }) => event)).toEqual([jobEvent(2)]);
    // Once.
    stage.node.become({ phase: "down" });
    stage.node.become({ phase: "up" });
    await stage.pass(60_000);
    expect(stage.asked).toHaveLength(before + 1);
  });

  test("a job made before there is a node is told once there is one", async () => {
    const stage = await Stage.started();
    stage.node.become({ phase: "down" });
    stage.publisher.job(jobEvent(1));
    await stage.pass(60_000);
    stage.node.become({ phase: "up" });
    await stage.pass(1000);
    expect(stage.names()).toEqual(["MiningJobCreated"]);
  });

  test("a thousand rewards wait, then the oldest goes, and one line says so", async () => {
    const stage = await Stage.started();
    stage.node.become({ phase: "down" });
    for (let n = 0; n < 1500; n++) stage.publisher.reward(rewardEvent(n));
    expect(stage.publisher.held).toBe(1000);
    stage.node.become({ phase: "up" });
    await stage.pass(1100 * 25);
    expect(stage.rewards()).toEqual(Array.from({ length: 1000 }, (_, i) => BigInt(500 + i)));
    expect(stage.leftOut()).toEqual({ "MergeMiningReward,full": 500 });
    const warnings = stage.log.lines.filter(({ level }) => level === "warn");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.message).toContain("more than 1000 rewards wait");
  });

  test("a reward whose request ended with the connection goes out again", async () => {
    const stage = await Stage.started();
    let closed = 0;
    stage.answer = async () => {
      closed += 1;
      if (closed > 2) return;
      stage.node.become({ phase: "down" });
      throw new Fault("bllvm-request-closed");
    };
    stage.publisher.reward(rewardEvent(1));
    stage.publisher.reward(rewardEvent(2));
    await stage.pass(100);
    stage.node.become({ phase: "up" });
    await stage.pass(100);
    stage.node.become({ phase: "up" });
    await stage.pass(100);
    expect(stage.rewards()).toEqual([1n, 2n]);
  });

  test.each([
    ["away", new Fault("bllvm-away")],
    ["late", new Fault("node-timeout")],
  ])("an answer that is %s has a reward wait longer each time", async (_what, fault) => {
    const stage = await Stage.started();
    stage.answer = () => Promise.reject(fault);
    stage.publisher.reward(rewardEvent(1));
    await stage.pass(8000, 250);
    const times = stage.asked.map(({ atMs }) => atMs);
    expect(times).toEqual([0, 1000, 3000, 7000]);
    expect(stage.publisher.held).toBe(1);
  });
});

describe("a node that takes no events", () => {
  test("from the first refusal on nothing is queued, which is said once", async () => {
    const stage = await Stage.started();
    stage.answer = () => Promise.reject(new Fault("bllvm-request-unusable"));
    stage.publisher.reward(rewardEvent(1));
    await stage.pass(100);
    stage.publisher.reward(rewardEvent(2));
    stage.publisher.job(jobEvent(1));
    stage.publisher.share(1, hash(1), "alice");
    stage.node.become({ phase: "down" });
    stage.node.become({ phase: "up", unusable: ["PublishEvent"] });
    stage.publisher.reward(rewardEvent(3));
    await stage.pass(5000);
    expect(stage.asked).toHaveLength(1);
    expect(stage.publisher.held).toBe(0);
    const said = stage.log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("no events are published");
  });

  test("one that is said to be unusable before anything was sent is not asked", async () => {
    const stage = new Stage();
    stage.node.become({ unusable: ["PublishEvent"] });
    await stage.publisher.start(never);
    stage.publisher.reward(rewardEvent(1));
    await stage.pass(1000);
    expect(stage.asked).toEqual([]);
    expect(stage.leftOut()).toEqual({ "MergeMiningReward,off": 1 });
  });

  test("a node that takes them after all gets them", async () => {
    const stage = await Stage.started();
    stage.node.become({ unusable: ["PublishEvent"] });
    stage.node.become({ unusable: [] });
    stage.publisher.reward(rewardEvent(1));
    await stage.pass(100);
    expect(stage.rewards()).toEqual([1n]);
  });

  test("publish_events = false: nothing is taken, nobody is asked, one line says why", async () => {
    const stage = await Stage.started({ enabled: false });
    stage.publisher.reward(rewardEvent(1));
    stage.publisher.job(jobEvent(1));
    stage.publisher.share(1, hash(1), "alice");
    await stage.pass(3000);
    expect(stage.asked).toEqual([]);
    expect(stage.publisher.held).toBe(0);
    expect(stage.node.listeners).toBe(0);
    expect(stage.log.lines.map(({ message }) => message)).toEqual([
      "no events are published to the node's modules: bllvm.publish_events is false",
    ]);
    await stage.publisher.stop();
  });

  test("an event that the node refuses three times in words is given up, and the next one goes out", async () => {
    const stage = await Stage.started();
    stage.answer = (event) =>
      "rewardAmount" in event.event && event.event.rewardAmount === 1n
        ? Promise.reject(new Fault("bllvm-request-failed", { words: "no such event" }))
        : Promise.resolve();
    stage.publisher.reward(rewardEvent(1));
    stage.publisher.reward(rewardEvent(2));
    await stage.pass(10_000, 250);
    expect(stage.asked).toHaveLength(4);
    expect(stage.rewards()).toEqual([2n]);
    expect(stage.leftOut()).toEqual({ "MergeMiningReward,failed": 1 });
  });

  test("an event that cannot be written at all holds up no other", async () => {
    const stage = await Stage.started();
    stage.node.publish = (event) => {
      if ("rewardAmount" in event.event && event.event.rewardAmount === 1n) throw new TypeError("not a u64");
      stage.node.published.push(event);
      return Promise.resolve();
    };
    stage.publisher.reward(rewardEvent(1));
    stage.publisher.reward(rewardEvent(2));
    await stage.pass(1000);
    expect(stage.rewards()).toEqual([2n]);
    expect(stage.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });
});

describe("stop", () => {
  test("rewards that can go out still do, the rest is not waited for", async () => {
    const stage = await Stage.started();
    for (let n = 0; n < 3; n++) stage.publisher.reward(rewardEvent(n));
    stage.publisher.job(jobEvent(1));
    stage.publisher.share(1, hash(1), "alice");
    const stopped = stage.publisher.stop();
    await stage.pass(200);
    await stopped;
    expect(stage.rewards()).toEqual([0n, 1n, 2n]);
    expect(stage.names()).not.toContain("ShareSubmitted");
    expect(stage.node.listeners).toBe(0);
    expect(stage.clock.pending).toBe(0);
    stage.publisher.reward(rewardEvent(9));
    await stage.pass(1000);
    expect(stage.rewards()).toHaveLength(3);
  });

  test("a node that says nothing holds it up for a second at most", async () => {
    const stage = await Stage.started();
    stage.answer = () => new Promise(() => undefined);
    for (let n = 0; n < 3; n++) stage.publisher.reward(rewardEvent(n));
    let stopped = false;
    void stage.publisher.stop().then(() => {
      stopped = true;
    });
    await stage.pass(975);
    expect(stopped).toBe(false);
    await stage.pass(50);
    expect(stopped).toBe(true);
    expect(stage.leftOut()).toMatchObject({ "MergeMiningReward,away": 2 });
  });
});

describe("any storm of events", () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("share" as const), miner: fc.nat(30), count: fc.nat(200) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("job" as const), count: fc.nat(20) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("reward" as const), count: fc.nat(60) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("pool" as const), count: fc.nat(30) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass" as const), count: fc.nat(3000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("away" as const), count: fc.nat(0) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("back" as const), count: fc.nat(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("trouble" as const), count: fc.nat(3) }) },
  );

  test("at most 50 requests in any second, no reward lost that there was room for, memory bounded", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom(1, 5, 40), async (steps, shareEventsPerS) => {
        const bounds = { maxRewards: 50, maxMiners: 10, maxPools: 3 };
        const stage = await Stage.started({ shareEventsPerS, ...bounds });
        let [sent, troubles] = [0, 0];
        stage.answer = async () => {
          if (troubles === 0) return;
          troubles -= 1;
          stage.node.become({ phase: "down" });
          throw new Fault("bllvm-request-closed");
        };
        for (const { kind, count, ...more } of steps) {
          if (kind === "pass") await stage.pass(count, 100);
          else if (kind === "away") stage.node.become({ phase: "down" });
          else if (kind === "back") stage.node.become({ phase: "up" });
          else if (kind === "trouble") troubles += count;
          for (let i = 0; i < count && kind !== "pass" && kind !== "trouble"; i++) {
            if (kind === "share") stage.publisher.share(1, hash(i), `m${"miner" in more ? more.miner : 0}/${i % 7}`);
            else if (kind === "job") stage.publisher.job(jobEvent(i));
            else if (kind === "reward") stage.publisher.reward(rewardEvent(sent++));
            else if (kind === "pool") stage.publisher.poolConnected({ poolUrl: `p${i}`, poolId: undefined });
            // Rewards, pools, two intervals' miners, one job.
            expect(stage.publisher.held).toBeLessThanOrEqual(50 + 3 + 2 * 10 + 1);
          }
          await settled();
        }
        troubles = 0;
        stage.node.become({ phase: "up" });
        await stage.pass(60 * 25 + 2000);
        const { "MergeMiningReward,full": lost = 0 } = stage.leftOut();
        // Each once, in their order: no answer was lost behind an event that was taken.
        const published = stage.rewards();
        expect(published.length + lost).toBe(sent);
        expect(published).toEqual([...published].sort((a, b) => Number(a - b)));
        const times = stage.asked.map(({ atMs }) => atMs);
        times.forEach((atMs, i) => {
          const before = times[i - 50];
          if (before !== undefined) expect(atMs - before).toBeGreaterThanOrEqual(1000);
        });
        const shares = stage.asked.filter(({ name }) => name === "ShareSubmitted").map(({ atMs }) => atMs);
        shares.forEach((atMs, i) => {
          if (i > 0) expect(atMs - (shares[i - 1] ?? 0)).toBeGreaterThanOrEqual(1000 / shareEventsPerS - 1e-6);
        });
      }),
      { numRuns: 60 },
    );
  });
});
