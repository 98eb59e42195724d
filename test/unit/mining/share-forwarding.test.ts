/** Shares of other pools' jobs: what is sent there, who is told what and when, and who is credited. */
import { describe, expect, test } from "vitest";
import { toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import type { Job } from "../../../src/mining/job.ts";
import type { UpstreamAnswer } from "../../../src/mining/upstream-ports.ts";
import { encodeUserIdentity } from "../../../src/sv2/tlv.ts";
import { type Peer, type TestChannel, TestPool } from "../../support/conversation.ts";
import { EASY_BITS } from "../../support/fake-chain.ts";
import { POOL_TARGET, type PoolJobWish, PoolSide, PoolSides } from "../../support/pool-side.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const TIP = seededRandom(7).bytes(32);

/** Channels whose every third share is the pool's too. */
const HARDER = POOL_TARGET / 3n;

interface World {
  readonly side: PoolSide;
  readonly pool: TestPool;
  readonly peer: Peer;
  give(wish?: Partial<PoolJobWish>): Job;
}

function world(): World {
  const side = new PoolSide("main", 1, 12);
  const pool = new TestPool({ upstream: new PoolSides(side) });
  const peer = pool.connect({ rollableBytes: 8, ackBatchSize: 3, ackMaxDelayMs: 5000, workerCapacity: 4 });
  const give = (wish: Partial<PoolJobWish> = {}): Job =>
    pool.give(side.job({ jobId: pool.jobIds.next(), prevHash: TIP, target: HARDER, ...wish }));
  return { side, pool, peer, give };
}

/** A share that the pool wants, and one that is only the channel's. */
const good = (channel: TestChannel) => channel.mine({ atMost: HARDER });
const small = (channel: TestChannel) => channel.mine({ above: HARDER });

describe.each(["standard", "extended"] as const)("a share of a %s channel", (kind) => {
  const open = (peer: Peer): TestChannel => (kind === "standard" ? peer.openStandard() : peer.openExtended());

  test("that meets the pool's target goes there, as the pool's own fields say, and the miner waits", () => {
    const { side, pool, peer, give } = world();
    const job = give();
    const channel = open(peer);
    const mined = good(channel);
    const sequenceNumber = channel.submit(mined);
    expect(side.shares).toHaveLength(1);
    const [share] = side.shares;
    expect(share).toMatchObject({ work: job.pool, userIdentity: "alice", block: false, ntime: mined.ntime });
    expect(toHex(side.hashOf(share!))).toBe(toHex(mined.hash));
    peer.downstream.flush();
    peer.nothing();
    expect(pool.credits).toEqual([]);
    expect(pool.judged).toEqual([]);
    pool.clock.advance(700);
    side.answer(undefined);
    const { difficulty } = peer.downstream.channels()[0]!;
    const atMs = pool.clock.nowMs();
    const credit = { userIdentity: "alice", difficulty, chains: [], height: 500, jobId: job.jobId, atMs, pool: "main" };
    expect(pool.credits).toEqual([credit]);
    expect(pool.judged).toMatchObject([
      { errorCode: undefined, difficulty, job, userIdentity: "alice", hash: mined.hash },
    ]);
    peer.downstream.flush();
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({
      lastSequenceNumber: sequenceNumber,
      newSubmitsAcceptedCount: 1,
    });
    expect(pool.meter.sum("shares_forwarded_total{pool=main,answer=accepted}")).toBe(1);
    expect(pool.meter.sum("shares_accepted_total")).toBe(1);
  });

  test("that the pool refuses is refused with the pool's code and counts for nobody", () => {
    const { side, pool, peer, give } = world();
    give();
    const channel = open(peer);
    const sequenceNumber = channel.submit(good(channel));
    side.answer("stale-share");
    expect(peer.next("SubmitSharesError")).toEqual({ channelId: 2, sequenceNumber, errorCode: "stale-share" });
    peer.downstream.flush();
    peer.nothing();
    expect(pool.credits).toEqual([]);
    expect(pool.judged).toMatchObject([{ errorCode: "stale-share", difficulty: 0 }]);
    expect(peer.downstream.channels()[0]).toMatchObject({ accepted: 0, rejected: { "stale-share": 1 } });
    expect(pool.meter.sum("shares_rejected_total{error_code=stale-share}")).toBe(1);
    expect(pool.meter.sum("shares_forwarded_total{pool=main,answer=refused}")).toBe(1);
  });

  test("that the pool never answers counts: it was valid as far as anybody knows", () => {
    const { side, pool, peer, give } = world();
    give();
    const channel = open(peer);
    channel.submit(good(channel));
    side.end();
    expect(pool.credits).toMatchObject([{ pool: "main" }]);
    expect(pool.meter.sum("shares_forwarded_total{pool=main,answer=unanswered}")).toBe(1);
    channel.submit(good(channel));
    expect(pool.credits).toHaveLength(2);
    expect(pool.meter.sum("shares_forwarded_total{pool=main,answer=unsent}")).toBe(1);
    peer.downstream.flush();
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 1, newSubmitsAcceptedCount: 2 });
  });

  test("that does not meet the pool's target stays here and counts at once", () => {
    const { side, pool, peer, give } = world();
    give();
    const channel = open(peer);
    channel.submit(small(channel));
    expect(side.shares).toEqual([]);
    expect(pool.credits).toMatchObject([{ pool: "main" }]);
    expect(pool.judged).toHaveLength(1);
    expect(pool.meter.sum("shares_forwarded_total")).toBe(0);
  });

  test("that is late, a duplicate or out of bounds is refused here and does not go there", () => {
    const { side, peer, give } = world();
    give();
    const channel = open(peer);
    const mined = good(channel);
    channel.submit(channel.mine({ atMost: HARDER, version: 0x20000001 }));
    channel.submit(channel.mine({ atMost: HARDER, ntime: mined.ntime - 1 }));
    const late = good(channel);
    channel.submit(mined);
    channel.submit(mined);
    give({ prevHash: seededRandom(8).bytes(32) });
    channel.submit(late);
    const codes = peer
      .received()
      .flatMap((message) => (message.name === "SubmitSharesError" ? [message.value.errorCode] : []));
    expect(codes).toEqual(["invalid-non-rollable-version-bit", "invalid-share", "duplicate-share", "stale-share"]);
    expect(side.shares).toHaveLength(1);
  });
});

describe("answers", () => {
  test("to later shares wait for the pool's to an earlier one: a client may take a Success for all before it", () => {
    const { side, peer, give } = world();
    give();
    const channel = peer.openExtended();
    channel.submit(small(channel));
    channel.submit(good(channel));
    for (let i = 0; i < 5; i++) channel.submit(small(channel));
    peer.downstream.flush();
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 0, newSubmitsAcceptedCount: 1 });
    peer.nothing();
    side.answer(undefined);
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 6, newSubmitsAcceptedCount: 6 });
  });

  test("a refusal comes before what was accepted behind it", () => {
    const { side, peer, give } = world();
    give();
    const channel = peer.openExtended();
    channel.submit(small(channel));
    channel.submit(good(channel));
    for (let i = 0; i < 3; i++) channel.submit(small(channel));
    side.answer("difficulty-too-low");
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 0, newSubmitsAcceptedCount: 1 });
    expect(peer.next("SubmitSharesError")).toMatchObject({ sequenceNumber: 1 });
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 4, newSubmitsAcceptedCount: 3 });
  });

  test("may come in any order from the pool: sequence numbers never go back", () => {
    const { side, peer, give } = world();
    give();
    const channel = peer.openExtended();
    for (let i = 0; i < 3; i++) channel.submit(good(channel));
    side.answer(undefined, 2);
    side.answer("stale-share", 1);
    expect(peer.next("SubmitSharesError")).toMatchObject({ sequenceNumber: 1 });
    peer.nothing();
    side.answer(undefined);
    peer.downstream.flush();
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 2, newSubmitsAcceptedCount: 2 });
  });

  test("that come twice are heard once", () => {
    const { side, pool, peer, give } = world();
    give();
    const channel = peer.openExtended();
    channel.submit(good(channel));
    const { answer } = side.waiting[0]!;
    for (const said of [undefined, "stale-share", null, undefined] as UpstreamAnswer[]) answer(said);
    peer.downstream.flush();
    expect(peer.names()).toEqual(["SubmitSharesSuccess"]);
    expect(pool.credits).toHaveLength(1);
    expect(pool.judged).toHaveLength(1);
  });

  test("come before a share's submission returns where a pool breaks the rule: the share counts once", () => {
    const side = new PoolSide("main", 1, 12);
    const pool = new TestPool({
      upstream: {
        submit: (_share, answer) => {
          answer("stale-share");
          return false;
        },
      },
    });
    const peer = pool.connect({ rollableBytes: 8 });
    pool.give(side.job({ jobId: 1, prevHash: TIP }));
    const channel = peer.openExtended();
    channel.submit(channel.mine({ atMost: POOL_TARGET }));
    expect(peer.names()).toEqual(["SubmitSharesError"]);
    expect(pool.credits).toEqual([]);
  });

  test.each([
    ["a code that SRI does not have", "too-many-shares", "too-many-shares"],
    ["nothing", "", "invalid-share"],
    ["a sentence", "no such thing", "invalid-share"],
    ["more than a code", "x".repeat(65), "invalid-share"],
    ["what cannot be written again", "\ufffd".repeat(255), "invalid-share"],
  ])("of %s reach miners as they may, and do not grow our counts", (_what, said, told) => {
    const { side, pool, peer, give } = world();
    give();
    const channel = peer.openExtended();
    channel.submit(good(channel));
    side.answer(said);
    expect(peer.next("SubmitSharesError").errorCode).toBe(told);
    const counted = told === "invalid-share" ? told : "other";
    expect(peer.downstream.channels()[0]?.rejected).toEqual({ [counted]: 1 });
    expect(pool.meter.sum(`shares_rejected_total{error_code=${counted}}`)).toBe(1);
    expect(pool.judged).toMatchObject([{ errorCode: told }]);
  });

  test("vardiff counts a share when it was found, whatever the pool says of it later", () => {
    const { side, pool, peer, give } = world();
    give();
    const channel = peer.openExtended();
    for (let i = 0; i < 30; i++) {
      channel.submit(good(channel));
      pool.pass(1);
      channel.catchUp();
    }
    const measured = peer.downstream.channels()[0]!.hashrate;
    expect(measured).toBeGreaterThan(50);
    while (side.waiting.length > 0) side.answer("stale-share");
    expect(peer.downstream.channels()[0]!.hashrate).toBe(measured);
  });
});

describe("after its channel was closed", () => {
  test.each([
    ["by the client", ({ peer }: World) => peer.send("CloseChannel", { channelId: 2, reasonCode: "" })],
    ["by us", ({ peer }: World) => peer.downstream.closeChannel(2, "moved")],
    ["with its connection", ({ peer }: World) => peer.downstream.close()],
  ])("%s a share still counts, and nothing is sent", (_how, close) => {
    const the = world();
    const { side, pool, peer, give } = the;
    give();
    const channel = peer.openExtended();
    for (let i = 0; i < 3; i++) channel.submit(good(channel));
    close(the);
    peer.received();
    side.answer(undefined);
    side.answer("stale-share");
    side.answer(null);
    peer.nothing();
    expect(pool.credits).toMatchObject([
      { userIdentity: "alice", pool: "main" },
      { userIdentity: "alice", pool: "main" },
    ]);
    expect(pool.judged.map(({ errorCode }) => errorCode)).toEqual([undefined, "stale-share", undefined]);
    expect(pool.extranonces.inUse).toBe(0);
    expect(peer.downstream.channelCount).toBe(0);
  });

  test("its acknowledgement of a full batch is not sent either", () => {
    const { side, pool, peer, give } = world();
    give();
    const channel = peer.openExtended();
    for (let i = 0; i < 7; i++) channel.submit(good(channel));
    peer.downstream.close();
    while (side.waiting.length > 0) side.answer(undefined);
    peer.nothing();
    expect(pool.credits).toHaveLength(7);
  });
});

describe("workers", () => {
  test("are named to the pool and credited, also when the answer comes after the next pool's first job", () => {
    const { side, pool, peer, give } = world();
    peer.downstream.useExtensions(new Set([0x0002]));
    give();
    const channel = peer.openExtended();
    channel.submit(good(channel), encodeUserIdentity("s19"));
    const other = new PoolSide("spare", 2, 12);
    pool.give(other.job({ jobId: 60, prevHash: TIP }));
    side.answer(undefined);
    expect(side.shares[0]).toMatchObject({ userIdentity: "alice.s19" });
    expect(pool.credits).toMatchObject([{ userIdentity: "alice.s19", pool: "main", jobId: 1 }]);
  });

  test("that may not mine cost the share, and it does not go up", () => {
    const { side, pool, peer, give } = world();
    peer.downstream.useExtensions(new Set([0x0002]));
    give();
    const channel = peer.openExtended();
    pool.authorise = () => ({ allowed: false, errorCode: "unknown-user" });
    channel.submit(good(channel), encodeUserIdentity("mallory"));
    expect(peer.next("SubmitSharesError").errorCode).toBe("unknown-user");
    expect(side.shares).toEqual([]);
  });
});

describe("a Bitcoin block of a pool's job", () => {
  const lines = (pool: TestPool, level: string) =>
    pool.log.lines.filter((line) => line.level === level && /Bitcoin block/.test(line.message));

  test("goes to the pool and not to our nodes, is told in the log, and acknowledged as soon as it is accepted", () => {
    const { side, pool, peer, give } = world();
    give({ nBits: EASY_BITS, target: POOL_TARGET });
    const channel = peer.openExtended();
    const mined = channel.mine({ atMost: POOL_TARGET });
    channel.submit(mined);
    expect(side.shares).toMatchObject([{ block: true }]);
    expect(pool.blocks).toEqual([]);
    expect(lines(pool, "info")).toMatchObject([{ fields: { hash: toDisplayHex(mined.hash), user: "alice" } }]);
    side.answer(undefined);
    expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(1);
    expect(peer.downstream.channels()[0]).toMatchObject({ blocks: 1 });
    expect(pool.judged).toMatchObject([{ block: true }]);
  });

  test("goes up when it is late, or misses even the pool's own target; the miner is refused once and the pool's answer changes nothing", () => {
    const { side, pool, peer, give } = world();
    give({ nBits: EASY_BITS, target: 1n });
    const channel = peer.openExtended();
    const late = channel.mine();
    give({ nBits: EASY_BITS, prevHash: seededRandom(9).bytes(32) });
    peer.received();
    channel.submit(late);
    expect(peer.next("SubmitSharesError").errorCode).toBe("stale-share");
    expect(side.shares).toMatchObject([{ block: true, work: { jobId: 1 } }]);
    side.answer(undefined);
    peer.downstream.flush();
    peer.nothing();
    expect(pool.credits).toEqual([]);
    expect(pool.judged).toMatchObject([{ errorCode: "stale-share", block: true }]);
  });

  test("that comes twice goes up once", () => {
    const { side, peer, give } = world();
    give({ nBits: EASY_BITS });
    const channel = peer.openExtended();
    const mined = channel.mine();
    channel.submit(mined);
    channel.submit(mined);
    expect(side.shares).toHaveLength(1);
    expect(peer.names()).toEqual(["SubmitSharesError"]);
  });

  test("that could not be sent is an error in the log, one line a job", () => {
    const { side, pool, peer, give } = world();
    give({ nBits: EASY_BITS });
    const channel = peer.openExtended();
    channel.submit(channel.mine());
    side.end();
    for (let i = 0; i < 3; i++) channel.submit(channel.mine());
    expect(lines(pool, "info")).toHaveLength(1);
    expect(lines(pool, "error")).toHaveLength(1);
    expect(pool.credits).toHaveLength(4);
  });
});

test("without a way up shares count as unanswered ones, and own jobs are not touched by any of it", () => {
  const pool = new TestPool();
  const side = new PoolSide("main", 1, 20);
  const peer = pool.connect();
  pool.give(side.job({ jobId: 1, prevHash: TIP }));
  const channel = peer.openExtended();
  channel.submit(channel.mine({ atMost: POOL_TARGET }));
  expect(pool.credits).toMatchObject([{ pool: "main" }]);
  pool.newBlock({ nBits: EASY_BITS });
  channel.catchUp();
  channel.submit(channel.mine());
  expect(pool.blocks).toHaveLength(1);
  expect(pool.credits[1]).not.toHaveProperty("pool");
});

describe("no channel is harder than the pool's shares", () => {
  test("when it opens", () => {
    const { peer, give } = world();
    const job = give({ target: POOL_TARGET });
    peer.openExtended({ nominalHashRate: 1e6 });
    expect(peer.downstream.channels()[0]!.difficulty).toBeCloseTo(job.pool!.difficulty, 12);
  });

  test("when another target comes, which is lowered before the job; and vardiff may go up again when the pool does", () => {
    const { peer, give } = world();
    const hard = give({ target: POOL_TARGET / 50n });
    const channel = peer.openExtended({ nominalHashRate: 1e6 });
    expect(peer.downstream.channels()[0]!.difficulty).toBe(hard.pool!.difficulty);
    const easy = give({ target: POOL_TARGET });
    expect(peer.names()).toEqual(["SetTarget", "NewExtendedMiningJob"]);
    expect(peer.downstream.channels()[0]!.difficulty).toBe(easy.pool!.difficulty);
    const claim = { channelId: channel.channelId, nominalHashRate: 2e6, maximumTarget: new Uint8Array(32).fill(0xff) };
    peer.send("UpdateChannel", claim);
    expect(peer.downstream.channels()[0]!.difficulty).toBe(easy.pool!.difficulty);
    give({ target: POOL_TARGET / 50n });
    peer.send("UpdateChannel", { ...claim, nominalHashRate: 4e6 });
    expect(peer.downstream.channels()[0]!.difficulty).toBe(hard.pool!.difficulty);
  });
});
