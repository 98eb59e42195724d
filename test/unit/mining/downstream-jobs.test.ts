/** Jobs, groups, targets and extranonce prefixes, as conversations. */
import { describe, expect, test } from "vitest";
import { difficultyOfTarget, targetOfDifficulty, targetToBytes } from "../../../src/bitcoin/target.ts";
import { toHex } from "../../../src/kernel/bytes.ts";
import type { AuxSnapshot } from "../../../src/mining/aux.ts";
import { networkTarget, TestPool, targetBytes, toNumber } from "../../support/conversation.ts";
import { EASY_BITS, makeTemplate } from "../../support/fake-chain.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function withJob(): TestPool {
  const pool = new TestPool();
  pool.newBlock();
  return pool;
}

describe("a group of channels", () => {
  test("gets one future job and one SetNewPrevHash for another previous block", () => {
    const pool = withJob();
    const peer = pool.connect();
    for (let i = 0; i < 10; i++) i % 2 === 0 ? peer.openStandard() : peer.openExtended();
    const job = pool.newBlock();
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ channelId: 1, jobId: job.jobId, minNtime: null });
    expect(peer.next("SetNewPrevHash")).toMatchObject({ channelId: 1, jobId: job.jobId, prevHash: job.prevHash });
    peer.nothing();
  });

  test("gets one job to mine at once, and no SetNewPrevHash, for another template on the same block", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openStandard();
    peer.openExtended();
    pool.clock.advance(30_000);
    const job = pool.refresh();
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ channelId: 1, jobId: job.jobId, minNtime: pool.nowS });
    peer.nothing();
  });

  test("without channels gets nothing", () => {
    const pool = withJob();
    const peer = pool.connect();
    pool.newBlock();
    pool.refresh();
    peer.nothing();
  });

  test("is never announced with SetGroupChannel: SRI's pool does not either", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.send("OpenStandardMiningChannel", {
      requestId: 1,
      userIdentity: "",
      nominalHashRate: 10,
      maxTarget: targetBytes(1e-9),
    });
    pool.newBlock();
    expect(peer.names()).not.toContain("SetGroupChannel");
  });

  test("standard channels of a group mine the group's job with their 20 bytes of extranonce", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openStandard();
    pool.newBlock();
    channel.catchUp();
    channel.submit(channel.mine());
    peer.downstream.flush();
    expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(1);
  });
});

describe("a connection that requires standard jobs", () => {
  test("gets a job and SetNewPrevHash for each channel, each with a root of its own", () => {
    const pool = withJob();
    const peer = pool.connect({ requiresStandardJobs: true });
    const channels = [peer.openStandard(), peer.openStandard(), peer.openStandard()];
    const job = pool.newBlock();
    const messages = peer.received();
    expect(messages.map(({ name }) => name)).toEqual(Array(3).fill(["NewMiningJob", "SetNewPrevHash"]).flat());
    const ids = messages.map(({ value }) => (value as { channelId: number }).channelId);
    expect(ids).toEqual(channels.flatMap(({ channelId }) => [channelId, channelId]));
    const roots = messages.flatMap((message) =>
      message.name === "NewMiningJob" ? [toHex(message.value.merkleRoot)] : [],
    );
    expect(new Set(roots).size).toBe(3);
    expect(messages[0]).toMatchObject({ value: { jobId: job.jobId, minNtime: null } });
  });

  test("gets a job to mine at once for another template", () => {
    const pool = withJob();
    const peer = pool.connect({ requiresStandardJobs: true });
    peer.openStandard();
    pool.refresh();
    expect(peer.next("NewMiningJob")).toMatchObject({ channelId: 2, minNtime: pool.nowS });
    peer.nothing();
  });

  test("the same template again is other work", () => {
    const pool = withJob();
    const peer = pool.connect({ requiresStandardJobs: true });
    const channel = peer.openStandard();
    const { template } = pool.job!;
    const roots = [0, 1, 2].map(() => {
      pool.offer(template);
      return toHex(peer.next("NewMiningJob").merkleRoot);
    });
    expect(new Set(roots).size).toBe(3);
    pool.offer(template);
    channel.catchUp();
    channel.submit(channel.mine());
    peer.downstream.flush();
    expect(peer.names()).toEqual(["SubmitSharesSuccess"]);
  });
});

describe("new jobs", () => {
  test("a refresh on a previous block that this connection does not know yet counts as a new block", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openExtended();
    // A round over many connections was overtaken: this one never saw the first job on the new block.
    const prevHash = seededRandom(99).bytes(32);
    pool.offer(makeTemplate({ height: 200, prevHash }));
    expect(peer.names()).toEqual(["NewExtendedMiningJob", "SetNewPrevHash"]);
  });

  test("a new block that is the one we are on keeps the old jobs valid", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openExtended();
    const mined = channel.mine();
    pool.refresh();
    expect(peer.names()).toEqual(["NewExtendedMiningJob"]);
    channel.submit(mined);
    peer.downstream.flush();
    expect(peer.names()).toEqual(["SubmitSharesSuccess"]);
  });

  test("the same job twice is sent once", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openExtended();
    const job = pool.newBlock();
    peer.received();
    peer.downstream.newJob(job);
    peer.nothing();
  });

  test("a channel that opens before the round reached its connection moves the others along", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openExtended();
    pool.peers.length = 0;
    const job = pool.newBlock();
    peer.send("OpenStandardMiningChannel", {
      requestId: 1,
      userIdentity: "",
      nominalHashRate: 10,
      maxTarget: targetBytes(1e-9),
    });
    expect(peer.received().map(({ name, value }) => [name, (value as { channelId: number }).channelId])).toEqual([
      ["NewExtendedMiningJob", 1],
      ["SetNewPrevHash", 1],
      ["OpenStandardMiningChannelSuccess", 3],
      ["NewMiningJob", 3],
      ["SetNewPrevHash", 3],
    ]);
    peer.downstream.newJob(job);
    peer.nothing();
  });

  test("another target for the same previous block is told with SetNewPrevHash, for no other message has it", () => {
    const pool = new TestPool();
    pool.newBlock({ nBits: 0x1d00ffff });
    const peer = pool.connect();
    peer.openExtended();
    const { prevHash } = pool.job!;
    // The testnets' rule again: 20 minutes after a block the next one may be easier.
    const job = pool.refresh({ nBits: EASY_BITS });
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ jobId: job.jobId, minNtime: null });
    expect(peer.next("SetNewPrevHash")).toMatchObject({ jobId: job.jobId, prevHash, nbits: EASY_BITS });
    peer.nothing();
  });

  test("where blocks become easier than a channel's shares, SetTarget comes before the job", () => {
    const pool = new TestPool();
    pool.newBlock({ nBits: 0x1c00ffff });
    const peer = pool.connect();
    const channel = peer.openExtended({ nominalHashRate: 1e12 });
    expect(toNumber(channel.target)).toBe(networkTarget(0x1c00ffff));
    // The testnets allow a block of difficulty 1 after 20 minutes without one.
    pool.newBlock({ nBits: 0x1d00ffff });
    expect(toNumber(peer.next("SetTarget").maximumTarget)).toBe(networkTarget(0x1d00ffff));
    expect(peer.names()).toEqual(["NewExtendedMiningJob", "SetNewPrevHash"]);
    pool.newBlock({ nBits: EASY_BITS });
    expect(peer.names()).toEqual(["NewExtendedMiningJob", "SetNewPrevHash"]);
  });

  test("a thousand jobs on one block leave a bounded number behind", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openExtended();
    const first = channel.mine();
    const { template } = pool.job!;
    for (let i = 0; i < 38; i++) pool.offer(template);
    channel.submit(first);
    peer.downstream.flush();
    expect(peer.names().at(-1)).toBe("SubmitSharesSuccess");
    for (let i = 0; i < 1000; i++) pool.offer(template);
    peer.received();
    channel.submit(first);
    expect(peer.next("SubmitSharesError").errorCode).toBe("invalid-job-id");
  });
});

describe("targets", () => {
  test("a share is judged by the target that its job had when it became active", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openExtended({ nominalHashRate: 10 });
    const easy = channel.target;
    const before = channel.mine();
    peer.send("UpdateChannel", { channelId: 2, nominalHashRate: 1000, maximumTarget: new Uint8Array(32).fill(0xff) });
    channel.catchUp();
    expect(toNumber(channel.target)).toBeLessThan(toNumber(easy));
    // Old job, easy target: accepted at the old difficulty.
    channel.submit(before);
    // New job, found by the old target only: refused.
    const weak = channel.mine({ atMost: toNumber(easy), above: toNumber(channel.target) });
    channel.submit(weak);
    const strong = channel.mine();
    channel.submit(strong);
    peer.downstream.flush();
    expect(peer.names()).toEqual(["SubmitSharesSuccess", "SubmitSharesError", "SubmitSharesSuccess"]);
    const [first, second] = pool.credits;
    expect(second!.difficulty / first!.difficulty).toBeCloseTo(100, 5);
  });

  test("the target at the time of a new job holds for it, without another message", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openExtended({ nominalHashRate: 10 });
    const easy = toNumber(channel.target);
    peer.send("UpdateChannel", { channelId: 2, nominalHashRate: 1000, maximumTarget: new Uint8Array(32).fill(0xff) });
    channel.catchUp();
    pool.newBlock();
    channel.catchUp();
    channel.submit(channel.mine({ atMost: easy, above: toNumber(channel.target) }));
    expect(peer.next("SubmitSharesError").errorCode).toBe("difficulty-too-low");
  });

  test("a flood is answered with SetTarget and a job within about a second", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openStandard({ nominalHashRate: 10 });
    let answered = -1;
    for (let ms = 0; ms < 3000 && answered < 0; ms += 10) {
      pool.clock.advance(10);
      channel.submit(channel.mine());
      if (peer.received().some(({ name }) => name === "SetTarget")) answered = ms;
    }
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(1500);
    // 100 shares a second instead of one in ten: a thousand times harder.
    const { difficulty, hashrate } = peer.downstream.channels()[0]!;
    expect(difficulty / pool.credits[0]!.difficulty).toBeGreaterThan(700);
    expect(hashrate).toBeGreaterThan(7000);
  });

  test("silence is answered with an easier target, and the job on which it holds", () => {
    const pool = withJob();
    const peer = pool.connect({ minDifficulty: 1e-9 });
    const channel = peer.openExtended({ nominalHashRate: 1e6 });
    pool.pass(40);
    const message = peer.next("SetTarget");
    expect(toNumber(message.maximumTarget)).toBeGreaterThan(toNumber(channel.target));
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ channelId: 2, minNtime: expect.any(Number) });
  });
});

describe("a merge-mined chain that is easier than Bitcoin", () => {
  const HARD = 0x1700ffff;
  const aux = (difficulty: number | undefined): { aux: AuxSnapshot } => ({
    aux: {
      generation: 1,
      entries: [],
      chains: [],
      easiest: targetToBytes(0n),
      channelTarget: difficulty === undefined ? undefined : targetOfDifficulty(difficulty),
    },
  });
  const difficultyOf = (pool: TestPool): number => pool.peers[0]!.downstream.channels()[0]!.difficulty;

  /** A miner of about difficulty 16,000 on a hard network. */
  function farm(): TestPool {
    const pool = new TestPool();
    pool.newBlock({ nBits: HARD });
    pool.connect().openExtended({ nominalHashRate: 7e12 });
    expect(difficultyOf(pool)).toBeGreaterThan(10_000);
    return pool;
  }

  test("keeps channels from being harder, with SetTarget before the job that commits to it, and no SetNewPrevHash", () => {
    const pool = farm();
    const [peer] = pool.peers;
    const job = pool.offer(pool.job!.template, aux(1000));
    const { maximumTarget } = peer!.next("SetTarget");
    expect(difficultyOfTarget(toNumber(maximumTarget))).toBeCloseTo(1000, 3);
    expect(peer!.next("NewExtendedMiningJob")).toMatchObject({ jobId: job.jobId, minNtime: expect.any(Number) });
    peer!.nothing();
    expect(difficultyOf(pool)).toBe(1000);
  });

  test("holds for the job that it came with and not for the jobs before", () => {
    const pool = new TestPool();
    pool.newBlock({ nBits: HARD });
    const peer = pool.connect({ minDifficulty: 1e-9 });
    const channel = peer.openExtended({ nominalHashRate: 100 });
    const hard = toNumber(channel.target);
    const early = channel.mine({ atMost: 100n * hard, above: hard });
    pool.offer(pool.job!.template, aux(difficultyOf(pool) / 100));
    channel.catchUp();
    const late = channel.mine({ atMost: toNumber(channel.target), above: hard });
    channel.submit(early);
    expect(peer.next("SubmitSharesError").errorCode).toBe("difficulty-too-low");
    channel.submit(late);
    peer.downstream.flush();
    expect(peer.names()).toEqual(["SubmitSharesSuccess"]);
  });

  test("is an upper end for channels that open and for vardiff while it stands", () => {
    const pool = farm();
    pool.offer(pool.job!.template, aux(1000));
    pool.peers[0]!.received();
    const channel = pool.peers[0]!.openExtended({ nominalHashRate: 7e12 });
    expect(difficultyOfTarget(toNumber(channel.target))).toBeCloseTo(1000, 3);
    expect(pool.peers[0]!.downstream.channels().map(({ difficulty }) => difficulty)).toEqual([1000, 1000]);
  });

  test("gone, lets channels be as hard again as their hashrate wants", () => {
    const pool = farm();
    const [peer] = pool.peers;
    const claim = { channelId: 2, maximumTarget: new Uint8Array(32).fill(0xff) };
    pool.offer(pool.job!.template, aux(1000));
    peer!.send("UpdateChannel", { ...claim, nominalHashRate: 8e13 });
    expect(difficultyOf(pool)).toBe(1000);
    pool.offer(pool.job!.template, aux(undefined));
    expect(difficultyOf(pool)).toBe(1000);
    peer!.send("UpdateChannel", { ...claim, nominalHashRate: 7e12 });
    expect(difficultyOf(pool)).toBeGreaterThan(10_000);
  });

  test("the job that is repeated for a new target commits to the same chains", () => {
    const pool = new TestPool();
    pool.newBlock();
    const peer = pool.connect();
    const channel = peer.openExtended({ nominalHashRate: 10 });
    const { aux: snapshot } = pool.offer(pool.job!.template, aux(undefined));
    peer.send("UpdateChannel", { channelId: 2, nominalHashRate: 1000, maximumTarget: new Uint8Array(32).fill(0xff) });
    channel.catchUp();
    channel.submit(channel.mine());
    expect(pool.hashed.at(-1)?.job.aux).toBe(snapshot);
    expect(pool.hashed.at(-1)?.job).not.toBe(pool.job);
  });
});

describe("SetExtranoncePrefix", () => {
  test.each(["standard", "extended"] as const)(
    "a %s channel moves on with its next job; shares of the old one still count",
    (kind) => {
      const pool = withJob();
      const peer = pool.connect();
      const channel = kind === "standard" ? peer.openStandard() : peer.openExtended();
      const oldPrefix = toHex(channel.extranoncePrefix);
      const before = channel.mine();
      expect(peer.downstream.changeExtranoncePrefix(2)).toBe(true);
      channel.catchUp();
      expect(channel.extranoncePrefix).toHaveLength(kind === "standard" ? 20 : 4);
      expect(toHex(channel.extranoncePrefix)).not.toBe(oldPrefix);
      expect(pool.extranonces.inUse).toBe(2);
      channel.submit(before);
      pool.refresh();
      channel.catchUp();
      channel.submit(channel.mine());
      peer.downstream.flush();
      expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(2);
      peer.nothing();
    },
  );

  test("the old prefix is given back once no job needs it", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openExtended();
    peer.downstream.changeExtranoncePrefix(2);
    expect(pool.extranonces.inUse).toBe(2);
    for (let i = 0; i < 50; i++) pool.refresh();
    expect(pool.extranonces.inUse).toBe(1);
    peer.downstream.changeExtranoncePrefix(2);
    peer.downstream.close();
    expect(pool.extranonces.inUse).toBe(0);
  });

  test("is not done for an unknown channel, nor when the space is exhausted", () => {
    const pool = new TestPool({ capacity: 1 });
    const peer = pool.connect();
    peer.openExtended();
    expect(peer.downstream.changeExtranoncePrefix(3)).toBe(false);
    expect(peer.downstream.changeExtranoncePrefix(2)).toBe(false);
    peer.nothing();
    expect(pool.extranonces.inUse).toBe(1);
  });
});
