/** Shares, their answers, their credit and the blocks among them, as conversations. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { encodeTlv, encodeUserIdentity } from "../../../src/sv2/tlv.ts";
import {
  type Mined,
  networkTarget,
  type Peer,
  type TestChannel,
  TestPool,
  toNumber,
} from "../../support/conversation.ts";
import { EASY_BITS, refusal } from "../../support/fake-chain.ts";

const WORKER_TRACKING = new Set([0x0002]);

function withJob(nBits?: number): TestPool {
  const pool = new TestPool();
  pool.newBlock(nBits === undefined ? {} : { nBits });
  return pool;
}

function open(kind: "standard" | "extended", peer: Peer): TestChannel {
  return kind === "standard" ? peer.openStandard() : peer.openExtended();
}

describe.each(["standard", "extended"] as const)("shares of a %s channel", (kind) => {
  const refused = (change: (mined: Mined, channel: TestChannel, pool: TestPool) => Mined): string => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = open(kind, peer);
    const sequenceNumber = channel.submit(change(channel.mine(), channel, pool));
    const answer = peer.next("SubmitSharesError");
    expect(answer).toMatchObject({ channelId: 2, sequenceNumber });
    peer.nothing();
    expect(pool.credits).toEqual([]);
    expect(peer.downstream.channels()[0]?.rejected).toEqual({ [answer.errorCode]: 1 });
    return answer.errorCode;
  };

  test("are credited with the difficulty of their job", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = open(kind, peer);
    channel.submit(channel.mine());
    const { difficulty } = peer.downstream.channels()[0]!;
    expect(pool.credits).toEqual([
      { userIdentity: "alice", difficulty, chains: [], height: 101, jobId: 1, atMs: pool.clock.nowMs() },
    ]);
    expect(peer.downstream.channels()[0]).toMatchObject({ accepted: 1, acceptedDifficulty: difficulty, rejected: {} });
  });

  test("stale-share", () => {
    const change = (mined: Mined, channel: TestChannel, pool: TestPool): Mined => {
      pool.newBlock();
      channel.peer.received();
      return mined;
    };
    expect(refused(change)).toBe("stale-share");
  });

  test("invalid-job-id", () => {
    expect(refused((mined) => ({ ...mined, jobId: 77 }))).toBe("invalid-job-id");
  });

  test("invalid-share for a time before SetNewPrevHash's", () => {
    expect(refused((mined, channel) => channel.mine({ ntime: mined.ntime - 1 }))).toBe("invalid-share");
  });

  test("invalid-share for a time that nodes would refuse", () => {
    expect(refused((mined, channel) => channel.mine({ ntime: mined.ntime + 7201 }))).toBe("invalid-share");
  });

  test("a time a minute ahead is fine: SRI's own CPU miner has that", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = open(kind, peer);
    channel.submit(channel.mine({ ntime: pool.nowS + 60 }));
    expect(pool.credits).toHaveLength(1);
  });

  test("invalid-non-rollable-version-bit outside of BIP320's bits, also where BIP323 has more", () => {
    for (const version of [0, 0x20000001, 0x20000020, 0x20001000, 0x60000000]) {
      expect(refused((_mined, channel) => channel.mine({ version }))).toBe("invalid-non-rollable-version-bit");
    }
  });

  test("rolled in BIP320's bits they are accepted", () => {
    const pool = withJob();
    const channel = open(kind, pool.connect());
    for (const version of [0x3fffe000, 0x20002000, 0x30000000]) channel.submit(channel.mine({ version }));
    expect(pool.credits).toHaveLength(3);
  });

  test("difficulty-too-low", () => {
    const change = (_mined: Mined, channel: TestChannel): Mined =>
      channel.mine({ atMost: 2n ** 256n, above: toNumber(channel.target) });
    expect(refused(change)).toBe("difficulty-too-low");
  });

  test("duplicate-share, also under another sequence number and after a refresh", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = open(kind, peer);
    const mined = channel.mine();
    channel.submit(mined);
    channel.submit(mined);
    expect(peer.names()).toEqual(["SubmitSharesSuccess", "SubmitSharesError"]);
    pool.refresh();
    peer.received();
    channel.submit(mined);
    expect(peer.next("SubmitSharesError").errorCode).toBe("duplicate-share");
    expect(pool.credits).toHaveLength(1);
  });

  test("of an older job on the same block are accepted", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = open(kind, peer);
    const mined = channel.mine();
    pool.refresh();
    pool.refresh();
    channel.submit(mined);
    expect(pool.credits).toHaveLength(1);
  });
});

describe("shares that do not belong", () => {
  test("invalid-channel-id for an unknown channel and for the other kind's message", () => {
    const pool = withJob();
    const peer = pool.connect();
    const standard = peer.openStandard();
    const extended = peer.openExtended();
    const mined = standard.mine();
    const { jobId, nonce, ntime, version } = mined;
    for (const channelId of [extended.channelId, 1, 99]) {
      peer.send("SubmitSharesStandard", { channelId, sequenceNumber: 4, jobId, nonce, ntime, version });
      expect(peer.next("SubmitSharesError")).toEqual({ channelId, sequenceNumber: 4, errorCode: "invalid-channel-id" });
    }
    peer.send("SubmitSharesExtended", {
      channelId: standard.channelId,
      sequenceNumber: 5,
      jobId,
      nonce,
      ntime,
      version,
      extranonce: new Uint8Array(16),
    });
    expect(peer.next("SubmitSharesError").errorCode).toBe("invalid-channel-id");
    expect(pool.credits).toEqual([]);
  });

  test.each([0, 15, 17, 32])("bad-extranonce-size with %d bytes", (size) => {
    const peer = withJob().connect();
    const channel = peer.openExtended();
    channel.submit({ ...channel.mine(), extranonce: new Uint8Array(size) });
    expect(peer.next("SubmitSharesError").errorCode).toBe("bad-extranonce-size");
  });

  test("invalid-job-id for a job that was there before the channel was", () => {
    const pool = withJob();
    const peer = pool.connect();
    const early = peer.openExtended();
    const mined = early.mine();
    pool.refresh();
    early.catchUp();
    const late = peer.openExtended();
    late.submit(mined);
    expect(peer.next("SubmitSharesError").errorCode).toBe("invalid-job-id");
  });

  test("one channel's share is another's refusal: the extranonce prefix is part of the work", () => {
    const pool = withJob();
    const peer = pool.connect();
    const one = peer.openExtended();
    const other = peer.openExtended();
    const mined = one.mine();
    other.submit(mined);
    expect(peer.next("SubmitSharesError").errorCode).toBe("difficulty-too-low");
  });

  test("version-rolling-not-allowed where the pool forbids it", () => {
    const pool = new TestPool();
    pool.offer(pool.newBlock().template, { versionRollingMask: 0 });
    const peer = pool.connect();
    const channel = peer.openExtended();
    channel.submit(channel.mine({ version: 0x20002000 }));
    expect(peer.next("SubmitSharesError").errorCode).toBe("version-rolling-not-allowed");
    channel.submit(channel.mine());
    expect(pool.credits).toHaveLength(1);
  });

  test("invalid-share when more shares than are remembered come between two blocks; the next block helps", () => {
    const pool = withJob();
    const peer = pool.connect({ duplicateCapacity: 3, maxDifficulty: 1e-6 });
    const channel = peer.openStandard();
    for (let i = 0; i < 4; i++) channel.submit(channel.mine());
    expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(3);
    expect(peer.next("SubmitSharesError").errorCode).toBe("invalid-share");
    pool.newBlock();
    channel.catchUp();
    channel.submit(channel.mine());
    expect(pool.credits).toHaveLength(4);
  });
});

describe("acknowledgements", () => {
  test("come for a batch, with its last sequence number, count and sum", () => {
    const pool = withJob();
    const peer = pool.connect({ ackBatchSize: 4 });
    const channel = peer.openStandard();
    for (let i = 0; i < 3; i++) channel.submit(channel.mine());
    peer.nothing();
    channel.submit(channel.mine());
    expect(peer.next("SubmitSharesSuccess")).toEqual({
      channelId: 2,
      lastSequenceNumber: 3,
      newSubmitsAcceptedCount: 4,
      newSharesSum: 0n,
    });
    peer.nothing();
  });

  test("come after some seconds for a batch that does not fill", () => {
    const pool = withJob();
    const peer = pool.connect({ ackMaxDelayMs: 5000 });
    const channel = peer.openStandard();
    channel.submit(channel.mine());
    pool.pass(4);
    channel.submit(channel.mine());
    peer.nothing();
    pool.pass(1);
    expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(2);
    pool.pass(10);
    peer.nothing();
  });

  test("are answered in the order of the shares: what was accepted before a refusal is told before it", () => {
    const peer = withJob().connect();
    const channel = peer.openStandard();
    channel.submit(channel.mine());
    channel.submit(channel.mine());
    channel.submit({ ...channel.mine(), jobId: 5 });
    channel.submit(channel.mine());
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 1, newSubmitsAcceptedCount: 2 });
    expect(peer.next("SubmitSharesError")).toMatchObject({ sequenceNumber: 2, errorCode: "invalid-job-id" });
    peer.downstream.flush();
    expect(peer.next("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: 3, newSubmitsAcceptedCount: 1 });
  });

  test("count every accepted share once, whatever comes in between", () => {
    const step = fc.constantFrom("good", "good", "bad", "duplicate", "tick", "refresh", "block", "update");
    const pool = withJob();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), (steps, ackBatchSize) => {
        const peer = pool.connect({ ackBatchSize, ackMaxDelayMs: 3000, maxDifficulty: 2e-8 });
        const credited = pool.credits.length;
        const channel = peer.openExtended();
        let last: Mined | undefined;
        let refusals = 0;
        let acknowledged = 0;
        let sent = 0;
        let errors = 0;
        const read = (): void => {
          for (const message of peer.received()) {
            channel.follow(message);
            if (message.name === "SubmitSharesSuccess") acknowledged += message.value.newSubmitsAcceptedCount;
            if (message.name === "SubmitSharesError") errors += 1;
          }
        };
        for (const what of steps) {
          if (what === "good") {
            last = channel.mine({ extranonce: new Uint8Array(16).fill(sent) });
            channel.submit(last);
            sent += 1;
          } else if (what === "bad") {
            channel.submit({ ...channel.mine(), jobId: 4_000_000_000 });
            refusals += 1;
          } else if (what === "duplicate" && last !== undefined) {
            channel.submit(last);
            refusals += 1;
          } else if (what === "tick") pool.pass(1);
          else if (what === "refresh") pool.refresh();
          else if (what === "block") pool.newBlock();
          else if (what === "update") {
            const nominalHashRate = 20 + sent;
            peer.send("UpdateChannel", { channelId: 2, nominalHashRate, maximumTarget: new Uint8Array(32).fill(0xff) });
          }
          read();
        }
        peer.downstream.flush();
        read();
        pool.peers.length = 0;
        expect(acknowledged).toBe(sent);
        expect(pool.credits.length - credited).toBe(sent);
        expect(errors).toBe(refusals);
        expect(peer.downstream.channels()[0]).toMatchObject({ accepted: sent });
        peer.downstream.close();
      }),
      { numRuns: 40 },
    );
  });
});

describe("blocks", () => {
  test.each(["standard", "extended"] as const)(
    "of a %s channel are handed over whole, before the miner is answered",
    (kind) => {
      const pool = withJob(EASY_BITS);
      const peer = pool.connect();
      const channel = open(kind, peer);
      const mined = channel.mine();
      expect(toNumber(mined.hash)).toBeLessThanOrEqual(networkTarget(EASY_BITS));
      channel.submit(mined);
      const [block] = pool.blocks;
      expect(block).toMatchObject({
        height: 101,
        source: "fake",
        userIdentity: "alice",
        reward: pool.job!.payoutValue,
      });
      expect(toHex(block!.hash)).toBe(toHex(mined.hash));
      expect(toHex(block!.header)).toBe(toHex(mined.header));
      expect(refusal(block!, pool.job!.template)).toBeUndefined();
      expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(1);
      expect(peer.downstream.channels()[0]).toMatchObject({ blocks: 1 });
    },
  );

  test("are acknowledged at once, with the batch before them", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openExtended();
    channel.submit(channel.mine());
    const easy = pool.refresh({ nBits: EASY_BITS });
    channel.catchUp();
    expect(easy.nBits).toBe(EASY_BITS);
    peer.nothing();
    channel.submit(channel.mine());
    expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(2);
    expect(pool.blocks).toHaveLength(1);
  });

  test("on a job that is stale by now are handed over, and the share refused", () => {
    const pool = withJob(EASY_BITS);
    const peer = pool.connect();
    const channel = peer.openExtended();
    const late = channel.mine();
    const { template } = pool.job!;
    pool.newBlock({ nBits: EASY_BITS });
    peer.received();
    channel.submit(late);
    expect(peer.next("SubmitSharesError").errorCode).toBe("stale-share");
    expect(refusal(pool.blocks[0]!, template)).toBeUndefined();
    expect(pool.credits).toEqual([]);
  });

  test("that come twice are handed over once", () => {
    const pool = withJob(EASY_BITS);
    const peer = pool.connect();
    const channel = peer.openExtended();
    const mined = channel.mine();
    channel.submit(mined);
    channel.submit(mined);
    expect(pool.blocks).toHaveLength(1);
    expect(peer.names()).toEqual(["SubmitSharesSuccess", "SubmitSharesError"]);
  });

  test("carry a solved standard job that was repeated for a new target", () => {
    const pool = withJob(EASY_BITS);
    const peer = pool.connect({ requiresStandardJobs: true });
    const channel = peer.openStandard();
    peer.send("UpdateChannel", { channelId: 2, nominalHashRate: 100, maximumTarget: new Uint8Array(32).fill(0xff) });
    channel.catchUp();
    expect(channel.jobId).toBe(2);
    channel.submit(channel.mine());
    expect(refusal(pool.blocks[0]!, pool.job!.template)).toBeUndefined();
  });

  test("whose transactions only the node has carry header and coinbase", () => {
    const pool = new TestPool();
    const { template } = pool.newBlock({ nBits: EASY_BITS });
    pool.offer({ ...template, transactions: undefined });
    const channel = pool.connect().openExtended();
    channel.submit(channel.mine());
    expect(pool.blocks[0]).toMatchObject({ block: undefined, templateId: template.id });
    expect(pool.blocks[0]?.coinbase.length).toBeGreaterThan(100);
  });
});

describe("worker names on shares (extension 0x0002)", () => {
  const named = (name: string) => encodeUserIdentity(name);

  test("attribute shares and blocks when the extension is in use", () => {
    const pool = withJob(EASY_BITS);
    const peer = pool.connect();
    peer.downstream.useExtensions(WORKER_TRACKING);
    const channel = peer.openExtended();
    channel.submit(channel.mine(), named("alice.s19"));
    channel.submit(channel.mine(), named("alice.s21"));
    channel.submit(channel.mine());
    channel.submit(channel.mine(), named(""));
    const names = ["alice.s19", "alice.s21", "alice", "alice"];
    expect(pool.credits.map(({ userIdentity }) => userIdentity)).toEqual(names);
    expect(pool.blocks.map(({ userIdentity }) => userIdentity)).toEqual(names);
    expect(pool.blocks.map(({ isGift }) => isGift)).toEqual([false, false, false, false]);
    expect(pool.judged.map(({ userIdentity }) => userIdentity)).toEqual(names);
  });

  test("cost no block when the authoriser fails", () => {
    const pool = withJob(EASY_BITS);
    const peer = pool.connect();
    peer.downstream.useExtensions(WORKER_TRACKING);
    const channel = peer.openExtended();
    pool.authorise = () => {
      throw new Error("the list of users is away");
    };
    channel.submit(channel.mine(), named("s19"));
    expect(pool.blocks).toHaveLength(1);
    expect(pool.blocks[0]?.userIdentity).toBe("alice");
    expect(peer.next("SubmitSharesError").errorCode).toBe("invalid-share");
    expect(pool.log.lines.at(-1)).toMatchObject({ level: "error" });
  });

  test("are ignored when it is not", () => {
    const pool = withJob();
    const channel = pool.connect().openExtended();
    channel.submit(channel.mine(), named("mallory"));
    channel.submit(channel.mine(), Uint8Array.of(1, 2, 3));
    expect(pool.credits.map(({ userIdentity }) => userIdentity)).toEqual(["alice", "alice"]);
  });

  test("are authorised once each; who may not mine gets the authoriser's code, but no block is lost", () => {
    const pool = withJob(EASY_BITS);
    const asked: string[] = [];
    pool.authorise = (user) => {
      asked.push(user);
      return user === "alice.mallory" ? { allowed: false, errorCode: "unknown-user" } : { allowed: true };
    };
    const peer = pool.connect();
    peer.downstream.useExtensions(WORKER_TRACKING);
    const channel = peer.openExtended();
    for (const name of ["bob", "mallory", "bob", "mallory"]) channel.submit(channel.mine(), named(name));
    const errors = peer.received().flatMap((message) => (message.name === "SubmitSharesError" ? [message.value] : []));
    expect(errors.map(({ errorCode }) => errorCode)).toEqual(["unknown-user", "unknown-user"]);
    expect(pool.credits).toHaveLength(2);
    expect(pool.blocks).toHaveLength(4);
    expect(asked).toEqual(["alice", "alice.bob", "alice.mallory"]);
  });

  test("that are more than a connection may have make no further workers: their work is the channel user's", () => {
    const pool = withJob(EASY_BITS);
    const peer = pool.connect({ workerCapacity: 2 });
    peer.downstream.useExtensions(WORKER_TRACKING);
    const channel = peer.openExtended();
    for (const name of ["a", "b", "c", "d", "a"]) channel.submit(channel.mine(), named(name));
    const names = ["alice.a", "alice.b", "alice", "alice", "alice.a"];
    expect(pool.credits.map(({ userIdentity }) => userIdentity)).toEqual(names);
    expect(pool.blocks.map(({ userIdentity }) => userIdentity)).toEqual(names);
    const warnings = pool.log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    expect(warnings).toEqual(['"alice" names more than 2 workers on one connection; the others count for itself']);
    // Another connection has names of its own.
    const other = pool.connect({ workerCapacity: 2 });
    other.downstream.useExtensions(WORKER_TRACKING);
    const its = other.openExtended();
    its.submit(its.mine(), named("c"));
    expect(pool.credits.at(-1)?.userIdentity).toBe("alice.c");
  });

  test("of shares that are refused take no place, ask nobody, and still name who found a block", () => {
    const pool = withJob(EASY_BITS);
    const asked: string[] = [];
    pool.authorise = (user) => {
      asked.push(user);
      return { allowed: true };
    };
    const peer = pool.connect({ workerCapacity: 2 });
    peer.downstream.useExtensions(WORKER_TRACKING);
    const channel = peer.openExtended();
    const late = { ...channel.mine(), ntime: 1 };
    for (const name of ["x", "y", "z"]) channel.submit(late, named(name));
    expect(asked).toEqual(["alice"]);
    expect(pool.judged.map(({ userIdentity }) => userIdentity)).toEqual(["alice.x", "alice.y", "alice.z"]);
    for (const name of ["a", "b"]) channel.submit(channel.mine(), named(name));
    // All places are taken by names with work of theirs, and a further one is the channel user's.
    for (const name of ["b", "z"]) channel.submit(late, named(name));
    expect(pool.credits.map(({ userIdentity }) => userIdentity)).toEqual(["alice.a", "alice.b"]);
    expect(pool.judged.slice(5).map(({ userIdentity }) => userIdentity)).toEqual(["alice.b", "alice"]);
    expect(asked).toEqual(["alice", "alice.a", "alice.b"]);
  });

  test.each([
    ["longer than 32 bytes", encodeTlv(2, 1, new Uint8Array(33).fill(65)), "invalid-share"],
    ["cut off", Uint8Array.of(2, 0, 1, 9, 0, 65), "invalid-share"],
    ["with control characters", encodeTlv(2, 1, utf8("a\u001b[2J")), "invalid-user-identity"],
  ])("that are %s cost the share, and no block", (_what, tlv, errorCode) => {
    const pool = withJob(EASY_BITS);
    const peer = pool.connect();
    peer.downstream.useExtensions(WORKER_TRACKING);
    const channel = peer.openExtended();
    channel.submit(channel.mine(), tlv);
    expect(peer.next("SubmitSharesError").errorCode).toBe(errorCode);
    expect(pool.credits).toEqual([]);
    expect(pool.blocks[0]).toMatchObject({ userIdentity: "alice" });
  });
});

describe("what the surroundings are told", () => {
  test("of every share of an open channel: who, what came out, for which job", () => {
    const pool = withJob();
    const channel = pool.connect().openExtended();
    const good = channel.mine();
    channel.submit(good);
    channel.submit({ ...channel.mine(), jobId: 9 });
    expect(pool.judged).toEqual([
      {
        channelId: 2,
        userIdentity: "alice",
        errorCode: undefined,
        difficulty: pool.credits[0]?.difficulty,
        block: false,
        job: pool.job,
        hash: good.hash,
      },
      {
        channelId: 2,
        userIdentity: "alice",
        errorCode: "invalid-job-id",
        difficulty: 0,
        block: false,
        job: undefined,
        hash: undefined,
      },
    ]);
  });

  test("of every header that was hashed, stale and weak ones too, with the extranonce of its coinbase", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openExtended();
    const job = pool.job!;
    const good = channel.mine();
    const weak = channel.mine({ atMost: 2n ** 256n, above: toNumber(channel.target) });
    channel.submit(good);
    channel.submit(weak);
    channel.submit({ ...good, jobId: 9 });
    pool.newBlock();
    channel.submit(channel.mine());
    expect(pool.hashed.map(({ accepted }) => accepted)).toEqual([true, false, false]);
    expect(pool.hashed.every((share) => share.job === job)).toBe(true);
    expect(toHex(pool.hashed[0]!.header)).toBe(toHex(good.header));
    expect(toHex(pool.hashed[1]!.hash)).toBe(toHex(weak.hash));
    expect(toHex(pool.hashed[0]!.extranonce)).toBe(`07000000${"05".repeat(16)}`);
  });
});
