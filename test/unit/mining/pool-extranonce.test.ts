/** Jobs with extranonces of different sizes on one conversation: who is told which prefix, and when. */
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/kernel/bytes.ts";
import { ChannelPayouts } from "../../../src/mining/channel-payouts.ts";
import type { Job } from "../../../src/mining/job.ts";
import { payout, TestPool } from "../../support/conversation.ts";
import { POOL_TARGET, PoolSide, PoolSides } from "../../support/pool-side.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const TIP = seededRandom(7).bytes(32);

/** What miners roll here: 8 bytes. */
const R8 = { rollableBytes: 8 };

class World {
  readonly a = new PoolSide("a", 1, 12);
  readonly b = new PoolSide("b", 2, 16);
  readonly pool = new TestPool({ upstream: new PoolSides(this.a, this.b) });

  give(side: PoolSide, wish: { readonly extranonceSize?: number; readonly prevHash?: Uint8Array } = {}): Job {
    return this.pool.give(side.job({ jobId: this.pool.jobIds.next(), prevHash: TIP, ...wish }));
  }
}

describe("a channel is opened with the extranonce of the job that it begins with", () => {
  test("that is 4 bytes and what is rolled before any job", () => {
    const peer = new World().pool.connect(R8);
    expect(peer.openExtended()).toMatchObject({ extranonceSize: 8, extranoncePrefix: Uint8Array.of(7, 0, 0, 0) });
    expect(toHex(peer.openStandard().extranoncePrefix)).toBe(`07000001${"00".repeat(8)}`);
  });

  test("zeros stand between the channel's bytes and the miner's", () => {
    const world = new World();
    const peer = world.pool.connect(R8);
    world.give(world.b);
    expect(toHex(peer.openExtended().extranoncePrefix)).toBe("0700000000000000");
    expect(toHex(peer.openStandard().extranoncePrefix)).toBe(`07000001${"00".repeat(12)}`);
    expect(peer.openExtended().extranonceSize).toBe(8);
  });

  test("own templates leave 12 bytes for the prefix where 8 are rolled, and 4 where 16 are", () => {
    const { pool } = new World();
    pool.newBlock();
    expect(pool.connect(R8).openExtended().extranoncePrefix).toHaveLength(12);
    expect(pool.connect().openExtended().extranoncePrefix).toHaveLength(4);
  });

  test("a wish for more than is rolled is refused", () => {
    const peer = new World().pool.connect(R8);
    const wish = { requestId: 1, userIdentity: "a", nominalHashRate: 1, maxTarget: new Uint8Array(32).fill(0xff) };
    peer.send("OpenExtendedMiningChannel", { ...wish, minExtranonceSize: 9 });
    expect(peer.next("OpenMiningChannelError").errorCode).toBe("min-extranonce-size-too-large");
    peer.send("OpenExtendedMiningChannel", { ...wish, minExtranonceSize: 8 });
    expect(peer.next("OpenExtendedMiningChannelSuccess").extranonceSize).toBe(8);
  });
});

describe("a job with an extranonce of another size", () => {
  test("comes behind a SetExtranoncePrefix for each channel of the group", () => {
    const world = new World();
    const peer = world.pool.connect(R8);
    world.give(world.a);
    const extended = peer.openExtended();
    const standard = peer.openStandard();
    const job = world.give(world.b);
    expect(peer.next("SetExtranoncePrefix")).toEqual({
      channelId: extended.channelId,
      extranoncePrefix: Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0),
    });
    expect(peer.next("SetExtranoncePrefix")).toMatchObject({ channelId: standard.channelId });
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ channelId: 1, jobId: job.jobId, minNtime: null });
    expect(peer.next("SetNewPrevHash")).toMatchObject({ channelId: 1, jobId: job.jobId });
    peer.nothing();
    world.give(world.b);
    expect(peer.names()).toEqual(["NewExtendedMiningJob"]);
  });

  test("comes behind a SetExtranoncePrefix where each channel gets its own job", () => {
    const world = new World();
    const peer = world.pool.connect({ ...R8, requiresStandardJobs: true });
    world.give(world.a);
    const channels = [peer.openStandard(), peer.openStandard()];
    world.give(world.b);
    const messages = peer.received();
    const each = ["SetExtranoncePrefix", "NewMiningJob", "SetNewPrevHash"];
    expect(messages.map(({ name }) => name)).toEqual([...each, ...each]);
    for (const channel of channels) {
      for (const message of messages) channel.follow(message);
      expect(channel.extranoncePrefix).toHaveLength(16);
      channel.submit(channel.mine());
    }
    expect(world.b.shares.map(({ extranonce }) => extranonce.length)).toEqual([16, 16]);
  });

  test.each(["standard", "extended"] as const)(
    "is mined with the new prefix on a %s channel, the job before it with the old one",
    (kind) => {
      const world = new World();
      const peer = world.pool.connect(R8);
      world.give(world.a);
      const channel = kind === "standard" ? peer.openStandard() : peer.openExtended();
      const early = channel.mine();
      // A pool may change the size on one block and one connection: then the jobs before go on being good.
      world.give(world.a, { extranonceSize: 20 });
      channel.catchUp();
      const late = channel.mine();
      channel.submit(early);
      channel.submit(late);
      expect(world.a.shares.map(({ extranonce }) => extranonce.length)).toEqual([12, 20]);
      world.a.answer(undefined);
      world.a.answer(undefined);
      expect(world.pool.credits).toHaveLength(2);
    },
  );

  test("is told again to a channel that is repeated a job for its target: only once", () => {
    const world = new World();
    const peer = world.pool.connect({ ...R8, requiresStandardJobs: true });
    world.give(world.a);
    const channel = peer.openStandard();
    world.give(world.b);
    channel.catchUp();
    peer.send("UpdateChannel", {
      channelId: channel.channelId,
      nominalHashRate: 5,
      maximumTarget: new Uint8Array(32).fill(0xff),
    });
    const messages = peer.received();
    expect(messages.map(({ name }) => name)).toEqual(["SetTarget", "NewMiningJob"]);
    for (const message of messages) channel.follow(message);
    channel.submit(channel.mine({ atMost: POOL_TARGET }));
    // The job's own number stands in the last 4 bytes, wherever they are.
    expect(toHex(world.b.shares[0]!.extranonce)).toBe(`07000000${"00".repeat(8)}00000003`);
    expect(world.b.shares[0]!.work.jobId).toBe(1);
  });

  test("keeps a prefix that was changed meanwhile at its new size", () => {
    const world = new World();
    const peer = world.pool.connect(R8);
    world.give(world.b);
    const channel = peer.openExtended();
    peer.downstream.changeExtranoncePrefix(channel.channelId);
    expect(toHex(peer.next("SetExtranoncePrefix").extranoncePrefix)).toBe("0700000100000000");
    world.give(world.a);
    expect(toHex(peer.next("SetExtranoncePrefix").extranoncePrefix)).toBe("07000001");
  });
});

test("channels that our own coinbases pay apart get another pool's job as it is: whom it pays is not ours to say", () => {
  const side = new PoolSide("a", 1, 12);
  const payouts = new ChannelPayouts({ log: recordingLog(), pool: payout }, { network: "regtest" });
  const pool = new TestPool({ upstream: new PoolSides(side), payouts });
  const peer = pool.connect(R8);
  const channels = ["anna", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"].map((userIdentity) =>
    peer.openExtended({ userIdentity }),
  );
  const job = pool.give(side.job({ jobId: pool.jobIds.next(), prevHash: TIP }));
  const messages = peer.received();
  const jobs = messages.flatMap((message) => (message.name === "NewExtendedMiningJob" ? [message.value] : []));
  expect(jobs.map(({ channelId }) => channelId)).toEqual(channels.map(({ groupChannelId }) => groupChannelId));
  for (const { coinbaseTxSuffix } of jobs) expect(coinbaseTxSuffix).toEqual(job.coinbaseSuffix);
  for (const channel of channels) {
    for (const message of messages) channel.follow(message);
    channel.submit(channel.mine({ atMost: POOL_TARGET }));
  }
  expect(side.shares).toHaveLength(2);
});

describe("a job whose extranonce is too small", () => {
  test("is not given out, said once, and miners stay on the last one", () => {
    const world = new World();
    const peer = world.pool.connect(R8);
    world.give(world.a);
    const channel = peer.openExtended();
    world.give(world.b, { extranonceSize: 11 });
    world.give(world.b, { extranonceSize: 8 });
    peer.nothing();
    const complaints = () => world.pool.log.lines.filter(({ level }) => level === "error");
    expect(complaints()).toHaveLength(1);
    expect(complaints()[0]!.fields).toEqual({ extranonceSize: 11, rollableBytes: 8, pool: "b" });
    channel.submit(channel.mine());
    expect(world.a.shares).toHaveLength(1);
    world.give(world.a);
    expect(peer.names()).toEqual(["NewExtendedMiningJob"]);
    world.give(world.b, { extranonceSize: 11 });
    expect(complaints()).toHaveLength(2);
  });

  test("is no job to open a channel with", () => {
    const world = new World();
    const peer = world.pool.connect(R8);
    world.give(world.b, { extranonceSize: 11 });
    const channel = peer.openExtended();
    expect(channel.jobId).toBe(-1);
    world.give(world.a);
    expect(channel.catchUp().jobId).toBe(2);
  });

  test("is one with exactly what is rolled and 4 bytes more", () => {
    const world = new World();
    const peer = world.pool.connect({ rollableBytes: 16 });
    world.give(world.a, { extranonceSize: 19 });
    expect(peer.openExtended().jobId).toBe(-1);
    world.give(world.a, { extranonceSize: 20 });
    peer.received();
    expect(peer.openExtended().jobId).toBe(2);
  });
});

describe("work of another pool", () => {
  const switches: [string, (world: World) => void][] = [
    ["another pool's", (world) => world.give(world.b, { extranonceSize: 12 })],
    [
      "another connection's to the same pool",
      (world) => world.pool.give(new PoolSide("a", 9, 12).job({ jobId: 50, prevHash: TIP })),
    ],
    [
      "another channel's on the same connection",
      (world) => world.pool.give(world.a.job({ jobId: 50, prevHash: TIP, channelId: 5 })),
    ],
    ["our own", (world) => world.pool.refresh()],
  ];

  test.each(switches)(
    "is a new tip when it is %s, whatever the previous block: older jobs are stale",
    (_whose, give) => {
      const world = new World();
      const peer = world.pool.connect(R8);
      world.give(world.a, { prevHash: seededRandom(0).bytes(32) });
      const channel = peer.openExtended();
      const late = channel.mine();
      give(world);
      expect(peer.names().filter((name) => name !== "SetExtranoncePrefix")).toEqual([
        "NewExtendedMiningJob",
        "SetNewPrevHash",
      ]);
      channel.submit(late);
      expect(peer.next("SubmitSharesError").errorCode).toBe("stale-share");
      expect(world.a.shares).toEqual([]);
    },
  );

  test("a share counts once, also when the same pool's same job comes again on the same block", () => {
    const world = new World();
    const peer = world.pool.connect(R8);
    const job = world.give(world.a);
    const channel = peer.openExtended();
    const mined = channel.mine();
    channel.submit(mined);
    world.give(world.b);
    world.pool.give(Object.freeze({ ...job, jobId: 70 }));
    peer.received();
    channel.submit({ ...mined, jobId: 70 });
    expect(peer.next("SubmitSharesError").errorCode).toBe("duplicate-share");
  });
});
