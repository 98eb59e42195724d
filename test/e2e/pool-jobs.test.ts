/** Jobs of other pools over real sockets: shares go up, answers come down, and a switch of pools costs miners no connection. */
import { describe, expect, test } from "vitest";
import { toHex } from "../../src/kernel/bytes.ts";
import type { Job } from "../../src/mining/job.ts";
import { JobIds } from "../../src/mining/job.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { FakeJobFeed, FakePoolChannels, POOL_TARGET, PoolSide, PoolSides } from "../support/pool-side.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { startServer, type TestServer, type TestServerOptions } from "../support/server.ts";
import { until } from "../support/until.ts";

const REQUIRES_STANDARD_JOBS = 0b001;

class World {
  readonly main = new PoolSide("main", 1, 12);
  readonly spare = new PoolSide("spare", 2, 20);
  readonly jobs = new FakeJobFeed();
  readonly #ids = new JobIds();

  job(side: PoolSide, extranonceSize = side.extranonceSize): Job {
    return side.job({ jobId: this.#ids.next(), prevHash: seededRandom(7).bytes(32), extranonceSize });
  }

  give(side: PoolSide, extranonceSize?: number): Job {
    const job = this.job(side, extranonceSize);
    this.jobs.give(job);
    return job;
  }

  server(options: TestServerOptions = {}): Promise<TestServer> {
    const upstream = new PoolSides(this.main, this.spare);
    const mining = { rollableBytes: 8, ackBatchSize: 1 };
    return startServer({ jobs: this.jobs, upstream, mining, ...options });
  }
}

const KINDS: readonly (readonly [string, (server: TestServer) => Promise<MockChannel>])[] = [
  ["standard, in a group", async (server) => MockChannel.standard(await server.miner())],
  [
    "standard, with jobs of its own",
    async (server) => MockChannel.standard(await server.miner(REQUIRES_STANDARD_JOBS)),
  ],
  ["extended", async (server) => MockChannel.extended(await server.miner())],
];

describe.each(KINDS)("a channel (%s)", (_kind, open) => {
  test("has its shares sent to the pool and is answered when the pool has answered", async () => {
    const world = new World();
    const job = world.give(world.main);
    const server = await world.server();
    const channel = await open(server);
    const found = channel.find({ atMost: POOL_TARGET });
    channel.submit(found);
    channel.submit(channel.find({ atMost: POOL_TARGET }));
    await until("both shares are at the pool", () => world.main.waiting.length === 2);
    await channel.miner.quiet(30);
    expect(server.shares).toEqual([]);
    world.main.answer(undefined);
    world.main.answer("stale-share");
    expect(await channel.miner.expect("SubmitSharesSuccess")).toMatchObject({
      lastSequenceNumber: 0,
      newSubmitsAcceptedCount: 1,
    });
    expect(await channel.miner.expect("SubmitSharesError")).toMatchObject({
      sequenceNumber: 1,
      errorCode: "stale-share",
    });
    expect(server.credits).toMatchObject([{ userIdentity: "mock", pool: "main", jobId: job.jobId }]);
    expect(server.shares.map(({ errorCode, hash }) => [errorCode, hash?.length])).toEqual([
      [undefined, 32],
      ["stale-share", 32],
    ]);
    expect(server.shares[0]!.difficulty).toBe(server.credits[0]!.difficulty);
    expect(server.meter.byLabel("shares_forwarded_total")).toEqual({ "main,accepted": 1, "main,refused": 1 });
  });

  test("that left before the answer is credited all the same", async () => {
    const world = new World();
    world.give(world.main);
    const server = await world.server();
    const channel = await open(server);
    channel.submit(channel.find({ atMost: POOL_TARGET }));
    await until("the share is at the pool", () => world.main.waiting.length === 1);
    channel.miner.destroy();
    await until("the miner is gone", () => server.server.connections === 0);
    world.main.answer(undefined);
    expect(server.credits).toMatchObject([{ userIdentity: "mock", pool: "main" }]);
    expect(server.server.channelCount).toBe(0);
    expect(server.extranonces.inUse).toBe(0);
  });

  test("mines for the next pool after one clean job, on the same connection", async () => {
    const world = new World();
    world.give(world.main);
    const server = await world.server();
    const channel = await open(server);
    const before = channel.find({ atMost: POOL_TARGET });
    world.give(world.spare);
    const { extranoncePrefix } = await channel.miner.expect("SetExtranoncePrefix");
    const next = await channel.miner.inbox.next(() => true, "a job", 5000);
    expect(["NewMiningJob", "NewExtendedMiningJob"]).toContain(next.name);
    expect(next.value).toMatchObject({ minNtime: null });
    const prevHash = await channel.miner.expect("SetNewPrevHash");
    channel.submit(before);
    expect((await channel.miner.expect("SubmitSharesError")).errorCode).toBe("stale-share");
    expect(extranoncePrefix).toHaveLength(channel.kind === "extended" ? 12 : 20);
    channel.prevHash = prevHash;
    if (next.name === "NewMiningJob") channel.job = { kind: "standard", fields: next.value };
    if (next.name === "NewExtendedMiningJob" && channel.kind === "extended") {
      channel.job = { kind: "extended", fields: next.value };
      channel.extranoncePrefix = extranoncePrefix;
    }
    // A standard channel hashes its group's extended job with its whole extranonce; the unit tests do so.
    if (channel.kind === "standard" && next.name === "NewExtendedMiningJob") return;
    const found = channel.find({ atMost: POOL_TARGET });
    channel.submit(found);
    await until("the share is at the next pool", () => world.spare.shares.length === 1);
    expect(world.main.shares).toEqual([]);
    expect(world.spare.shares[0]).toMatchObject({ nonce: found.nonce, block: false });
  });
});

test("a pool that leaves too little extranonce is said once, and miners stay on the last job", async () => {
  const world = new World();
  world.give(world.main);
  const server = await world.server();
  const miners = [await server.miner(), await server.miner()];
  const channels = await Promise.all(miners.map((miner) => MockChannel.extended(miner)));
  world.give(world.spare, 11);
  world.give(world.spare, 11);
  for (const { miner } of channels) await miner.quiet(20);
  const complaints = server.log.filter(({ level }) => level === "error");
  expect(complaints).toMatchObject([{ fields: { extranonceSize: 11, rollableBytes: 8, source: "spare" } }]);
  channels[0]!.submit(channels[0]!.find({ atMost: POOL_TARGET }));
  await until("the share is at the pool", () => world.main.waiting.length === 1);
  // Who comes meanwhile waits.
  const late = await server.miner();
  expect(toHex((await late.openExtended()).extranoncePrefix)).toMatch(/^09......$/);
  await late.quiet(20);
  world.give(world.main);
  await late.expect("NewExtendedMiningJob");
});

test("with a channel at the pool for each, every channel gets its own job, and the pool hears of its end", async () => {
  const world = new World();
  const above = new FakePoolChannels();
  above.first = () => world.job(world.main);
  const server = await world.server({ poolChannels: above });
  const miner = await server.miner();
  const channels = [await MockChannel.extended(miner), await MockChannel.extended(miner)];
  expect(channels.map(({ job }) => job.fields.jobId)).toEqual([1, 2]);
  for (const channel of channels) channel.submit(channel.find({ atMost: POOL_TARGET }));
  await until("both shares are at the pool", () => world.main.shares.length === 2);
  expect(world.main.shares.map(({ work }) => work.jobId)).toEqual([1, 2]);
  miner.destroy();
  await until("the channels there are closed", () => above.opened.every(({ isClosed }) => isClosed));
  expect(above.opened.map(({ wish }) => wish.userIdentity)).toEqual(["mock", "mock"]);
});
