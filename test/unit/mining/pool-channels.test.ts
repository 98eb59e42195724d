/** Channels that each have one of their own at the pool above: whose work they get, and what the pool hears of them. */
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/kernel/bytes.ts";
import { ChannelPayouts } from "../../../src/mining/channel-payouts.ts";
import type { Job } from "../../../src/mining/job.ts";
import { ANY_TARGET, type Peer, payout, type TestChannel, TestPool } from "../../support/conversation.ts";
import { FakePoolChannels, POOL_TARGET, type PoolJobWish, PoolSide, PoolSides } from "../../support/pool-side.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const TIP = seededRandom(7).bytes(32);

class World {
  readonly side = new PoolSide("main", 1, 12);
  readonly spare = new PoolSide("spare", 2, 20);
  readonly above = new FakePoolChannels();
  readonly pool = new TestPool({ upstream: new PoolSides(this.side, this.spare), poolChannels: this.above });

  connect(options: Parameters<TestPool["connect"]>[0] = {}): Peer {
    return this.pool.connect({ rollableBytes: 8, ...options });
  }

  /** A job for the channel that was opened as number `index`. */
  job(index: number, wish: Partial<PoolJobWish> = {}, side = this.side): Job {
    const extranoncePrefix = Uint8Array.of(0xcc, index);
    const own = { channelId: 100 + index, extranoncePrefix };
    return side.job({ jobId: this.pool.jobIds.next(), prevHash: TIP, ...own, ...wish });
  }

  give(index: number, wish: Partial<PoolJobWish> = {}, side = this.side): Job {
    const job = this.job(index, wish, side);
    this.above.opened[index]!.give(job);
    return job;
  }
}

function both(peer: Peer): TestChannel[] {
  return [peer.openExtended({ userIdentity: "anna", nominalHashRate: 10 }), peer.openStandard({ userIdentity: "bob" })];
}

describe("a channel", () => {
  test("opens one at the pool with its user, hash rate and greatest target, and is alone in its group", () => {
    const world = new World();
    const [anna, bob] = both(world.connect());
    expect(world.above.opened.map(({ wish }) => wish)).toEqual([
      { userIdentity: "anna", nominalHashrate: 10, maxTarget: 2n ** 256n - 1n },
      { userIdentity: "bob", nominalHashrate: 10, maxTarget: 2n ** 256n - 1n },
    ]);
    const ids = [anna!, bob!].flatMap(({ channelId, groupChannelId }) => [channelId, groupChannelId]);
    expect(new Set([...ids, 1]).size).toBe(5);
  });

  test("gets its own pool channel's work, addressed to it alone, the first as a new tip", () => {
    const world = new World();
    const peer = world.connect();
    const [anna, bob] = both(peer);
    const hers = world.give(0);
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({
      channelId: anna!.channelId,
      jobId: hers.jobId,
      minNtime: null,
    });
    expect(peer.next("SetNewPrevHash")).toMatchObject({ channelId: anna!.channelId });
    const his = world.give(1);
    expect(peer.next("NewMiningJob")).toMatchObject({ channelId: bob!.channelId, jobId: his.jobId });
    expect(peer.next("SetNewPrevHash")).toMatchObject({ channelId: bob!.channelId });
    world.give(0);
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ channelId: anna!.channelId, minNtime: world.pool.nowS });
    peer.nothing();
    world.give(0, { prevHash: seededRandom(8).bytes(32) });
    expect(peer.names()).toEqual(["NewExtendedMiningJob", "SetNewPrevHash"]);
  });

  test("sends its shares to its own channel there", () => {
    const world = new World();
    const peer = world.connect();
    const channels = both(peer);
    world.give(1);
    world.give(0);
    for (const message of peer.received()) for (const channel of channels) channel.follow(message);
    for (const channel of channels) channel.submit(channel.mine({ atMost: POOL_TARGET }));
    expect(world.side.shares.map(({ work, userIdentity }) => [work.channelId, userIdentity])).toEqual([
      [100, "anna"],
      [101, "bob"],
    ]);
    while (world.side.waiting.length > 0) world.side.answer(undefined);
    expect(world.pool.credits.map(({ userIdentity, pool }) => [userIdentity, pool])).toEqual([
      ["anna", "main"],
      ["bob", "main"],
    ]);
  });

  test("begins with work that its pool channel has at once, announced with that work's extranonce and no harder than it", () => {
    const world = new World();
    let index = 0;
    world.above.first = () => world.job(index++, { extranonceSize: 16 });
    const peer = world.connect();
    const channel = peer.openExtended({ nominalHashRate: 1e9 });
    expect(toHex(channel.extranoncePrefix)).toBe("0700000000000000");
    expect(channel.jobId).toBe(1);
    channel.submit(channel.mine({ atMost: POOL_TARGET }));
    expect(world.side.shares).toHaveLength(1);
  });

  test("tells the pool of UpdateChannel, but not of one that is refused", () => {
    const world = new World();
    const peer = world.connect();
    const { channelId } = peer.openExtended();
    const maximumTarget = ANY_TARGET;
    peer.send("UpdateChannel", { channelId, nominalHashRate: 5000, maximumTarget });
    peer.send("UpdateChannel", { channelId, nominalHashRate: Number.NaN, maximumTarget });
    peer.send("UpdateChannel", { channelId: 99, nominalHashRate: 1, maximumTarget });
    expect(world.above.opened[0]!.updates).toEqual([{ nominalHashrate: 5000, maxTarget: 2n ** 256n - 1n }]);
  });

  test.each([
    ["the client", (peer: Peer, id: number) => peer.send("CloseChannel", { channelId: id, reasonCode: "" })],
    ["us", (peer: Peer, id: number) => peer.downstream.closeChannel(id, "moved")],
    ["the end of the connection", (peer: Peer) => peer.downstream.close()],
  ])("closed by %s closes the one at the pool, whose later work is passed over", (_who, close) => {
    const world = new World();
    const peer = world.connect();
    const { channelId } = peer.openExtended();
    world.give(0);
    close(peer, channelId);
    peer.received();
    expect(world.above.opened[0]!.isClosed).toBe(true);
    world.give(0);
    peer.nothing();
    expect(world.pool.extranonces.inUse).toBe(0);
  });

  test("that is refused opens none, and neither does a client that selects its own work", () => {
    const world = new World();
    const peer = world.connect({ requiresWorkSelection: true });
    peer.openExtended();
    peer.send("OpenExtendedMiningChannel", {
      requestId: 1,
      userIdentity: "a",
      nominalHashRate: -1,
      maxTarget: ANY_TARGET,
      minExtranonceSize: 4,
    });
    expect(world.above.opened).toEqual([]);
  });

  test("is lowered to the pool's difficulty before the job, each on its own", () => {
    const world = new World();
    const peer = world.connect();
    const channels = [peer.openExtended({ nominalHashRate: 1000 }), peer.openExtended({ nominalHashRate: 1000 })];
    world.give(0, { target: POOL_TARGET / 200n });
    expect(peer.names()).toEqual(["NewExtendedMiningJob", "SetNewPrevHash"]);
    const easy = world.give(0, { target: POOL_TARGET });
    expect(peer.next("SetTarget")).toMatchObject({ channelId: channels[0]!.channelId });
    expect(peer.names()).toEqual(["NewExtendedMiningJob"]);
    const [first, second] = peer.downstream.channels();
    expect(first!.difficulty).toBe(easy.pool!.difficulty);
    expect(second!.difficulty).toBeGreaterThan(50 * first!.difficulty);
  });

  test("whose pool gives too small an extranonce stays on its last job", () => {
    const world = new World();
    const peer = world.connect();
    const channel = peer.openExtended();
    world.give(0);
    channel.catchUp();
    world.give(0, { extranonceSize: 11 });
    peer.nothing();
    expect(world.pool.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });
});

describe("from pool to pool and to own templates", () => {
  test("another pool's work is a new tip with its own extranonce, channel by channel", () => {
    const world = new World();
    const peer = world.connect();
    const [anna] = both(peer);
    world.give(0);
    anna!.catchUp();
    const late = anna!.mine({ atMost: POOL_TARGET });
    world.give(0, {}, world.spare);
    expect(peer.names()).toEqual(["SetExtranoncePrefix", "NewExtendedMiningJob", "SetNewPrevHash"]);
    anna!.submit(late);
    expect(peer.next("SubmitSharesError").errorCode).toBe("stale-share");
  });

  test("own jobs go to all channels, each in its own group, and the pool's take their place again", () => {
    const world = new World();
    const { pool } = world;
    const peer = world.connect();
    const channels = both(peer);
    world.give(0);
    world.give(1);
    peer.received();
    const own = pool.newBlock();
    const messages = peer.received();
    expect(messages.map(({ name }) => name)).toEqual(
      channels.flatMap(() => ["SetExtranoncePrefix", "NewExtendedMiningJob", "SetNewPrevHash"]),
    );
    const ids = messages.flatMap((message) =>
      message.name === "NewExtendedMiningJob" ? [message.value.channelId] : [],
    );
    expect(ids).toEqual(channels.map(({ groupChannelId }) => groupChannelId));
    for (const channel of channels) {
      for (const message of messages) channel.follow(message);
      channel.submit(channel.mine());
    }
    expect(pool.credits.map(({ jobId }) => jobId)).toEqual([own.jobId, own.jobId]);
    for (const credit of pool.credits) expect(credit).not.toHaveProperty("pool");
    pool.job = undefined;
    world.give(0);
    expect(peer.names()).toEqual(["SetExtranoncePrefix", "NewExtendedMiningJob", "SetNewPrevHash"]);
    // The pool is lost again, and our node has nothing newer: everybody is to get that job once more.
    pool.give(own);
    expect(peer.names()).toEqual(["SetExtranoncePrefix", "NewExtendedMiningJob", "SetNewPrevHash"]);
  });

  test("a round of an own job that the pool's work overtook ends there", () => {
    const world = new World();
    const { pool } = world;
    const peer = world.connect();
    for (let i = 0; i < 40; i++) peer.openExtended();
    const own = pool.newBlock();
    peer.received();
    pool.job = pool.refresh();
    peer.received();
    const late = pool.job;
    pool.job = undefined;
    for (let i = 0; i < 40; i++) world.give(i);
    peer.received();
    expect(peer.downstream.newJob(late)).toBe(false);
    expect(peer.downstream.newJob(own)).toBe(false);
    peer.nothing();
  });

  test("a channel that opens on own templates begins with them, whatever the pool has", () => {
    const world = new World();
    world.above.first = () => world.job(0, { extranonceSize: 16 });
    const own = world.pool.newBlock();
    const channel = world.connect().openExtended();
    expect(channel.jobId).toBe(own.jobId);
    expect(channel.extranoncePrefix).toHaveLength(12);
  });

  test("a miner with an address of its own is paid by our coinbases, and by the pool for the pool's", () => {
    const above = new FakePoolChannels();
    const side = new PoolSide("main", 1, 12);
    const payouts = new ChannelPayouts({ log: recordingLog(), pool: payout }, { network: "regtest" });
    const pool = new TestPool({ upstream: new PoolSides(side), poolChannels: above, payouts });
    const peer = pool.connect({ rollableBytes: 8 });
    const channel = peer.openExtended({ userIdentity: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080" });
    const job = side.job({ jobId: pool.jobIds.next(), prevHash: TIP });
    above.opened[0]!.give(job);
    expect(peer.next("NewExtendedMiningJob").coinbaseTxSuffix).toEqual(job.coinbaseSuffix);
    channel.catchUp();
    pool.newBlock();
    peer.next("SetExtranoncePrefix");
    const { coinbaseTxSuffix } = peer.next("NewExtendedMiningJob");
    expect(toHex(coinbaseTxSuffix)).toContain("0014751e76e8199196d454941c45d1b3a323f1433bd6");
  });
});
