/** Opening, updating and closing channels, as conversations: what the client says, what it is answered. */
import { describe, expect, test } from "vitest";
import { difficultyOfTarget, targetOfHashrate } from "../../../src/bitcoin/target.ts";
import { toHex } from "../../../src/kernel/bytes.ts";
import { ANY_TARGET, networkTarget, TestPool, targetBytes, toNumber } from "../../support/conversation.ts";
import { HARD_BITS } from "../../support/fake-chain.ts";

const OPEN = { requestId: 3, userIdentity: "alice.rig1", nominalHashRate: 1e6, maxTarget: ANY_TARGET };

function withJob(): TestPool {
  const pool = new TestPool();
  pool.newBlock();
  return pool;
}

describe("opening a channel", () => {
  test("standard: Success, then a future job, then SetNewPrevHash, all to the channel", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.send("OpenStandardMiningChannel", OPEN);
    const success = peer.next("OpenStandardMiningChannelSuccess");
    expect(success).toMatchObject({ requestId: 3, channelId: 2, groupChannelId: 1 });
    expect(toHex(success.extranoncePrefix)).toBe(`07000000${"00".repeat(16)}`);
    expect(peer.next("NewMiningJob")).toMatchObject({ channelId: 2, jobId: 1, minNtime: null, version: 0x20000000 });
    const tip = peer.next("SetNewPrevHash");
    expect(tip).toMatchObject({ channelId: 2, jobId: 1, minNtime: pool.nowS, nbits: HARD_BITS });
    expect(toHex(tip.prevHash)).toBe(toHex(pool.job!.prevHash));
    peer.nothing();
  });

  test("extended: 4 bytes of prefix and 16 for the client, then future job and SetNewPrevHash", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.send("OpenExtendedMiningChannel", { ...OPEN, minExtranonceSize: 16 });
    const success = peer.next("OpenExtendedMiningChannelSuccess");
    expect(success).toMatchObject({ requestId: 3, channelId: 2, groupChannelId: 1, extranonceSize: 16 });
    expect(toHex(success.extranoncePrefix)).toBe("07000000");
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({
      channelId: 2,
      jobId: 1,
      minNtime: null,
      versionRollingAllowed: true,
      coinbaseTxPrefix: pool.job!.coinbasePrefix,
      coinbaseTxSuffix: pool.job!.coinbaseSuffix,
      merklePath: pool.job!.merklePath,
    });
    expect(peer.next("SetNewPrevHash")).toMatchObject({ channelId: 2, jobId: 1 });
    peer.nothing();
  });

  test("each channel gets its own id and its own part of the extranonce space, and none is used again", () => {
    const pool = withJob();
    const peer = pool.connect();
    const other = pool.connect();
    const channels = [peer.openStandard(), peer.openExtended(), other.openStandard()];
    expect(channels.map(({ channelId }) => channelId)).toEqual([2, 3, 2]);
    expect(new Set(channels.map(({ extranoncePrefix }) => toHex(extranoncePrefix.subarray(0, 4)))).size).toBe(3);
    peer.send("CloseChannel", { channelId: 3, reasonCode: "" });
    expect(peer.openExtended().channelId).toBe(4);
  });

  test("without a template yet: Success at once, the job when it comes", () => {
    const pool = new TestPool();
    const peer = pool.connect();
    peer.send("OpenStandardMiningChannel", OPEN);
    peer.send("OpenExtendedMiningChannel", { ...OPEN, minExtranonceSize: 2 });
    expect(peer.names()).toEqual(["OpenStandardMiningChannelSuccess", "OpenExtendedMiningChannelSuccess"]);
    pool.pass(300);
    peer.nothing();
    pool.newBlock();
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ channelId: 1, minNtime: null });
    expect(peer.next("SetNewPrevHash")).toMatchObject({ channelId: 1, jobId: 1 });
    peer.nothing();
  });

  test.each([1, 6, 30])("the first target is that of the claimed hashrate at %d shares a minute", (sharesPerMinute) => {
    const peer = withJob().connect({ sharesPerMinute });
    // Difficulties above 1 would exceed the block's here.
    peer.send("OpenStandardMiningChannel", { ...OPEN, nominalHashRate: 1e6 });
    const { target } = peer.next("OpenStandardMiningChannelSuccess");
    expect(toNumber(target)).toBe(targetOfHashrate(1e6, sharesPerMinute));
  });

  test.each([
    ["a claim of 0 hashes, as proxies without miners send", 0, 1e-9],
    ["a claim below the easiest difficulty", 1e-30, 1e-9],
    ["a claim above the hardest", 3e38, 5],
  ])("%s", (_what, nominalHashRate, difficulty) => {
    const peer = new TestPool().connect({ maxDifficulty: 5 });
    peer.send("OpenStandardMiningChannel", { ...OPEN, nominalHashRate });
    const { target } = peer.next("OpenStandardMiningChannelSuccess");
    expect(difficultyOfTarget(toNumber(target))).toBeCloseTo(difficulty, 12);
  });

  test("the client's maximum target is kept to", () => {
    const peer = withJob().connect();
    peer.send("OpenStandardMiningChannel", { ...OPEN, nominalHashRate: 1, maxTarget: targetBytes(0.25) });
    expect(toHex(peer.next("OpenStandardMiningChannelSuccess").target)).toBe(toHex(targetBytes(0.25)));
  });

  test("a share target is never harder than the block's, unless the network is easier than difficulty 1", () => {
    const mainnet = withJob().connect();
    mainnet.send("OpenStandardMiningChannel", { ...OPEN, nominalHashRate: 1e18 });
    expect(toNumber(mainnet.next("OpenStandardMiningChannelSuccess").target)).toBe(networkTarget(HARD_BITS));
    const regtest = new TestPool();
    regtest.newBlock({ nBits: 0x207fffff });
    const peer = regtest.connect();
    peer.send("OpenStandardMiningChannel", { ...OPEN, nominalHashRate: 1e18 });
    expect(toNumber(peer.next("OpenStandardMiningChannelSuccess").target)).toBe(targetOfHashrate(Math.fround(1e18), 6));
  });

  test("channels are told page by page, and the job that each of them mines", () => {
    const pool = new TestPool();
    pool.newBlock();
    const peer = pool.connect();
    const ids = [1, 2, 3].map(() => peer.openExtended().channelId);
    const page = (first?: number, most?: number) => peer.downstream.channels(first, most).map((each) => each.channelId);
    expect(page()).toEqual(ids);
    expect(page(1, 1)).toEqual([ids[1]]);
    expect(page(2, 5)).toEqual([ids[2]]);
    expect(page(3, 5)).toEqual([]);
    expect(page(0, 0)).toEqual([]);
    expect(peer.downstream.newestJob(ids[0]!)?.prepared.job).toBe(pool.job);
    expect(peer.downstream.newestJob(99)).toBeUndefined();
  });

  test("the surroundings are told", () => {
    const pool = withJob();
    pool.connect().openStandard({ userIdentity: "bob" });
    expect(pool.opened).toEqual([expect.objectContaining({ channelId: 2, kind: "standard", userIdentity: "bob" })]);
  });
});

describe("OpenMiningChannel.Error", () => {
  const refused = (name: "standard" | "extended", change: object, options: object = {}, pool = withJob()): string => {
    const peer = pool.connect(options);
    if (name === "standard") peer.send("OpenStandardMiningChannel", { ...OPEN, ...change });
    else peer.send("OpenExtendedMiningChannel", { ...OPEN, minExtranonceSize: 4, ...change });
    const { requestId, errorCode } = peer.next("OpenMiningChannelError");
    expect(requestId).toBe(3);
    peer.nothing();
    expect(peer.downstream.channelCount).toBe(0);
    expect(pool.extranonces.inUse).toBe(0);
    return errorCode;
  };

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -0])(
    "invalid-nominal-hashrate for %d",
    (nominalHashRate) => {
      expect(refused("standard", { nominalHashRate })).toBe("invalid-nominal-hashrate");
      expect(refused("extended", { nominalHashRate })).toBe("invalid-nominal-hashrate");
    },
  );

  test("max-target-out-of-range for a device that wants shares harder than the hardest", () => {
    expect(refused("standard", { maxTarget: new Uint8Array(32) })).toBe("max-target-out-of-range");
    expect(refused("extended", { maxTarget: targetBytes(9) }, { maxDifficulty: 8 })).toBe("max-target-out-of-range");
  });

  test("min-extranonce-size-too-large beyond 16 bytes", () => {
    expect(refused("extended", { minExtranonceSize: 17 })).toBe("min-extranonce-size-too-large");
    expect(refused("extended", { minExtranonceSize: 65_535 })).toBe("min-extranonce-size-too-large");
  });

  test("unknown-user and invalid-user-identity as the authoriser says", () => {
    const pool = withJob();
    for (const errorCode of ["unknown-user", "invalid-user-identity"]) {
      pool.authorise = () => ({ allowed: false, errorCode });
      expect(refused("standard", {}, {}, pool)).toBe(errorCode);
      expect(refused("extended", {}, {}, pool)).toBe(errorCode);
    }
  });

  test("invalid-user-identity for control characters, before anybody is asked", () => {
    const pool = withJob();
    pool.authorise = () => {
      throw new Error("asked");
    };
    expect(refused("standard", { userIdentity: "a\nb" }, {}, pool)).toBe("invalid-user-identity");
  });

  test("extended-channels-not-supported-for-standard-jobs", () => {
    expect(refused("extended", {}, { requiresStandardJobs: true })).toBe(
      "extended-channels-not-supported-for-standard-jobs",
    );
  });

  test("standard-channels-not-supported-for-custom-work", () => {
    expect(refused("standard", {}, { requiresWorkSelection: true })).toBe(
      "standard-channels-not-supported-for-custom-work",
    );
  });

  test("too-many-channels at the bound of one connection", () => {
    const pool = withJob();
    const peer = pool.connect({ maxChannels: 2 });
    peer.openStandard();
    peer.openExtended();
    peer.send("OpenStandardMiningChannel", OPEN);
    expect(peer.next("OpenMiningChannelError").errorCode).toBe("too-many-channels");
    peer.send("CloseChannel", { channelId: 2, reasonCode: "" });
    expect(peer.openStandard().channelId).toBe(4);
  });

  test("no-extranonce-available when the space is exhausted, and again when a channel closed", () => {
    const pool = new TestPool({ capacity: 1 });
    const peer = pool.connect();
    peer.openStandard();
    peer.send("OpenStandardMiningChannel", OPEN);
    expect(peer.next("OpenMiningChannelError").errorCode).toBe("no-extranonce-available");
    peer.send("CloseChannel", { channelId: 2, reasonCode: "" });
    peer.openStandard();
  });
});

describe("UpdateChannel", () => {
  test("a new hashrate gives a new target, and a job on which it holds", () => {
    const pool = withJob();
    const peer = pool.connect();
    const channel = peer.openExtended({ nominalHashRate: 1e6 });
    peer.send("UpdateChannel", { channelId: channel.channelId, nominalHashRate: 2e6, maximumTarget: ANY_TARGET });
    expect(toNumber(peer.next("SetTarget").maximumTarget)).toBe(targetOfHashrate(2e6, 6));
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({ channelId: 2, jobId: 2, minNtime: pool.nowS + 1 });
    peer.nothing();
  });

  test("a new hashrate is believed, whatever was measured before it", () => {
    const pool = withJob();
    const peer = pool.connect({ sharesPerMinute: 60 });
    const channel = peer.openStandard({ nominalHashRate: 10 });
    for (let s = 0; s < 200; s++) {
      pool.pass(1);
      channel.submit(channel.mine());
    }
    peer.downstream.flush();
    peer.received();
    // What was measured fits 10 hashes a second: with that evidence kept, ten seconds would bring the target back.
    peer.send("UpdateChannel", { channelId: 2, nominalHashRate: 40, maximumTarget: ANY_TARGET });
    expect(peer.names()).toEqual(["SetTarget", "NewMiningJob"]);
    channel.catchUp();
    pool.pass(5);
    peer.nothing();
  });

  test("the same hashrate and a harder maximum target: the maximum", () => {
    const peer = withJob().connect();
    const channel = peer.openStandard({ nominalHashRate: 1e6 });
    peer.send("UpdateChannel", { channelId: channel.channelId, nominalHashRate: 1e6, maximumTarget: targetBytes(0.5) });
    expect(toHex(peer.next("SetTarget").maximumTarget)).toBe(toHex(targetBytes(0.5)));
    expect(peer.names()).toEqual(["NewMiningJob"]);
  });

  test("nothing new: the target as it was, and no job", () => {
    const peer = withJob().connect();
    const channel = peer.openStandard({ nominalHashRate: 1e6 });
    peer.send("UpdateChannel", { channelId: 2, nominalHashRate: 1.1e6, maximumTarget: ANY_TARGET });
    expect(toHex(peer.next("SetTarget").maximumTarget)).toBe(toHex(channel.target));
    peer.nothing();
  });

  test("before there is a job: a target, and the first job under it", () => {
    const pool = new TestPool();
    const peer = pool.connect();
    peer.openStandard({ nominalHashRate: 1e6 });
    peer.send("UpdateChannel", { channelId: 2, nominalHashRate: 3e5, maximumTarget: ANY_TARGET });
    expect(toNumber(peer.next("SetTarget").maximumTarget)).toBe(targetOfHashrate(3e5, 6));
    peer.nothing();
    pool.newBlock();
    expect(peer.names()).toEqual(["NewExtendedMiningJob", "SetNewPrevHash"]);
    expect(peer.downstream.channels()[0]?.difficulty).toBeCloseTo(difficultyOfTarget(targetOfHashrate(3e5, 6)), 12);
  });

  test.each([
    ["invalid-channel-id", { channelId: 77 }],
    ["invalid-channel-id", { channelId: 1 }],
    ["invalid-nominal-hashrate", { nominalHashRate: Number.NaN }],
    ["invalid-nominal-hashrate", { nominalHashRate: -5 }],
    ["max-target-out-of-range", { maximumTarget: new Uint8Array(32) }],
  ])("UpdateChannel.Error %s", (errorCode, change) => {
    const peer = withJob().connect();
    const channel = peer.openStandard();
    const update = { channelId: 2, nominalHashRate: 1e6, maximumTarget: ANY_TARGET, ...change };
    peer.send("UpdateChannel", update);
    expect(peer.next("UpdateChannelError")).toEqual({ channelId: update.channelId, errorCode });
    peer.nothing();
    expect(peer.downstream.channels()[0]?.difficulty).toBeCloseTo(difficultyOfTarget(toNumber(channel.target)), 15);
  });
});

describe("CloseChannel", () => {
  test("of one channel: its shares are not known any more, the others go on", () => {
    const pool = withJob();
    const peer = pool.connect();
    const gone = peer.openStandard();
    const kept = peer.openStandard();
    peer.send("CloseChannel", { channelId: gone.channelId, reasonCode: "bye" });
    peer.nothing();
    expect(pool.closed.map(({ channelId }) => channelId)).toEqual([2]);
    expect(pool.extranonces.inUse).toBe(1);
    gone.submit(gone.mine());
    expect(peer.next("SubmitSharesError").errorCode).toBe("invalid-channel-id");
    kept.submit(kept.mine());
    peer.downstream.flush();
    expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(1);
  });

  test("of the group: all channels", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openStandard();
    peer.openExtended();
    peer.send("CloseChannel", { channelId: 1, reasonCode: "" });
    expect(peer.downstream.channelCount).toBe(0);
    expect(pool.extranonces.inUse).toBe(0);
    pool.newBlock();
    peer.nothing();
  });

  test("of an unknown channel: nothing", () => {
    const peer = withJob().connect();
    peer.openStandard();
    peer.send("CloseChannel", { channelId: 99, reasonCode: "" });
    peer.nothing();
    expect(peer.downstream.channelCount).toBe(1);
  });

  test("no acknowledgement follows the client's CloseChannel (spec 5.3.9)", () => {
    const peer = withJob().connect();
    const channel = peer.openStandard();
    channel.submit(channel.mine());
    peer.send("CloseChannel", { channelId: 2, reasonCode: "" });
    peer.downstream.flush();
    peer.nothing();
  });

  test("on our initiative: shares are acknowledged first", () => {
    const peer = withJob().connect();
    const channel = peer.openStandard();
    channel.submit(channel.mine());
    peer.downstream.closeChannel(2, "unknown-user");
    expect(peer.next("SubmitSharesSuccess").newSubmitsAcceptedCount).toBe(1);
    expect(peer.next("CloseChannel")).toEqual({ channelId: 2, reasonCode: "unknown-user" });
    peer.downstream.closeChannel(2, "again");
    peer.nothing();
  });

  test("of all, on our initiative: one message to the group, or one to each channel where there is no group", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openStandard();
    peer.openExtended();
    peer.downstream.closeChannel(1, "end");
    expect(peer.received().map(({ value }) => value)).toEqual([{ channelId: 1, reasonCode: "end" }]);
    const simple = pool.connect({ requiresStandardJobs: true });
    simple.openStandard();
    simple.openStandard();
    simple.downstream.closeChannel(1, "end");
    expect(simple.received().map(({ value }) => value)).toEqual([
      { channelId: 2, reasonCode: "end" },
      { channelId: 3, reasonCode: "end" },
    ]);
    expect(pool.extranonces.inUse).toBe(0);
  });

  test("when the connection is gone: all is given back, nothing is sent", () => {
    const pool = withJob();
    const peer = pool.connect();
    peer.openStandard();
    peer.openExtended();
    peer.downstream.close();
    expect(pool.extranonces.inUse).toBe(0);
    expect(pool.closed).toHaveLength(2);
    pool.newBlock();
    pool.pass(60);
    peer.nothing();
  });
});

describe("custom work", () => {
  const CUSTOM = {
    channelId: 2,
    requestId: 8,
    miningJobToken: new Uint8Array(8),
    version: 0x20000000,
    prevHash: new Uint8Array(32),
    minNtime: 0,
    nbits: 0,
    coinbaseTxVersion: 2,
    coinbasePrefix: new Uint8Array(4),
    coinbaseTxInputNSequence: 0,
    coinbaseTxOutputs: new Uint8Array(1),
    coinbaseTxLocktime: 0,
    merklePath: [],
  };

  test("jd-not-supported, whatever the channel", () => {
    const peer = withJob().connect({ requiresWorkSelection: true });
    peer.openExtended();
    for (const channelId of [2, 99]) {
      peer.send("SetCustomMiningJob", { ...CUSTOM, channelId });
      expect(peer.next("SetCustomMiningJobError")).toEqual({ channelId, requestId: 8, errorCode: "jd-not-supported" });
    }
  });

  test("a client that selects its own work gets no jobs of ours, as with SRI", () => {
    const pool = withJob();
    const peer = pool.connect({ requiresWorkSelection: true });
    peer.send("OpenExtendedMiningChannel", { ...OPEN, minExtranonceSize: 4 });
    expect(peer.names()).toEqual(["OpenExtendedMiningChannelSuccess"]);
    pool.newBlock();
    pool.refresh();
    pool.pass(120);
    peer.nothing();
  });
});

test("messages that only servers send are ignored", () => {
  const peer = withJob().connect();
  peer.send("SetTarget", { channelId: 2, maximumTarget: ANY_TARGET });
  peer.send("SetGroupChannel", { groupChannelId: 1, channelIds: [] });
  peer.nothing();
});
