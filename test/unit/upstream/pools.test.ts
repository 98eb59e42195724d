import { describe, expect, test } from "vitest";
import { parseServerUrl } from "../../../src/client/url.ts";
import { Bus } from "../../../src/kernel/events.ts";
import type { Job } from "../../../src/mining/job.ts";
import type { JobFeed, TemplateCause } from "../../../src/mining/ports.ts";
import type { UpstreamShare } from "../../../src/mining/upstream-ports.ts";
import type { PoolLinkEvents } from "../../../src/upstream/events.ts";
import { UpstreamFeed } from "../../../src/upstream/feed.ts";
import { UPSTREAM_POOLS_DEFAULTS, UpstreamPools, type UpstreamPoolsOptions } from "../../../src/upstream/pools.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type FakePeer, fakePeers, poolJobOf, poolNamed } from "../../support/fake-pool-peer.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { recordingMeter } from "../../support/recording-meter.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const never = new AbortController().signal;
const FAILBACK_MS = 120_000;

/** Own templates, scripted. */
class SoloJobs implements JobFeed {
  job: Job | undefined = ownJob();
  readonly #listeners = new Set<(job: Job, cause: TemplateCause) => void>();

  current(): Job | undefined {
    return this.job;
  }

  onJob(listener: (job: Job, cause: TemplateCause) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  make(cause: TemplateCause): Job {
    this.job = ownJob();
    for (const listener of this.#listeners) listener(this.job, cause);
    return this.job;
  }
}

function ownJob(): Job {
  return Object.freeze({ ...poolJobOf("own", 0, 0), pool: undefined });
}

/** The pools `names` with a feed above them, started. */
async function stage(names: readonly string[], options: Partial<UpstreamPoolsOptions> = {}) {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = recordingMeter();
  const events: string[] = [];
  const bus = new Bus<PoolLinkEvents>({ onError: (error) => expect.unreachable(String(error)) });
  bus.on("MiningPoolConnected", ({ poolUrl }) => events.push(`+${parseServerUrl(poolUrl).host.split(".")[0]}`));
  bus.on("MiningPoolDisconnected", ({ poolUrl, reason }) =>
    events.push(`-${parseServerUrl(poolUrl).host.split(".")[0]}: ${reason}`),
  );
  const { made, connect } = fakePeers();
  const hashrate = { now: 5e12 };
  const solo = new SoloJobs();
  const pools = new UpstreamPools(
    { clock, random: seededRandom(1), log, meter, bus, connect, hashrate: () => hashrate.now },
    {
      ...UPSTREAM_POOLS_DEFAULTS,
      pools: names.map(poolNamed),
      fallback: "none",
      failbackMs: FAILBACK_MS,
      ...options,
    },
  );
  let lastId = 0;
  const jobIds = { next: () => ++lastId };
  const feed = new UpstreamFeed(
    { clock, meter, jobIds, pools, ...(options.fallback === "solo" ? { solo } : {}) },
    { refreshMs: 60_000 },
  );
  const jobs: [job: Job, cause: TemplateCause][] = [];
  feed.onJob((job, cause) => jobs.push([job, cause]));
  await feed.start(never);
  await pools.start(never);
  /** The newest attempt to reach a pool; fails when there was none. */
  const peer = (name: string): FakePeer => {
    const found = made.findLast(({ pool }) => pool.name === name);
    if (found === undefined) throw new Error(`${name} was never dialled`);
    return found;
  };
  const attempts = (name: string): number => made.filter(({ pool }) => pool.name === name).length;
  const miningFor = (): string | undefined => pools.status().miningFor;
  return { hashrate, clock, log, meter, events, made, solo, pools, feed, jobs, peer, attempts, miningFor };
}

describe("the choice among pools", () => {
  test("the preferred pool is mined for, and the others are left alone", async () => {
    const { peer, made, jobs, miningFor, events, feed } = await stage(["main", "second"]);
    expect(miningFor()).toBeUndefined();
    const job = peer("main").ready();
    expect(miningFor()).toBe("main");
    expect(jobs).toEqual([[job, "newBlock"]]);
    expect(feed.current()).toBe(job);
    expect(made).toHaveLength(1);
    expect(events).toEqual(["+main"]);
  });

  test("one that is lost is followed by the next at once, with one job that is new work", async () => {
    const { peer, jobs, miningFor, events, attempts, meter, log } = await stage(["main", "second"]);
    peer("main").ready();
    await peer("main").lose("the server was silent for 180000 ms");
    expect(attempts("second")).toBe(1);
    const job = peer("second").ready();
    expect(miningFor()).toBe("second");
    expect(jobs.slice(1)).toEqual([[job, "newBlock"]]);
    expect(events).toEqual(["+main", "-main: the server was silent for 180000 ms", "+second"]);
    expect(meter.sum("upstream_active{pool=main}")).toBe(0);
    expect(meter.sum("upstream_active{pool=second}")).toBe(1);
    expect(meter.sum("upstream_switches_total{to=second}")).toBe(1);
    expect(meter.sum("upstream_failures_total{pool=main}")).toBe(1);
    const lines = log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    expect(lines).toEqual([
      expect.stringMatching(/^lost pool main: the server was silent for 180000 ms\. Check host and port/),
    ]);
  });

  test("a pool that fails is tried after a second, then after longer and longer, up to a minute", async () => {
    const { peer, clock, made } = await stage(["main"]);
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      await peer("main").lose("refused");
      const before = made.length;
      const startMs = clock.monotonicMs();
      while (made.length === before) clock.advance(50);
      pauses.push(clock.monotonicMs() - startMs);
    }
    for (const [i, pauseMs] of pauses.entries()) {
      const full = Math.min(60_000, 1000 * 2 ** i);
      expect(pauseMs).toBeGreaterThanOrEqual(0.75 * full);
      expect(pauseMs).toBeLessThanOrEqual(1.25 * full + 50);
    }
    expect(new Set(pauses.slice(-3)).size).toBe(3);
  });

  test("what keeps a pool away is said once, not at every attempt", async () => {
    const { peer, clock, log } = await stage(["main"]);
    for (const reason of ["refused", "refused", "refused", "no such host", "no such host"]) {
      await peer("main").lose(reason);
      clock.advance(80_000);
    }
    const said = log.lines.flatMap(({ level, message }) => (level === "warn" ? [message.replace(/\. .*/, "")] : []));
    expect(said).toEqual(["pool main does not work: refused", "pool main does not work: no such host"]);
  });

  test("a minute of work makes good what failed before", async () => {
    const { peer, clock, attempts } = await stage(["main"]);
    for (let i = 0; i < 5; i++) {
      await peer("main").lose();
      clock.advance(80_000);
    }
    peer("main").ready();
    clock.advance(60_000);
    await peer("main").lose();
    const before = attempts("main");
    clock.advance(1250);
    expect(attempts("main")).toBe(before + 1);
  });

  test("miners go back to the preferred pool only when it has worked without a break for as long as configured", async () => {
    const { peer, clock, jobs, miningFor, events } = await stage(["main", "second"]);
    await peer("main").lose();
    peer("second").ready();
    clock.advance(1500);
    peer("main").ready();
    clock.advance(FAILBACK_MS - 1);
    expect(miningFor()).toBe("second");
    await peer("main").lose();
    clock.advance(2600);
    peer("main").ready();
    clock.advance(FAILBACK_MS - 1);
    expect(miningFor()).toBe("second");
    const later = peer("main").job(2);
    clock.advance(1);
    expect(miningFor()).toBe("main");
    expect(jobs.filter(([job]) => job.pool?.pool === "main")).toEqual([[later, "newBlock"]]);
    expect(events).toEqual(["+second", "-second: moved back to the preferred pool main", "+main"]);
  });

  test("when the pool that is mined for is lost, one that stands by takes its place before its time", async () => {
    const { peer, clock, miningFor, jobs } = await stage(["main", "second"]);
    await peer("main").lose();
    peer("second").ready();
    clock.advance(1500);
    const job = peer("main").ready();
    await peer("second").lose();
    expect(miningFor()).toBe("main");
    expect(jobs.at(-1)).toEqual([job, "newBlock"]);
    clock.advance(FAILBACK_MS);
    expect(jobs.filter(([, cause]) => cause === "newBlock")).toHaveLength(2);
  });

  test("a pool that was left lingers for answers, then its connection is ended and it is not dialled again", async () => {
    const { peer, clock, pools, attempts } = await stage(["main", "second"], { failbackMs: 0 });
    await peer("main").lose();
    const second = peer("second");
    const job = second.ready();
    clock.advance(1500);
    peer("main").ready();
    const answers: unknown[] = [];
    const share = { work: job?.pool } as UpstreamShare;
    expect(pools.submit(share, (said) => answers.push(said))).toBe(true);
    expect(second.shares).toEqual([share]);
    expect(answers).toEqual([undefined]);
    expect(second.isEnded).toBe(false);
    clock.advance(UPSTREAM_POOLS_DEFAULTS.lingerMs);
    await Promise.resolve();
    expect(second.isEnded).toBe(true);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    expect(pools.submit(share, () => expect.unreachable())).toBe(false);
    clock.advance(600_000);
    expect(attempts("second")).toBe(1);
  });

  test("a share goes to the connection of its job and to no other", async () => {
    const { peer, pools, meter } = await stage(["main", "second"]);
    const first = peer("main");
    const job = first.ready();
    await first.lose();
    const second = peer("second");
    second.ready();
    expect(pools.submit({ work: job?.pool } as UpstreamShare, () => expect.unreachable())).toBe(false);
    expect(second.shares).toEqual([]);
    expect(meter.sum("upstream_shares_unsent_total{pool=main,why=gone}")).toBe(1);
  });

  test("a pool that sends us elsewhere is followed at once, and no other is dialled", async () => {
    const { peer, made, jobs, attempts, meter, miningFor } = await stage(["main", "second"]);
    peer("main").ready();
    const elsewhere = parseServerUrl("stratum2+tcp://other.example.com:3334");
    await peer("main").lose("the pool asked for a reconnect", elsewhere);
    expect(attempts("second")).toBe(0);
    expect(made.at(-1)?.pool.address).toEqual(elsewhere);
    expect(miningFor()).toBeUndefined();
    const job = peer("main").ready();
    expect(miningFor()).toBe("main");
    expect(jobs.at(-1)).toEqual([job, "newBlock"]);
    expect(meter.sum("upstream_failures_total")).toBe(0);
  });

  test("two addresses that send us to each other are one failure, and the next pool gets its turn", async () => {
    const { peer, made, clock, attempts } = await stage(["main", "second"]);
    peer("main").ready();
    await peer("main").lose("reconnect", parseServerUrl("stratum2+tcp://b.example.com:1"));
    peer("main").ready();
    await peer("main").lose("reconnect", parseServerUrl("stratum2+tcp://a.example.com:1"));
    expect(attempts("second")).toBe(1);
    expect(attempts("main")).toBe(2);
    clock.advance(1300);
    expect(made.at(-1)?.pool.address.host).toBe("main.example.com");
  });

  test("a pool that sends us to an address where nobody is counts as lost", async () => {
    const { peer, attempts, miningFor } = await stage(["main", "second"]);
    peer("main").ready();
    await peer("main").lose("reconnect", parseServerUrl("stratum2+tcp://b.example.com:1"));
    await peer("main").lose("ECONNREFUSED");
    expect(attempts("second")).toBe(1);
    peer("second").ready();
    expect(miningFor()).toBe("second");
  });

  test("the hash rate is announced to the pool that is mined for, with its channel, and every ten seconds", async () => {
    const { peer, clock, hashrate } = await stage(["main", "second"]);
    // Before it works: its first target is made for those who mine already.
    expect(peer("main").hashrates).toEqual([5e12]);
    hashrate.now = 0;
    peer("main").ready();
    clock.advance(120_000);
    // That nobody mines is no hash rate.
    expect(peer("main").hashrates).toEqual([5e12]);
    hashrate.now = 6e12;
    clock.advance(10_000);
    expect(peer("main").hashrates).toEqual([5e12, 6e12]);
    clock.advance(10_000);
    expect(peer("main").hashrates).toEqual([5e12, 6e12, 6e12]);
    await peer("main").lose();
    expect(peer("second").hashrates).toEqual([6e12]);
  });

  test("a stop ends every connection and dials no more", async () => {
    const { peer, pools, clock, made, feed, events } = await stage(["main", "second"]);
    await peer("main").lose();
    peer("second").ready();
    clock.advance(1500);
    peer("main").ready();
    await pools.stop();
    await feed.stop();
    expect(made.slice(1).map(({ isEnded }) => isEnded)).toEqual([true, true]);
    expect(events.at(-1)).toBe("-second: stopped");
    expect(clock.pending).toBe(0);
  });
});

describe("when no pool works", () => {
  test("without a fallback miners keep their last job, which is repeated so that they stay", async () => {
    const { peer, clock, jobs, log, miningFor } = await stage(["main", "second"]);
    const job = peer("main").ready();
    await peer("main").lose();
    await peer("second").lose();
    expect(log.lines.some(({ level, message }) => level === "error" && message.startsWith("no pool works"))).toBe(true);
    expect(miningFor()).toBeUndefined();
    clock.advance(59_000);
    expect(jobs).toHaveLength(1);
    clock.advance(1000);
    const [again, cause] = jobs[1] ?? [];
    expect(cause).toBe("refresh");
    expect(again).toMatchObject({ pool: job?.pool, prevHash: job?.prevHash });
    expect(again?.jobId).not.toBe(job?.jobId);
    clock.advance(120_000);
    expect(jobs).toHaveLength(4);
    const back = peer("second").ready();
    expect(jobs.at(-1)).toEqual([back, "newBlock"]);
  });

  test("with solo as fallback own templates are mined, and only then", async () => {
    const { peer, jobs, solo, miningFor, clock, meter } = await stage(["main", "second"], { fallback: "solo" });
    solo.make("newBlock");
    expect(jobs).toEqual([]);
    peer("main").ready();
    await peer("main").lose();
    solo.make("refresh");
    expect(jobs).toHaveLength(1);
    await peer("second").lose();
    expect(miningFor()).toBe("solo");
    expect(jobs.slice(1)).toEqual([[solo.job, "newBlock"]]);
    const filled = solo.make("fill");
    expect(jobs.at(-1)).toEqual([filled, "fill"]);
    expect(meter.sum("upstream_switches_total{to=solo}")).toBe(1);
    // Own templates are refreshed by who makes them.
    clock.advance(1500);
    expect(jobs).toHaveLength(3);
    const first = peer("second").ready();
    clock.advance(FAILBACK_MS - 1);
    expect(miningFor()).toBe("solo");
    clock.advance(1);
    expect(miningFor()).toBe("second");
    expect(jobs.at(-1)).toEqual([first, "newBlock"]);
    const before = jobs.length;
    solo.make("newBlock");
    expect(jobs).toHaveLength(before);
  });

  test("miners keep a pool's job until the first own template is there", async () => {
    const { peer, jobs, solo, clock } = await stage(["main"], { fallback: "solo" });
    solo.job = undefined;
    peer("main").ready();
    await peer("main").lose();
    clock.advance(60_000);
    expect(jobs.map(([, cause]) => cause)).toEqual(["newBlock", "refresh"]);
    const own = solo.make("fill");
    expect(jobs.at(-1)).toEqual([own, "newBlock"]);
  });

  test("a preferred pool that comes while another serves its time is waited for no longer than that", async () => {
    const { peer, clock, miningFor } = await stage(["main", "second"], { fallback: "solo" });
    await peer("main").lose();
    await peer("second").lose();
    clock.advance(1500);
    peer("second").ready();
    clock.advance(FAILBACK_MS / 2);
    peer("main").ready();
    clock.advance(FAILBACK_MS / 2);
    expect(miningFor()).toBe("second");
    clock.advance(FAILBACK_MS / 2);
    expect(miningFor()).toBe("main");
  });
});

describe("the jobs of a pool", () => {
  test("are passed on with their cause, and repeated when the pool is silent", async () => {
    const { peer, jobs, clock } = await stage(["main"]);
    peer("main").ready();
    clock.advance(30_000);
    const second = peer("main").job(2, "refresh");
    expect(jobs.at(-1)).toEqual([second, "refresh"]);
    clock.advance(59_999);
    expect(jobs).toHaveLength(2);
    clock.advance(1);
    expect(jobs).toHaveLength(3);
    expect(jobs[2]?.[0].pool?.jobId).toBe(2);
    const third = peer("main").job(3, "newBlock");
    expect(jobs.at(-1)).toEqual([third, "newBlock"]);
  });

  test("of one that stands by are not mined", async () => {
    const { peer, jobs, clock } = await stage(["main", "second"]);
    await peer("main").lose();
    peer("second").ready();
    clock.advance(1500);
    peer("main").ready();
    peer("main").job(2);
    expect(jobs).toHaveLength(1);
  });
});
