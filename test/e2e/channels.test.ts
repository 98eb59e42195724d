/** Channels over real sockets: SRI's pool_integration scenarios, read as conversations. */
import { describe, expect, test } from "vitest";
import { toHex } from "../../src/kernel/bytes.ts";
import { targetOf } from "../support/grind.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { EASIEST_TARGET, MockMiner } from "../support/mock-miner.ts";
import { serverOver } from "../support/server.ts";
import { sniff } from "../support/sniffer.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { pause, until } from "../support/until.ts";

const GROUP = 1;
const REQUIRES_STANDARD_JOBS = 0b001;
const CHANNELS = 10;

describe.each(TRANSPORTS)("channels over $name", (transport) => {
  const startServer = serverOver(transport);

  test("pool_standard_channel_receives_share", async () => {
    const pool = await startServer({ mining: { ackBatchSize: 1 } });
    const sniffer = await sniff(pool);
    const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
    await client.setup({ flags: REQUIRES_STANDARD_JOBS });
    const channel = await MockChannel.standard(client);
    channel.submit(channel.find());
    await sniffer.waitFor("toUpstream", "SetupConnection");
    await sniffer.waitFor("toDownstream", "SetupConnectionSuccess");
    await sniffer.waitFor("toUpstream", "OpenStandardMiningChannel");
    await sniffer.waitFor("toDownstream", "OpenStandardMiningChannelSuccess");
    const job = await sniffer.waitFor("toDownstream", "NewMiningJob");
    const prevHash = await sniffer.waitFor("toDownstream", "SetNewPrevHash");
    expect(job.minNtime, "a future job").toBeNull();
    expect(prevHash.jobId).toBe(job.jobId);
    await sniffer.waitFor("toUpstream", "SubmitSharesStandard");
    const success = await sniffer.waitFor("toDownstream", "SubmitSharesSuccess");
    expect(success).toMatchObject({ channelId: channel.channelId, lastSequenceNumber: 0, newSubmitsAcceptedCount: 1 });
  });

  test("pool_group_extended_channels", async () => {
    const pool = await startServer();
    const sniffer = await sniff(pool);
    const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
    await client.setup();
    const prefixes = new Set<string>();
    for (let i = 0; i < CHANNELS; i++) {
      const channel = await MockChannel.extended(client, { nominalHashRate: 1000, minExtranonceSize: 0 });
      expect(channel.groupChannelId).toBe(GROUP);
      expect(channel.channelId).not.toBe(GROUP);
      expect(channel.prevHash.channelId).toBe(channel.channelId);
      expect(channel.extranoncePrefix.length + channel.extranonceSize).toBe(20);
      prefixes.add(toHex(channel.extranoncePrefix));
    }
    expect(prefixes.size).toBe(CHANNELS);
    await drained(sniffer);

    pool.source.refresh();
    const refreshed = await sniffer.waitFor("toDownstream", "NewExtendedMiningJob");
    expect(refreshed.channelId).toBe(GROUP);
    expect(refreshed.minNtime).not.toBeNull();
    await sniffer.assertAbsent("toDownstream", "NewExtendedMiningJob", 200);
    await sniffer.assertAbsent("toDownstream", "SetNewPrevHash", 0);

    pool.source.newBlock();
    const future = await sniffer.waitFor("toDownstream", "NewExtendedMiningJob");
    expect(future).toMatchObject({ channelId: GROUP, minNtime: null });
    const prevHash = await sniffer.waitFor("toDownstream", "SetNewPrevHash");
    expect(prevHash).toMatchObject({ channelId: GROUP, jobId: future.jobId });
    await sniffer.assertAbsent("toDownstream", "SetNewPrevHash", 200);
  });

  test("pool_group_standard_channels: the group gets one extended job, and each channel's shares on it count", async () => {
    const pool = await startServer({ mining: { ackBatchSize: 1 } });
    const sniffer = await sniff(pool);
    const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
    await client.setup();
    const channels: MockChannel[] = [];
    for (let i = 0; i < CHANNELS; i++) {
      const channel = await MockChannel.standard(client, { nominalHashRate: 1000 });
      expect(channel.groupChannelId).toBe(GROUP);
      expect(channel.channelId).not.toBe(GROUP);
      expect(channel.extranoncePrefix.length).toBe(20);
      channels.push(channel);
    }
    await drained(sniffer);

    pool.source.refresh();
    const refreshed = await sniffer.waitFor("toDownstream", "NewExtendedMiningJob");
    expect(refreshed.channelId).toBe(GROUP);
    await sniffer.assertAbsent("toDownstream", "NewExtendedMiningJob", 200);
    await sniffer.assertAbsent("toDownstream", "NewMiningJob", 0);

    pool.source.newBlock();
    const future = await sniffer.waitFor("toDownstream", "NewExtendedMiningJob");
    const prevHash = await sniffer.waitFor("toDownstream", "SetNewPrevHash");
    expect(prevHash).toMatchObject({ channelId: GROUP, jobId: future.jobId });
    await sniffer.assertAbsent("toDownstream", "SetNewPrevHash", 200);
    await sniffer.assertAbsent("toDownstream", "NewMiningJob", 0);

    for (const channel of channels) {
      channel.job = { kind: "extended", fields: future };
      channel.prevHash = prevHash;
      const { jobId, nonce, ntime, version } = channel.find();
      const { channelId } = channel;
      client.send("SubmitSharesStandard", { channelId, sequenceNumber: 0, jobId, nonce, ntime, version });
      expect(await client.next("SubmitSharesSuccess")).toMatchObject({ channelId });
    }
  });

  test("pool_require_standard_jobs_set_does_not_group_standard_channels", async () => {
    const pool = await startServer();
    const sniffer = await sniff(pool);
    const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
    await client.setup({ flags: REQUIRES_STANDARD_JOBS });
    const ids: number[] = [];
    for (let i = 0; i < CHANNELS; i++) ids.push((await MockChannel.standard(client)).channelId);
    expect(new Set(ids).size).toBe(CHANNELS);
    expect(ids).not.toContain(GROUP);
    await drained(sniffer);

    pool.source.refresh();
    for (const channelId of ids) {
      const job = await sniffer.waitFor("toDownstream", "NewMiningJob");
      expect(job).toMatchObject({ channelId, minNtime: expect.any(Number) });
    }
    pool.source.newBlock();
    for (const channelId of ids) {
      const job = await sniffer.waitFor("toDownstream", "NewMiningJob");
      expect(job).toMatchObject({ channelId, minNtime: null });
      const prevHash = await sniffer.waitFor("toDownstream", "SetNewPrevHash");
      expect(prevHash).toMatchObject({ channelId, jobId: job.jobId });
    }
    const seen = sniffer.messages("toDownstream");
    expect(seen.some(({ name }) => name === "NewExtendedMiningJob" || name === "SetGroupChannel")).toBe(false);
  });

  test("pool_require_standard_jobs_set_rejects_open_extended_mining_channel", async () => {
    const { miner } = await startServer();
    const client = await miner(REQUIRES_STANDARD_JOBS);
    client.send("OpenExtendedMiningChannel", {
      requestId: 100,
      userIdentity: "user_identity",
      nominalHashRate: 1000,
      maxTarget: EASIEST_TARGET,
      minExtranonceSize: 8,
    });
    expect(await client.expect("OpenMiningChannelError")).toEqual({
      requestId: 100,
      errorCode: "extended-channels-not-supported-for-standard-jobs",
    });
    await client.openStandard();
  });

  test("pool_without_jds_rejects_set_custom_mining_job, also for a channel that does not exist", async () => {
    const { miner } = await startServer();
    const client = await miner(0b010);
    client.send("SetCustomMiningJob", {
      channelId: 1,
      requestId: 7,
      miningJobToken: Uint8Array.of(42, 0, 0, 0, 0, 0, 0, 0),
      version: 0,
      prevHash: new Uint8Array(32),
      minNtime: 0,
      nbits: 0,
      coinbaseTxVersion: 0,
      coinbasePrefix: new Uint8Array(),
      coinbaseTxInputNSequence: 0,
      coinbaseTxOutputs: new Uint8Array(),
      coinbaseTxLocktime: 0,
      merklePath: [],
    });
    expect(await client.expect("SetCustomMiningJobError")).toEqual({
      channelId: 1,
      requestId: 7,
      errorCode: "jd-not-supported",
    });
  });

  test("pool_does_not_send_jobs_to_jdc: who selects its own work opens extended channels and gets no jobs", async () => {
    const { miner, source } = await startServer();
    const client = await miner(0b110);
    await client.openExtended();
    source.refresh();
    source.newBlock();
    await client.quiet(200, "NewExtendedMiningJob", "SetNewPrevHash");
    client.send("OpenStandardMiningChannel", {
      requestId: 3,
      userIdentity: "jdc",
      nominalHashRate: 1,
      maxTarget: EASIEST_TARGET,
    });
    expect(await client.next("OpenMiningChannelError")).toEqual({
      requestId: 3,
      errorCode: "standard-channels-not-supported-for-custom-work",
    });
  });

  test.each([
    ["a nominal hashrate of NaN", { nominalHashRate: Number.NaN }, "invalid-nominal-hashrate"],
    ["an infinite one", { nominalHashRate: Number.POSITIVE_INFINITY }, "invalid-nominal-hashrate"],
    ["a negative one", { nominalHashRate: -1 }, "invalid-nominal-hashrate"],
    ["a maximum target of zero", { maxTarget: new Uint8Array(32) }, "max-target-out-of-range"],
    ["a name with control characters", { userIdentity: "a\nb" }, "invalid-user-identity"],
    ["more extranonce than there is", { minExtranonceSize: 17 }, "min-extranonce-size-too-large"],
  ] as const)("%s is refused, and the connection goes on", async (_case, changes, errorCode) => {
    const { miner } = await startServer();
    const client = await miner();
    client.send("OpenExtendedMiningChannel", {
      requestId: 5,
      userIdentity: "user",
      nominalHashRate: 1,
      maxTarget: EASIEST_TARGET,
      minExtranonceSize: 4,
      ...changes,
    });
    expect(await client.expect("OpenMiningChannelError")).toEqual({ requestId: 5, errorCode });
    expect((await client.openExtended({ minExtranonceSize: 16 })).extranonceSize).toBe(16);
  });

  test("multiple sessions: channels of all connections search different space", async () => {
    const { miner, server } = await startServer();
    const prefixes = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const client = await miner();
      for (const opened of [await client.openExtended(), await client.openStandard()]) {
        prefixes.add(toHex(opened.extranoncePrefix.subarray(0, 4)));
        expect(opened.extranoncePrefix[0], "the server's id").toBe(9);
      }
    }
    expect(prefixes.size).toBe(10);
    const all = server.channels();
    expect(server.channelCount).toBe(10);
    expect(all.map(({ connectionId }) => connectionId)).toHaveLength(10);
    expect([...server.channels(0, 3), ...server.channels(3, 4), ...server.channels(7, 99)]).toEqual(all);
    expect(server.channels(10, 5)).toEqual([]);
  });

  test("a target is never easier than the client accepts", async () => {
    const { miner } = await startServer({ mining: { minDifficulty: 1e-6, maxDifficulty: 1e15 } });
    const client = await miner();
    const maxTarget = new Uint8Array(32).fill(0xff, 0, 28);
    const { target } = await client.openStandard({ nominalHashRate: 0, maxTarget });
    expect(targetOf(target)).toBeLessThanOrEqual(targetOf(maxTarget));
  });

  test("closing a channel: its shares are refused, the others' are not, its place is free again", async () => {
    const { miner, server, extranonces } = await startServer({ mining: { ackBatchSize: 1, maxChannels: 2 } });
    const client = await miner();
    const gone = await MockChannel.standard(client);
    const kept = await MockChannel.standard(client);
    const late = gone.find();
    client.send("CloseChannel", { channelId: gone.channelId, reasonCode: "bye" });
    gone.submit(late);
    expect(await client.expect("SubmitSharesError")).toMatchObject({ errorCode: "invalid-channel-id" });
    kept.submit(kept.find());
    await client.expect("SubmitSharesSuccess");
    expect(server.channels()).toHaveLength(1);
    await client.openStandard();
    client.destroy();
    await client.closed;
    await until("the connection is forgotten", () => server.connections === 0);
    expect(extranonces.inUse).toBe(0);
  });

  test("UpdateChannel: a claim of more hashrate brings a harder target and a job for it; nonsense is refused", async () => {
    const { miner } = await startServer({ mining: { minDifficulty: 1e-9, maxDifficulty: 1e15 } });
    const client = await miner();
    const channel = await MockChannel.extended(client, { nominalHashRate: 10 });
    client.send("UpdateChannel", {
      channelId: channel.channelId,
      nominalHashRate: 1e6,
      maximumTarget: EASIEST_TARGET,
    });
    const { maximumTarget } = await client.expect("SetTarget");
    expect(targetOf(maximumTarget)).toBeLessThan(channel.target / 10_000n);
    const job = await client.expect("NewExtendedMiningJob");
    expect(job.minNtime).not.toBeNull();
    expect(job.jobId).not.toBe(channel.job.fields.jobId);
    for (const [channelId, nominalHashRate, errorCode] of [
      [channel.channelId, Number.NaN, "invalid-nominal-hashrate"],
      [99, 1, "invalid-channel-id"],
    ] as const) {
      client.send("UpdateChannel", { channelId, nominalHashRate, maximumTarget: EASIEST_TARGET });
      expect(await client.expect("UpdateChannelError")).toEqual({ channelId, errorCode });
    }
  });
});

/** Takes what a sniffer has seen so far as read. */
async function drained(sniffer: Awaited<ReturnType<typeof sniff>>): Promise<void> {
  await pause(50);
  while (sniffer.next("toDownstream") !== undefined);
}
