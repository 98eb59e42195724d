/**
 * The way of one unit of work of an auxiliary chain through the real job maker, the real conversation with miners and back
 * to the chain, without a socket.
 */
import { describe, expect, test } from "vitest";
import { MAX_TARGET, targetOfDifficulty, targetToBytes } from "../../../src/bitcoin/target.ts";
import { utf8 } from "../../../src/kernel/bytes.ts";
import { Bus } from "../../../src/kernel/events.ts";
import type { MergeEvents } from "../../../src/merge/found-aux.ts";
import { MERGE_MINING_DEFAULTS, MergeMining } from "../../../src/merge/merge-mining.ts";
import { BIP320_MASK, type Job } from "../../../src/mining/job.ts";
import type { TemplateCause } from "../../../src/mining/ports.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import type { PoolEvents } from "../../../src/pool/events.ts";
import { JobMaker } from "../../../src/pool/job-maker.ts";
import { auxWork } from "../../support/aux-work.ts";
import { payout, type TestChannel, TestPool } from "../../support/conversation.ts";
import { FakeJobSource, makeTemplate } from "../../support/fake-chain.ts";
import { FakeChain, FakeStore } from "../../support/found-aux.ts";
import { pass } from "../node/bitcoind/fakes.ts";

const BURST_MS = MERGE_MINING_DEFAULTS.coalesceMs;

/** A pool with two chains: namecoin in the tree, rsk by an output. */
async function setting() {
  const pool = new TestPool();
  const { clock, log, jobIds } = pool;
  const meter = new MemoryMeter();
  const steps: string[] = [];
  const bus = new Bus<MergeEvents>({ onError: () => undefined });
  const merge = new MergeMining({ clock, log, meter, bus, store: new FakeStore(steps) }, MERGE_MINING_DEFAULTS);
  const namecoin = new FakeChain(steps);
  namecoin.commitment = ({ hash }) => [{ kind: "auxpow", chainId: 1, hash, strictChainId: true }];
  const rsk = new FakeChain(steps);
  const policy = { update: 1, minIntervalMs: 0, expiryMs: 600_000, prefer: "value" } as const;
  merge.addChain({ name: "namecoin", policy, chain: namecoin });
  merge.addChain({ name: "rsk", policy, chain: rsk });
  const jobSource = new FakeJobSource(makeTemplate({ height: 100, prevHash: new Uint8Array(32).fill(1) }));
  const jobs = new JobMaker(
    { clock, log, meter, jobIds, jobSource, payout, merge, bus: new Bus<PoolEvents>({ onError: () => undefined }) },
    { tag: utf8("/unit/"), versionRollingMask: BIP320_MASK, refreshMs: 3_600_000 },
  );
  const made: { job: Job; cause: TemplateCause }[] = [];
  jobs.onJob((job, cause) => {
    made.push({ job, cause });
    pool.job = job;
    for (const peer of pool.peers) peer.downstream.newJob(job);
  });
  await jobs.start(new AbortController().signal);
  /** Sends a share and hands on what was hashed, as the server does. */
  const submit = (channel: TestChannel, mined: ReturnType<TestChannel["mine"]>): void => {
    channel.submit(mined);
    for (const { extranonce, ...share } of pool.hashed.splice(0)) {
      merge.hashed({ ...share, extranonce: () => extranonce });
    }
  };
  return { pool, clock, meter, steps, merge, namecoin, rsk, jobSource, made, submit };
}

describe("new work of a chain", () => {
  test("reaches miners as a job to mine at once, with its time and without SetNewPrevHash; old jobs stay valid", async () => {
    const { pool, clock, merge, made, submit } = await setting();
    const peer = pool.connect();
    const channel = peer.openExtended();
    const before = channel.mine();
    merge.offer("namecoin", auxWork({ id: "n1" }));
    peer.nothing();
    clock.advance(BURST_MS);
    const job = made.at(-1)?.job;
    expect(made.at(-1)?.cause).toBe("aux");
    expect(job?.aux?.entries.map(({ chain }) => chain)).toEqual(["namecoin"]);
    expect(peer.next("NewExtendedMiningJob")).toMatchObject({
      channelId: 1,
      jobId: job?.jobId,
      minNtime: job?.minTime,
    });
    peer.nothing();
    submit(channel, before);
    peer.downstream.flush();
    expect(peer.names()).toEqual(["SubmitSharesSuccess"]);
  });

  test("of several chains at once makes one job; together with a Bitcoin block it makes that one alone", async () => {
    const { clock, merge, made, jobSource } = await setting();
    merge.offer("namecoin", auxWork({ id: "n1" }));
    merge.offer("rsk", auxWork({ id: "r1" }));
    clock.advance(10_000);
    expect(made.map(({ cause }) => cause)).toEqual(["newBlock", "aux"]);
    merge.offer("namecoin", auxWork({ id: "n2", parent: "p2" }));
    merge.offer("rsk", auxWork({ id: "r2", parent: "p2" }));
    jobSource.newBlock();
    clock.advance(10_000);
    expect(made.map(({ cause }) => cause)).toEqual(["newBlock", "aux", "newBlock"]);
    expect(made.at(-1)?.job.aux?.entries.map(({ work }) => work.id)).toEqual(["n2", "r2"]);
  });

  test("a hundred tips of a wild chain and unchanged offers cost a bounded number of jobs", async () => {
    const { clock, merge, made } = await setting();
    for (let i = 0; i < 100; i++) {
      merge.offer("rsk", auxWork({ id: `r${i}`, parent: `p${i}` }));
      clock.advance(5);
    }
    clock.advance(1000);
    expect(made.length).toBeLessThanOrEqual(1 + 500 / BURST_MS + 1);
    expect(made.at(-1)?.job.aux?.entries[0]?.work.id).toBe("r99");
    const { length } = made;
    for (let i = 0; i < 100; i++) {
      merge.offer("rsk", auxWork({ id: "r99", parent: "p99" }));
      clock.advance(1000);
    }
    expect(made).toHaveLength(length);
  });
});

describe("a miner's share", () => {
  test.each(["standard", "extended"] as const)("of a %s channel wins every chain of its job", async (kind) => {
    const { pool, clock, merge, steps, submit, namecoin } = await setting();
    merge.offer("namecoin", auxWork({ id: "n1", target: MAX_TARGET }));
    merge.offer("rsk", auxWork({ id: "r1", target: MAX_TARGET }));
    clock.advance(BURST_MS);
    const channel = kind === "standard" ? pool.connect().openStandard() : pool.connect().openExtended();
    const mined = channel.mine();
    submit(channel, mined);
    await pass(clock, 10, 1);
    expect(steps.filter((step) => step.startsWith("submitted"))).toEqual(["submitted n1", "submitted r1"]);
    expect(namecoin.submitted[0]?.header).toEqual(mined.header);
  });

  test("that is stale for Bitcoin still wins an aux block, of its own job's work", async () => {
    const { pool, clock, merge, steps, submit, jobSource } = await setting();
    merge.offer("namecoin", auxWork({ id: "n1", target: MAX_TARGET }));
    clock.advance(BURST_MS);
    const peer = pool.connect();
    const channel = peer.openExtended();
    const late = channel.mine();
    merge.offer("namecoin", auxWork({ id: "n2", parent: "p2", target: MAX_TARGET }));
    jobSource.newBlock();
    peer.received();
    submit(channel, late);
    expect(peer.next("SubmitSharesError").errorCode).toBe("stale-share");
    await pass(clock, 10, 1);
    expect(steps).toEqual(["stored n1", "submitted n1", "settled n1 accepted"]);
  });

  test("too weak for its channel wins a chain that is easier still", async () => {
    const { pool, clock, merge, steps, submit } = await setting();
    const easier = targetOfDifficulty(1e-9);
    merge.offer("rsk", auxWork({ id: "r1", target: easier }));
    clock.advance(BURST_MS);
    const peer = pool.connect();
    const channel = peer.openExtended({ nominalHashRate: 1000 });
    submit(
      channel,
      channel.mine({ atMost: easier, above: BigInt(`0x${Buffer.from(channel.target).reverse().toString("hex")}`) }),
    );
    expect(peer.next("SubmitSharesError").errorCode).toBe("difficulty-too-low");
    await pass(clock, 10, 1);
    expect(steps).toContain("submitted r1");
  });

  test("is answered first: proofs come after it", async () => {
    const { pool, clock, merge, submit, rsk } = await setting();
    merge.offer("rsk", auxWork({ id: "r1", target: MAX_TARGET }));
    clock.advance(BURST_MS);
    const peer = pool.connect({ ackBatchSize: 1 });
    const channel = peer.openExtended();
    const answered: string[] = [];
    rsk.flaw = () => {
      answered.push(...peer.names(), "proof");
      return undefined;
    };
    submit(channel, channel.mine());
    clock.advance(0);
    expect(answered).toEqual(["SubmitSharesSuccess", "proof"]);
  });
});

test("a chain that is easier than the miners' shares lowers their target with its job, and its end lifts that again", async () => {
  const { pool, clock, merge, jobSource } = await setting();
  jobSource.newBlock({ nBits: 0x1700ffff });
  const peer = pool.connect();
  peer.openExtended({ nominalHashRate: 7e12 });
  const difficulty = (): number => peer.downstream.channels()[0]?.difficulty ?? 0;
  expect(difficulty()).toBeGreaterThan(10_000);
  merge.offer("namecoin", auxWork({ id: "n1", target: targetOfDifficulty(1000) }));
  clock.advance(BURST_MS);
  expect(peer.next("SetTarget").maximumTarget).toEqual(targetToBytes(targetOfDifficulty(1000)));
  expect(peer.names()).toEqual(["NewExtendedMiningJob"]);
  merge.removeChain("namecoin");
  jobSource.refresh();
  peer.send("UpdateChannel", {
    channelId: 2,
    nominalHashRate: 9e12,
    maximumTarget: new Uint8Array(32).fill(0xff),
  });
  expect(difficulty()).toBeGreaterThan(10_000);
});
