/** How work reaches miners: order of messages, what stays valid, keep-alive (spec 5.3.15 to 5.3.21). */
import { describe, expect, test } from "vitest";
import { equal } from "../../src/kernel/bytes.ts";
import { makeTemplate } from "../support/fake-chain.ts";
import { targetOf } from "../support/grind.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { EASIEST_TARGET } from "../support/mock-miner.ts";
import { serverOver } from "../support/server.ts";
import { TRANSPORTS } from "../support/transports.ts";

const REQUIRES_STANDARD_JOBS = 0b001;

describe.each(TRANSPORTS)("jobs over $name", (transport) => {
  const startServer = serverOver(transport);

  test("header_timestamp_value_assertion: a job of a refreshed template begins at the template's time", async () => {
    const nowS = Math.floor(Date.now() / 1000);
    const template = makeTemplate({ height: 100, prevHash: new Uint8Array(32).fill(1), curTime: nowS + 30 });
    const { miner, source } = await startServer({ template });
    const channel = await MockChannel.extended(await miner());
    expect(channel.prevHash.minNtime).toBe(nowS + 30);
    source.refresh({ curTime: nowS + 30 });
    const job = await channel.miner.expect("NewExtendedMiningJob");
    expect(job.minNtime).toBe(nowS + 30);
  });

  test("a template whose time lies behind gives jobs that begin now", async () => {
    const { miner } = await startServer();
    const channel = await MockChannel.extended(await miner());
    // The template says 2023; so far behind, an hour is all that a clock in the future may add.
    expect(channel.prevHash.minNtime).toBe(1_700_000_100 + 3600);
  });

  test("a new block: future job first, then SetNewPrevHash that names it, and nothing else", async () => {
    const { miner, source } = await startServer();
    const channel = await MockChannel.extended(await miner());
    const template = source.newBlock();
    const job = await channel.miner.expect("NewExtendedMiningJob");
    const prevHash = await channel.miner.expect("SetNewPrevHash");
    expect(job.minNtime).toBeNull();
    expect(prevHash.jobId).toBe(job.jobId);
    expect(equal(prevHash.prevHash, template.prevHash)).toBe(true);
    expect(prevHash.nbits).toBe(template.nBits);
    await channel.miner.quiet(100);
  });

  test("a refresh: one job to mine at once; shares for the job before it are still good", async () => {
    const { miner, source } = await startServer({ mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.extended(await miner());
    const old = channel.find();
    source.refresh();
    const job = await channel.miner.expect("NewExtendedMiningJob");
    expect(job.minNtime).toBeGreaterThanOrEqual(channel.prevHash.minNtime);
    channel.submit(old);
    await channel.miner.expect("SubmitSharesSuccess");
    channel.job = { kind: "extended", fields: job };
    channel.submit(channel.find());
    await channel.miner.expect("SubmitSharesSuccess");
  });

  test("after a new block shares for older jobs are stale", async () => {
    const { miner, source } = await startServer({ mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.standard(await miner(REQUIRES_STANDARD_JOBS));
    const old = channel.find();
    source.newBlock();
    await channel.miner.next("SetNewPrevHash");
    channel.submit(old);
    expect(await channel.miner.expect("SubmitSharesError")).toMatchObject({ errorCode: "stale-share" });
  });

  test("an empty block's job first, the full one behind it as an ordinary job", async () => {
    const { miner, source } = await startServer();
    const channel = await MockChannel.extended(await miner());
    const empty = source.newBlock({ transactions: 0 });
    const future = await channel.miner.expect("NewExtendedMiningJob");
    expect(future).toMatchObject({ minNtime: null, merklePath: [] });
    await channel.miner.expect("SetNewPrevHash");
    source.offer(makeTemplate({ height: empty.height, prevHash: empty.prevHash, transactions: 4 }), "fill");
    const full = await channel.miner.expect("NewExtendedMiningJob");
    expect(full.minNtime).not.toBeNull();
    expect(full.merklePath.length).toBe(3);
  });

  test("a source that calls the same block new, or another block a refresh, is not believed", async () => {
    const { miner, source, jobs } = await startServer();
    const channel = await MockChannel.extended(await miner());
    const { prevHash, height } = source.current() ?? expect.unreachable();
    source.offer(makeTemplate({ height, prevHash }), "newBlock");
    expect((await channel.miner.expect("NewExtendedMiningJob")).minNtime).not.toBeNull();
    source.offer(makeTemplate({ height, prevHash: new Uint8Array(32).fill(5) }), "refresh");
    expect((await channel.miner.expect("NewExtendedMiningJob")).minNtime).toBeNull();
    await channel.miner.expect("SetNewPrevHash");
    expect(jobs.map(({ cause }) => cause)).toEqual(["newBlock", "refresh", "newBlock"]);
  });

  test("job ids never come again on a connection", async () => {
    const { miner, source } = await startServer();
    const channel = await MockChannel.extended(await miner());
    const seen = new Set([channel.job.fields.jobId]);
    for (let i = 0; i < 20; i++) {
      if (i % 5 === 4) source.newBlock();
      else source.refresh();
      const { jobId } = await channel.miner.next("NewExtendedMiningJob");
      expect(seen.has(jobId)).toBe(false);
      seen.add(jobId);
    }
  });

  test("miners that come before the first template wait for it, channels open", async () => {
    const { miner, source } = await startServer({ template: null });
    const client = await miner();
    const { channelId } = await client.openStandard();
    await client.quiet(50);
    source.newBlock();
    const job = await client.expect("NewExtendedMiningJob");
    expect(job).toMatchObject({ channelId: 1, minNtime: null });
    expect((await client.expect("SetNewPrevHash")).jobId).toBe(job.jobId);
    expect(channelId).toBeGreaterThan(1);
  });

  test("test_translator_keepalive_job: when nothing changes a fresh job comes all the same", async () => {
    const { miner, jobs } = await startServer({ refreshMs: 150 });
    const channel = await MockChannel.extended(await miner());
    const ids = [channel.job.fields.jobId];
    for (let i = 0; i < 3; i++) {
      const job = await channel.miner.expect("NewExtendedMiningJob", 1000);
      expect(job.minNtime).not.toBeNull();
      ids.push(job.jobId);
    }
    expect(new Set(ids).size).toBe(4);
    expect(jobs.at(-1)).toMatchObject({ cause: "refresh" });
  });

  test("SetTarget: the job that is being mined keeps its target, the next one has the new", async () => {
    const { miner, source } = await startServer({
      mining: { minDifficulty: 1e-9, maxDifficulty: 1e15, ackBatchSize: 1 },
    });
    const client = await miner();
    const channel = await MockChannel.extended(client, { nominalHashRate: 10 });
    client.send("UpdateChannel", {
      channelId: channel.channelId,
      nominalHashRate: 2000,
      maximumTarget: EASIEST_TARGET,
    });
    const harder = targetOf((await client.expect("SetTarget")).maximumTarget);
    const job = await client.expect("NewExtendedMiningJob");
    expect(harder).toBeLessThan(channel.target / 50n);

    // Between the two targets: good for the old job, too easy for the new one and for every later one.
    channel.submit(channel.find({ above: harder }));
    await client.next("SubmitSharesSuccess");
    channel.job = { kind: "extended", fields: job };
    channel.submit(channel.find({ above: harder }));
    expect(await client.next("SubmitSharesError")).toMatchObject({ errorCode: "difficulty-too-low" });
    channel.submit(channel.find({ atMost: harder }));
    await client.next("SubmitSharesSuccess");
    source.newBlock();
    channel.job = { kind: "extended", fields: await client.next("NewExtendedMiningJob") };
    channel.prevHash = await client.next("SetNewPrevHash");
    channel.submit(channel.find({ above: harder }));
    expect(await client.next("SubmitSharesError")).toMatchObject({ errorCode: "difficulty-too-low" });
  });

  test("of two templates in one turn everybody mines the second, and both are announced", async () => {
    const { miner, source, jobs } = await startServer();
    const clients = await Promise.all([miner(), miner(), miner()]);
    for (const client of clients) await MockChannel.extended(client);
    source.newBlock();
    const { prevHash } = source.newBlock();
    for (const client of clients) {
      let last = await client.next("SetNewPrevHash");
      if (!equal(last.prevHash, prevHash)) last = await client.next("SetNewPrevHash");
      expect(equal(last.prevHash, prevHash)).toBe(true);
    }
    expect(jobs).toHaveLength(3);
  });

  test("the newest job wins: who was not reached yet never hears of the older one, and still gets a future job", async () => {
    // A slice of no time at all serves one connection a turn.
    const { miner, source, meter } = await startServer({ times: { fanOutSliceMs: 0 } });
    const channels = [];
    for (let i = 0; i < 4; i++) channels.push(await MockChannel.extended(await miner()));
    source.newBlock();
    source.refresh();
    const [first, ...others] = channels;
    expect((await first?.miner.expect("NewExtendedMiningJob"))?.minNtime).toBeNull();
    const old = await first?.miner.expect("SetNewPrevHash");
    const newest = await first?.miner.expect("NewExtendedMiningJob");
    expect(newest?.minNtime).not.toBeNull();
    for (const { miner: client } of others) {
      expect(await client.expect("NewExtendedMiningJob")).toMatchObject({ jobId: newest?.jobId, minNtime: null });
      expect(await client.expect("SetNewPrevHash")).toMatchObject({ jobId: newest?.jobId, prevHash: old?.prevHash });
      await client.quiet(20);
    }
    expect(meter.observations("job_fanout_seconds").count).toBe(1);
  });

  test("a template that makes no job leaves miners on the one before", async () => {
    const { miner, source, log } = await startServer({ mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.extended(await miner());
    const template = makeTemplate({ height: 1000, prevHash: new Uint8Array(32).fill(3) });
    source.offer({ ...template, coinbaseRoom: { bytes: 0, sigops: 0 } }, "newBlock");
    channel.submit(channel.find());
    await channel.miner.expect("SubmitSharesSuccess");
    expect(log.some(({ level, message }) => level === "error" && message.includes("no job"))).toBe(true);
  });
});
