/** Shares over real sockets: what is accepted, what is refused and in which words, what becomes a block. */
import { describe, expect, test } from "vitest";
import { headerHash } from "../../src/bitcoin/header.ts";
import { meetsTarget, targetFromCompact } from "../../src/bitcoin/target.ts";
import { equal } from "../../src/kernel/bytes.ts";
import { EASY_BITS, makeTemplate, refusal } from "../support/fake-chain.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { serverOver } from "../support/server.ts";
import { PLAIN_TRANSPORTS, TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

const REQUIRES_STANDARD_JOBS = 0b001;
const PREV_HASH = new Uint8Array(32).fill(7);
const REGTEST = makeTemplate({ height: 500, prevHash: PREV_HASH, nBits: EASY_BITS });

describe.each([...TRANSPORTS, ...PLAIN_TRANSPORTS])("accepted shares over $name", (transport) => {
  const startServer = serverOver(transport);

  test("are acknowledged in batches by count", async () => {
    const { miner, credits } = await startServer({ mining: { ackBatchSize: 4, ackMaxDelayMs: 60_000 } });
    const channel = await MockChannel.extended(await miner());
    for (let i = 0; i < 8; i++) channel.submit(channel.find());
    for (const lastSequenceNumber of [3, 7]) {
      const success = await channel.miner.expect("SubmitSharesSuccess");
      expect(success).toMatchObject({ lastSequenceNumber, newSubmitsAcceptedCount: 4 });
    }
    await channel.miner.quiet(50);
    expect(credits).toHaveLength(8);
    expect(credits[0]).toMatchObject({ userIdentity: "mock", difficulty: 2 ** -26, height: 840_000 });
  });

  test("are acknowledged by time when the batch does not fill", async () => {
    const { miner } = await startServer({ mining: { ackBatchSize: 100, ackMaxDelayMs: 300 } });
    const channel = await MockChannel.standard(await miner());
    channel.submit(channel.find());
    channel.submit(channel.find());
    const success = await channel.miner.expect("SubmitSharesSuccess", 3000);
    expect(success).toMatchObject({ lastSequenceNumber: 1, newSubmitsAcceptedCount: 2 });
  });

  test("a refusal does not overtake the acknowledgement of shares before it", async () => {
    const { miner } = await startServer({ mining: { ackBatchSize: 100 } });
    const channel = await MockChannel.standard(await miner());
    const good = channel.find();
    channel.submit(good);
    channel.submit(good);
    expect(await channel.miner.expect("SubmitSharesSuccess")).toMatchObject({ newSubmitsAcceptedCount: 1 });
    expect(await channel.miner.expect("SubmitSharesError")).toMatchObject({ sequenceNumber: 1 });
  });

  test("may come with a time a minute ahead, as SRI's mining device sends them", async () => {
    const { miner } = await startServer({ mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.standard(await miner(REQUIRES_STANDARD_JOBS));
    channel.submit(channel.find({ ntime: Math.floor(Date.now() / 1000) + 60 }));
    await channel.miner.expect("SubmitSharesSuccess");
  });

  test("may have rolled the version bits of BIP320", async () => {
    const { miner } = await startServer({ mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.extended(await miner());
    channel.submit(channel.find({ version: 0x20000000 ^ 0x1fffe000 }));
    await channel.miner.expect("SubmitSharesSuccess");
  });
});

describe.each(TRANSPORTS)("refused shares, in SRI's words over $name", (transport) => {
  const startServer = serverOver(transport);

  async function channelOn(kind: "standard" | "extended", versionRollingMask?: number): Promise<MockChannel> {
    const { miner } = await startServer({
      mining: { ackBatchSize: 1 },
      ...(versionRollingMask === undefined ? {} : { versionRollingMask }),
    });
    return MockChannel[kind](await miner());
  }

  async function refused(channel: MockChannel): Promise<string> {
    const { errorCode, channelId } = await channel.miner.expect("SubmitSharesError");
    expect(channelId).toBe(channel.channelId);
    return errorCode;
  }

  test("invalid-job-id", async () => {
    const channel = await channelOn("standard");
    channel.submit({ ...channel.find(), jobId: 999 });
    expect(await refused(channel)).toBe("invalid-job-id");
  });

  test("difficulty-too-low", async () => {
    const channel = await channelOn("extended");
    channel.submit(channel.find({ atMost: 2n ** 256n, above: channel.target }));
    expect(await refused(channel)).toBe("difficulty-too-low");
  });

  test("duplicate-share", async () => {
    const channel = await channelOn("extended");
    const share = channel.find();
    channel.submit(share);
    await channel.miner.expect("SubmitSharesSuccess");
    channel.submit(share);
    expect(await refused(channel)).toBe("duplicate-share");
  });

  test("bad-extranonce-size", async () => {
    const channel = await channelOn("extended");
    channel.submit({ ...channel.find(), extranonce: new Uint8Array(15) });
    expect(await refused(channel)).toBe("bad-extranonce-size");
  });

  test("invalid-share: a header time before the job's", async () => {
    const channel = await channelOn("extended");
    channel.submit(channel.find({ ntime: channel.prevHash.minNtime - 1 }));
    expect(await refused(channel)).toBe("invalid-share");
  });

  test("invalid-non-rollable-version-bit, and with rolling forbidden version-rolling-not-allowed", async () => {
    const channel = await channelOn("standard");
    channel.submit(channel.find({ version: 0x20000100 }));
    expect(await refused(channel)).toBe("invalid-non-rollable-version-bit");
    const fixed = await channelOn("extended", 0);
    expect(fixed.job.kind === "extended" && fixed.job.fields.versionRollingAllowed).toBe(false);
    fixed.submit(fixed.find({ version: 0x20002000 }));
    expect(await refused(fixed)).toBe("version-rolling-not-allowed");
  });

  test("invalid-channel-id: another kind of channel, or somebody else's", async () => {
    const { miner } = await startServer({ mining: { ackBatchSize: 1 } });
    const mine = await MockChannel.standard(await miner());
    const theirs = await MockChannel.standard(await miner());
    mine.miner.send("SubmitSharesStandard", {
      ...{ channelId: 77, sequenceNumber: 5, jobId: 1, nonce: 0, ntime: 0, version: 0 },
    });
    expect(await mine.miner.expect("SubmitSharesError")).toEqual({
      channelId: 77,
      sequenceNumber: 5,
      errorCode: "invalid-channel-id",
    });
    // Channel ids are the connection's own: the same number on another connection is another channel.
    expect(mine.channelId).toBe(theirs.channelId);
    mine.submit(theirs.find());
    expect(await mine.miner.expect("SubmitSharesError")).toMatchObject({ errorCode: "difficulty-too-low" });
  });
});

describe.each(TRANSPORTS)("blocks over $name", (transport) => {
  const startServer = serverOver(transport);

  for (const kind of ["standard", "extended"] as const) {
    test(`a ${kind} share that meets the network's target reaches the sink as a block that a node would accept`, async () => {
      const { miner, sink, shares } = await startServer({ template: REGTEST, mining: { ackBatchSize: 100 } });
      const channel = await MockChannel[kind](await miner(), { userIdentity: "alice.rig" });
      const bitcoin = targetFromCompact(EASY_BITS);
      const share = channel.find();
      const sequence = channel.submit(share);
      const block = await sink.first();
      expect(refusal(block, REGTEST)).toBeUndefined();
      expect(equal(block.header, share.header)).toBe(true);
      expect(equal(block.hash, headerHash(share.header))).toBe(true);
      expect(meetsTarget(block.hash, bitcoin)).toBe(true);
      expect(block).toMatchObject({
        height: 500,
        templateId: REGTEST.id,
        source: "fake",
        userIdentity: "alice.rig",
        reward: REGTEST.coinbaseValue,
      });
      // A block is acknowledged at once, whatever the batch.
      expect(await channel.miner.expect("SubmitSharesSuccess")).toMatchObject({ lastSequenceNumber: sequence });
      await until("the share is announced", () => shares.length === 1);
      expect(shares[0]).toMatchObject({ block: true, errorCode: undefined, height: 500, userIdentity: "alice.rig" });
      expect(shares[0]?.hash).toEqual(headerHash(share.header));
    });
  }

  test("a block on a stale job is refused as a share and submitted as a block all the same", async () => {
    const { miner, sink, source } = await startServer({ template: REGTEST, mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.extended(await miner());
    const share = channel.find();
    source.newBlock();
    await channel.miner.next("SetNewPrevHash");
    channel.submit(share);
    expect(await channel.miner.expect("SubmitSharesError")).toMatchObject({ errorCode: "stale-share" });
    expect(refusal(await sink.first(), REGTEST)).toBeUndefined();
    expect(sink.blocks).toHaveLength(1);
  });

  test("the same block is submitted once", async () => {
    const { miner, sink } = await startServer({ template: REGTEST, mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.extended(await miner());
    const share = channel.find();
    channel.submit(share);
    channel.submit(share);
    expect(await channel.miner.next("SubmitSharesError")).toMatchObject({ errorCode: "duplicate-share" });
    expect(sink.blocks).toHaveLength(1);
  });
});

test.each(TRANSPORTS)(
  "a miner that vanishes without a word harms nobody and leaves nothing behind, over $name",
  async (transport) => {
    const { miner, server, extranonces, meter } = await serverOver(transport)({ mining: { ackBatchSize: 1 } });
    const steady = await MockChannel.extended(await miner());
    for (let i = 0; i < 5; i++) {
      const channel = await MockChannel.extended(await miner());
      channel.submit(channel.find());
      if (i % 2 === 0) channel.miner.reset();
      else channel.miner.destroy();
    }
    await until("only one is left", () => server.connections === 1);
    expect(extranonces.inUse).toBe(1);
    expect(meter.byLabel("channels")).toMatchObject({ extended: 1 });
    steady.submit(steady.find());
    await steady.miner.expect("SubmitSharesSuccess");
  },
);
