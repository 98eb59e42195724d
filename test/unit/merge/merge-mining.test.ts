import { describe, expect, test } from "vitest";
import { MAX_TARGET, targetOfDifficulty } from "../../../src/bitcoin/target.ts";
import { toDisplayHex, utf8 } from "../../../src/kernel/bytes.ts";
import { Bus } from "../../../src/kernel/events.ts";
import { verifyAuxPow } from "../../../src/merge/auxpow/verify.ts";
import type { FoundAux, MergeEvents } from "../../../src/merge/found-aux.ts";
import { MERGE_MINING_DEFAULTS, MergeMining, type MergeMiningOptions } from "../../../src/merge/merge-mining.ts";
import type { ChainPolicy, Commitment } from "../../../src/merge/plugin.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";
import { buildJob, type Job, JobIds, type JobParts } from "../../../src/mining/job.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { auxWork } from "../../support/aux-work.ts";
import { payout } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeChain, FakeStore, foundAux, later, says } from "../../support/found-aux.ts";
import { hashedShare } from "../../support/hashed-share.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { pass, settle } from "../node/bitcoind/fakes.ts";

const POLICY: ChainPolicy = { update: 1, minIntervalMs: 0, expiryMs: 600_000, prefer: "value" };
const leaf =
  (chainId: number, strictChainId = true) =>
  (work: AuxWork): Commitment[] => [{ kind: "auxpow", chainId, hash: work.hash, strictChainId }];
/** Work that any header solves. */
const easy = (id: string, wish: Partial<AuxWork> = {}): AuxWork => auxWork({ id, target: MAX_TARGET, ...wish });

/** Merge mining between scripted chains, a scripted disk, and jobs and shares of a test. */
function setting(options: Partial<MergeMiningOptions> = {}) {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const steps: string[] = [];
  const store = new FakeStore(steps);
  const events: (MergeEvents["ChainChanged"] | { found: FoundAux; verdict?: string })[] = [];
  const bus = new Bus<MergeEvents>({ onError: () => undefined });
  bus.on("ChainChanged", (event) => void events.push(event));
  bus.on("AuxBlockFound", (found) => void events.push({ found }));
  bus.on("AuxBlockAnswered", ({ found, answer }) => void events.push({ found, verdict: answer.verdict }));
  const merge = new MergeMining({ clock, log, meter, bus, store }, { ...MERGE_MINING_DEFAULTS, ...options });
  const jobIds = new JobIds();
  const template = makeTemplate({ height: 800_000, prevHash: seededRandom(1).bytes(32) });
  const parts = (): JobParts => ({ template, payout, tag: utf8("/unit/"), jobId: jobIds.next(), nowMs: clock.nowMs() });
  const job = (): Job => merge.makeJob(parts());
  const chain = (name: string, commit: FakeChain["commitment"] = leaf(1)): FakeChain => {
    const it = new FakeChain(steps);
    it.commitment = commit;
    merge.addChain({ name, policy: POLICY, chain: it });
    return it;
  };
  const errors = (): string[] => log.lines.filter(({ level }) => level === "error").map(({ message }) => message);
  const status = (name: string) => merge.status().find(({ chain }) => chain === name);
  const names = (made: Job): string[] => (made.aux?.entries ?? []).map((entry) => entry.chain);
  return { clock, log, meter, steps, store, events, merge, parts, job, chain, errors, status, names };
}

test("a daemon that lost our block, or another one that never got it, is mined on again", async () => {
  const { merge, chain, job, clock, log } = setting();
  const { submitted } = chain("namecoin");
  const solve = async (nonce: number): Promise<void> => {
    merge.hashed(hashedShare(job(), { nonce }));
    await pass(clock, 100, 10);
  };
  merge.offer("namecoin", easy("n1"));
  await solve(1);
  expect(submitted).toHaveLength(1);
  // It crashed before the block was on its disk, and makes another template of the same height.
  merge.offer("namecoin", easy("n2", { value: 5_000_000_001n }));
  await solve(2);
  expect(submitted).toHaveLength(1);
  clock.advance(10_000);
  merge.offer("namecoin", easy("n2", { value: 5_000_000_001n }));
  expect(log.lines.at(-1)).toMatchObject({ level: "warn", message: expect.stringContaining("is mined once more") });
  await solve(3);
  expect(submitted.map(({ work }) => work.id)).toEqual(["n1", "n2"]);
});

test("a daemon that died with our block does not cost the one that its successor's work won", async () => {
  const { merge, chain, job, clock, status } = setting();
  const namecoin = chain("namecoin");
  namecoin.answer = async ({ work }) => {
    if (work.id === "n1") throw new Error("nobody listens");
    return says("accepted");
  };
  merge.offer("namecoin", easy("n1"));
  merge.hashed(hashedShare(job()));
  await pass(clock, 100, 10);
  // The other daemon has the same tip, but a template of its own.
  merge.offer("namecoin", undefined);
  merge.offer("namecoin", easy("n2"));
  merge.hashed(hashedShare(job()));
  await pass(clock, 100, 10);
  expect(status("namecoin")).toMatchObject({ pending: 1, answers: { accepted: 1 } });
});

test("the tree has room for a chain that has no work yet: its first moves no other", () => {
  const { merge, chain, job } = setting();
  const says = (name: string, chainId: number): void => {
    const it = new FakeChain();
    it.commitment = leaf(chainId);
    merge.addChain({ name, policy: POLICY, chain: Object.assign(it, { chainId }) });
  };
  chain("namecoin", leaf(1));
  says("syscoin", 16);
  says("fractal", 8228);
  merge.offer("namecoin", easy("n1"));
  const slots = (made: Job) => made.aux?.entries.map(({ slot }) => [slot?.chainId, slot?.index, slot?.branch.length]);
  expect(slots(job())).toEqual([[1, 3, 3]]);
  merge.offer("fractal", easy("f1"));
  merge.offer("syscoin", easy("s1"));
  expect(slots(job())).toEqual([
    [1, 3, 3],
    [16, 6, 3],
    [8228, 2, 3],
  ]);
});

describe("jobs", () => {
  test("without chains, and without work, are what buildJob makes", () => {
    const { merge, parts, chain } = setting();
    const wanted = parts();
    expect(merge.makeJob(wanted)).toEqual(buildJob(wanted));
    chain("namecoin");
    expect(merge.makeJob(wanted)).toEqual(buildJob(wanted));
  });

  test("commit to the chains' newest work and keep it when the board moves on", () => {
    const { merge, job, chain, names } = setting();
    chain("namecoin");
    chain("rsk", (work) => [{ kind: "output", script: work.hash }]);
    merge.offer("namecoin", easy("n1"));
    merge.offer("rsk", easy("r1"));
    const first = job();
    expect(names(first)).toEqual(["namecoin", "rsk"]);
    merge.offer("namecoin", easy("n2", { parent: "p2" }));
    expect(first.aux?.entries[0]?.work.id).toBe("n1");
    expect(job().aux?.entries[0]?.work.id).toBe("n2");
  });

  test("a chain without leaf or with withdrawn work leaves the next job; one that joins is in it", () => {
    const { merge, job, chain, names } = setting();
    chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    expect(names(job())).toEqual(["namecoin"]);
    merge.offer("namecoin", undefined);
    expect(names(job())).toEqual([]);
    merge.offer("namecoin", easy("n1"));
    expect(names(job())).toEqual(["namecoin"]);
    merge.removeChain("namecoin");
    expect(names(job())).toEqual([]);
    expect(() => merge.offer("namecoin", easy("n1"))).not.toThrow();
    chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    expect(names(job())).toEqual(["namecoin"]);
  });

  test("new work asks for a job once a burst, and not when one was made meanwhile", () => {
    const { merge, chain, clock, job, meter } = setting();
    let asked = 0;
    merge.onWork(() => {
      asked += 1;
    });
    chain("a", leaf(1));
    chain("b", leaf(2));
    merge.offer("a", easy("a1"));
    merge.offer("b", easy("b1"));
    clock.advance(20);
    expect(asked).toBe(1);
    job();
    merge.offer("a", easy("a2", { parent: "p2" }));
    clock.advance(10);
    job();
    clock.advance(10_000);
    expect(asked).toBe(1);
    // From the offer to the job: 20 ms for the burst, 10 ms for the one that a Bitcoin template took along.
    expect(meter.observations("aux_job_seconds")).toMatchObject({ count: 3, sum: expect.closeTo(0.05, 6) });
  });

  test("a plugin that throws at an offer is told so, and jobs go on with the others", () => {
    const { merge, chain, job, names } = setting();
    chain("bad", () => {
      throw new Error("boom");
    });
    chain("good", leaf(2));
    merge.offer("good", easy("g1"));
    expect(() => merge.offer("bad", easy("b1"))).toThrow(expect.objectContaining({ code: "merge-commit-failed" }));
    expect(names(job())).toEqual(["good"]);
  });

  test("what cannot be placed is dropped, told once for each reason and counted with each job", () => {
    const { merge, chain, job, names, log, meter, status, events } = setting();
    chain("good", leaf(1));
    chain("fat", (work) =>
      Array.from({ length: 4 }, (_, i) => ({ kind: "output", script: new Uint8Array(100).fill(work.height + i) })),
    );
    chain("fatter", (work) =>
      Array.from({ length: 4 }, (_, i) => ({ kind: "output", script: new Uint8Array(100).fill(work.height + 9 + i) })),
    );
    chain("fattest", (work) =>
      Array.from({ length: 4 }, (_, i) => ({ kind: "output", script: new Uint8Array(100).fill(work.height + 99 + i) })),
    );
    for (const name of ["good", "fat", "fatter", "fattest"]) merge.offer(name, easy(name));
    for (let i = 0; i < 5; i++) expect(names(job())).toEqual(["good", "fat", "fatter"]);
    expect(meter.byLabel("aux_commitments_dropped_total")).toEqual({ "fattest,no_room": 5 });
    expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
    expect(status("fattest")).toMatchObject({ inJob: false, dropped: expect.stringMatching(/./) });
    expect(status("good")).toMatchObject({ inJob: true, dropped: undefined });
    expect(events).toContainEqual({ chain: "fattest", state: "dropped", trouble: status("fattest")?.dropped });
    merge.offer("fattest", undefined);
    job();
    expect(events.at(-1)).toEqual({ chain: "fattest", state: "idle", trouble: undefined });
    expect(meter.byLabel("aux_commitments_dropped_total")).toMatchObject({ "fattest,no_work": 1 });
  });

  test("a Bitcoin job goes out whatever fails inside, loudly", () => {
    const { merge, parts, chain, errors, meter, clock } = setting();
    chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    const wanted = parts();
    let reads = 0;
    const trap = new Proxy(wanted, {
      get(target, name) {
        if (name === "template" && reads++ === 0) throw new Error("unforeseen");
        return Reflect.get(target, name);
      },
    });
    expect(merge.makeJob(trap)).toEqual(buildJob(wanted));
    expect(errors()).toEqual(["namecoin: jobs do not commit to it: unforeseen"]);
    // Once more, outside of the composition.
    clock.monotonicMs = () => {
      throw new Error("no clock");
    };
    expect(merge.makeJob(wanted)).toEqual(buildJob(wanted));
    expect(errors()[1]).toBe("job 1 goes out without any aux chain: no clock");
    expect(meter.byLabel("aux_commitments_dropped_total")).toEqual({ "namecoin,failed": 2 });
  });

  test("an impossible Bitcoin job is the caller's to know, as before", () => {
    const { merge, parts } = setting();
    expect(() => merge.makeJob({ ...parts(), payout: () => [] })).toThrow(TypeError);
  });

  test.each([
    ["the easiest chain that counts", [5, 1000, 70], 5],
    ["a chain below difficulty 1 does not count", [0.5, 70], 70],
    ["difficulty 1 counts", [1, 70], 1],
    ["only chains that do not count", [0.5, 1e-9], undefined],
    ["a tag that nothing solves does not count", [Number.POSITIVE_INFINITY, 70], 70],
  ])("ask channels for no more than %s", (_what, difficulties, expected) => {
    const { merge, chain, job } = setting();
    difficulties.forEach((difficulty, i) => {
      chain(`c${i}`, leaf(i));
      const target = Number.isFinite(difficulty) ? targetOfDifficulty(difficulty) : 0n;
      merge.offer(`c${i}`, auxWork({ id: `w${i}`, target }));
    });
    expect(job().aux?.channelTarget).toBe(expected === undefined ? undefined : targetOfDifficulty(expected));
  });
});

describe("a share", () => {
  test("that solves a chain's work is proved from its own job, written down, submitted and answered", async () => {
    const { merge, chain, job, clock, steps, events, meter, status, log } = setting();
    const namecoin = chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    const own = job();
    merge.offer("namecoin", easy("n2", { parent: "p2" }));
    job();
    const share = hashedShare(own, { nonce: 9, userIdentity: "bob" });
    const hash = toDisplayHex(share.hash);
    merge.hashed(share);
    // The buffers belong to the share path, which goes on with the next share.
    share.spoil();
    expect(steps).toEqual([]);
    await pass(clock, 1);
    expect(steps).toEqual(["stored n1", "submitted n1", "settled n1 accepted"]);
    const [proof] = namecoin.submitted;
    expect(toDisplayHex(proof!.headerHash)).toBe(hash);
    const { hash: auxHash, target } = proof!.work;
    expect(
      verifyAuxPow({ auxpow: proof!.auxpow!, hash: auxHash, chainId: 1, strictChainId: true, target }),
    ).toBeUndefined();
    const [found, answered] = events.filter((event) => "found" in event);
    expect(found).toMatchObject({
      found: { key: `namecoin:n1:${hash}`, chain: "namecoin", userIdentity: "bob", jobId: 1, parentHeight: 800_000 },
    });
    expect(answered).toMatchObject({ verdict: "accepted" });
    expect(meter.byLabel("aux_blocks_found_total")).toEqual({ namecoin: 1 });
    expect(meter.byLabel("aux_blocks_submitted_total")).toEqual({ "namecoin,accepted": 1 });
    expect(status("namecoin")).toMatchObject({ found: 1, pending: 0, spares: 0, answers: { accepted: 1, stale: 0 } });
    expect(log.lines.map(({ message }) => message)).toContain("namecoin block n1 at height 21 was accepted");
  });

  test("costs nothing where it solves nothing: not a timer, not an object kept", () => {
    const { merge, chain, job, clock } = setting();
    chain("namecoin");
    merge.offer("namecoin", auxWork({ id: "n1", target: 1n }));
    const made = job();
    const pending = clock.pending;
    merge.hashed(hashedShare(made));
    merge.hashed(hashedShare(buildJob({ ...setting().parts(), jobId: 5 })));
    expect(clock.pending).toBe(pending);
    expect(merge.status()[0]).toMatchObject({ found: 0, pending: 0 });
  });

  test("that solves several chains wins each, and one chain's trouble is no other's", async () => {
    const { merge, chain, job, clock, steps } = setting();
    chain("a", leaf(1)).answer = () => new Promise(() => undefined);
    chain("b", leaf(2)).flaw = () => {
      throw new Error("boom");
    };
    chain("c", (work) => [{ kind: "output", script: work.hash }]);
    chain("hard", leaf(3));
    for (const name of ["a", "b", "c"]) merge.offer(name, easy(`${name}1`));
    merge.offer("hard", auxWork({ id: "h1", target: 1n }));
    merge.hashed(hashedShare(job()));
    await pass(clock, 5, 1);
    expect(steps.filter((step) => step.startsWith("submitted"))).toEqual([
      "submitted a1",
      "submitted b1",
      "submitted c1",
    ]);
    expect(steps).toContain("settled b1 accepted");
    expect(steps).toContain("settled c1 accepted");
  });

  test("that is submitted twice wins once", async () => {
    const { merge, chain, job, clock, meter, steps } = setting();
    chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    const made = job();
    for (let i = 0; i < 3; i++) merge.hashed(hashedShare(made));
    await pass(clock, 5, 1);
    merge.hashed(hashedShare(made));
    await pass(clock, 5, 1);
    expect(steps).toEqual(["stored n1", "submitted n1", "settled n1 accepted"]);
    expect(meter.byLabel("aux_blocks_found_total")).toEqual({ namecoin: 1 });
  });

  test("is proved in a later turn, one proof a turn, after what was waiting already", () => {
    const { merge, chain, job, clock, log } = setting();
    const order: string[] = [];
    const namecoin = chain("namecoin");
    namecoin.flaw = (proof) => {
      order.push(`proof ${proof.work.id}`);
      return undefined;
    };
    const other = chain("other", leaf(2));
    other.flaw = namecoin.flaw;
    merge.offer("namecoin", easy("n1"));
    merge.offer("other", easy("o1"));
    const made = job();
    clock.after(0, () => void order.push("a Bitcoin block"));
    merge.hashed(hashedShare(made));
    clock.after(0, () => void order.push("another share"));
    expect(order).toEqual([]);
    clock.advance(0);
    expect(order).toEqual(["a Bitcoin block", "proof n1", "another share", "proof o1"]);
    expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("parent versions", () => {
  test.each([
    ["bit 8, whatever the rest", leaf(1), 0x20000100, "parent_version"],
    ["bit 8 for a chain that is not strict", leaf(1, false), 0x3fffff00, "parent_version"],
    ["a strict chain's own ID", leaf(0x2024), 0x20240000, "chain_id"],
    ["a strict chain's own ID under lower bits", leaf(0x2024), 0x2024e000, "chain_id"],
  ])("%s: counted, never submitted", async (_what, commit, version, reason) => {
    const { merge, chain, job, clock, meter, steps, log } = setting();
    chain("namecoin", commit);
    merge.offer("namecoin", easy("n1"));
    const made = job();
    for (let nonce = 0; nonce < 5; nonce++) merge.hashed(hashedShare(made, { version, nonce }));
    await pass(clock, 10);
    expect(steps).toEqual([]);
    expect(meter.byLabel("aux_lost_total")).toEqual({ [`namecoin,${reason}`]: 5 });
    const warned = (): string[] => log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    expect(warned()).toHaveLength(1);
    clock.advance(599_000);
    merge.hashed(hashedShare(made, { version, nonce: 6 }));
    expect(warned()).toHaveLength(1);
    clock.advance(1000);
    merge.hashed(hashedShare(made, { version, nonce: 7 }));
    expect(warned()).toHaveLength(2);
    expect(warned()[1]).toContain("(and 5 more since the last such line)");
  });

  test.each([
    ["another chain's ID", leaf(1), 0x20240000],
    ["its own ID for a chain that is not strict", leaf(0x2024, false), 0x20240000],
    [
      "bit 8 for a chain without AuxPoW",
      (work: AuxWork): Commitment[] => [{ kind: "output", script: work.hash }],
      0x20000100,
    ],
  ])("%s: submitted", async (_what, commit, version) => {
    const { merge, chain, job, clock, steps, errors } = setting();
    chain("namecoin", commit);
    merge.offer("namecoin", easy("n1"));
    merge.hashed(hashedShare(job(), { version }));
    await pass(clock, 10);
    expect(errors()).toEqual([]);
    expect(steps).toContain("submitted n1");
  });
});

describe("several solutions", () => {
  test("of one work: one is submitted, eight are held until it was accepted, the rest is counted", async () => {
    const { merge, chain, job, clock, meter, steps, status } = setting();
    const namecoin = chain("namecoin");
    const call = later<ReturnType<typeof says>>();
    namecoin.answer = () => call.promise;
    merge.offer("namecoin", easy("n1"));
    const made = job();
    for (let nonce = 0; nonce < 20; nonce++) merge.hashed(hashedShare(made, { nonce }));
    await pass(clock, 5, 1);
    expect(namecoin.submitted).toHaveLength(1);
    expect(status("namecoin")).toMatchObject({ found: 20, spares: 8, pending: 1 });
    expect(meter.byLabel("aux_lost_total")).toEqual({ "namecoin,spare": 11 });
    call.resolve(says("accepted"));
    await settle();
    expect(steps).toEqual(["stored n1", "submitted n1", "settled n1 accepted"]);
    expect(meter.byLabel("aux_lost_total")).toEqual({ "namecoin,spare": 19 });
    expect(status("namecoin")).toMatchObject({ spares: 0, pending: 0 });
  });

  test("a header that solves a job whose works were won before it wins none of them, and is no loss; the next job's it wins", async () => {
    const { merge, chain, job, clock, meter, events, errors } = setting();
    chain("namecoin");
    chain("rsk", (work) => [{ kind: "output", script: work.hash }]);
    const tell = () =>
      events.flatMap((event) => ("found" in event && event.verdict === undefined ? [event.found] : []));
    const offer = (n: number): void => {
      merge.offer("namecoin", easy(`n${n}`, { height: 20 + n, parent: `p${n}` }));
      merge.offer("rsk", easy(`r${n}`, { height: 20 + n, parent: `p${n}` }));
    };
    offer(1);
    const made = job();
    merge.hashed(hashedShare(made, { nonce: 1 }));
    await pass(clock, 5, 1);
    const told = tell().map(({ work, proof }) => [work.id, toDisplayHex(proof.headerHash)]);
    expect(told.map(([work]) => work)).toEqual(["n1", "r1"]);
    // Both are accepted, but the job that follows is not out: a miner solves the old one once more, with a header that Bitcoin takes too.
    merge.hashed(hashedShare(made, { nonce: 2 }));
    await pass(clock, 5, 1);
    expect(tell()).toHaveLength(2);
    expect(meter.byLabel("aux_lost_total")).toEqual({ "namecoin,spare": 1, "rsk,spare": 1 });
    expect(errors()).toEqual([]);
    offer(2);
    const share = hashedShare(job(), { nonce: 3 });
    merge.hashed(share);
    await pass(clock, 5, 1);
    const later = tell().slice(2);
    expect(later.map(({ work }) => work.id)).toEqual(["n2", "r2"]);
    for (const { proof } of later) expect(toDisplayHex(proof.headerHash)).toBe(toDisplayHex(share.hash));
  });

  test("the next goes when one is refused, written down before it like the first", async () => {
    const { merge, chain, job, clock, steps } = setting();
    const namecoin = chain("namecoin");
    namecoin.answer = async () => says(namecoin.submitted.length < 3 ? "rejected" : "accepted", "high-hash");
    merge.offer("namecoin", easy("n1"));
    const made = job();
    for (let nonce = 0; nonce < 5; nonce++) merge.hashed(hashedShare(made, { nonce }));
    await pass(clock, 20, 1);
    expect(steps.filter((step) => !step.startsWith("settled"))).toEqual([
      ...["stored n1", "submitted n1", "stored n1", "submitted n1", "stored n1", "submitted n1"],
    ]);
    expect(steps.filter((step) => step.startsWith("settled"))).toEqual([
      "settled n1 rejected",
      "settled n1 rejected",
      "settled n1 accepted",
    ]);
  });

  test("work that its daemon calls stale leaves the jobs until it is offered again", async () => {
    const { merge, chain, job, clock, names, status } = setting();
    const namecoin = chain("namecoin");
    namecoin.answer = async () => says("stale", "block hash unknown");
    merge.offer("namecoin", easy("n1"));
    merge.hashed(hashedShare(job()));
    await pass(clock, 5, 1);
    expect(names(job())).toEqual([]);
    expect(status("namecoin")).toMatchObject({ work: undefined, answers: { stale: 1 } });
    merge.offer("namecoin", easy("n2", { value: 1n }));
    expect(names(job())).toEqual(["namecoin"]);
  });

  test("more than the queue holds are dropped, counted and told", () => {
    const { merge, chain, job, clock, meter, errors } = setting({ queueSize: 3 });
    ["a", "b", "c", "d"].forEach((name, i) => {
      chain(name, leaf(i));
      merge.offer(name, easy(name));
    });
    const made = job();
    merge.hashed(hashedShare(made));
    expect(meter.byLabel("aux_lost_total")).toEqual({ "d,overflow": 1 });
    expect(errors()).toEqual(["d: a solution was dropped: too many wait for their proof"]);
    clock.advance(0);
    merge.hashed(hashedShare(made, { nonce: 1 }));
    expect(meter.byLabel("aux_blocks_found_total")).toEqual({ a: 2, b: 2, c: 2, d: 2 });
  });

  test("when more blocks than may wait for a daemon are found, the oldest are given up, counted and told", async () => {
    const { merge, chain, job, clock, meter, errors, status } = setting({ maxPending: 2 });
    const namecoin = chain("namecoin");
    namecoin.answer = async () => {
      throw new Error("down");
    };
    for (let height = 1; height <= 3; height++) {
      merge.offer("namecoin", easy(`n${height}`, { height }));
      merge.hashed(hashedShare(job()));
      await pass(clock, 10);
    }
    expect(meter.byLabel("aux_blocks_submitted_total")).toEqual({ "namecoin,failed": 1 });
    expect(errors()).toEqual(["namecoin block n1 at height 1 is given up: 2 newer blocks wait for an answer"]);
    expect(status("namecoin")).toMatchObject({ pending: 2, answers: { failed: 1 } });
    namecoin.answer = async () => says("accepted");
    await pass(clock, 60_000, 500);
    expect(status("namecoin")).toMatchObject({ pending: 0, answers: { failed: 1, accepted: 2 } });
  });

  test("of more blocks left on disk than may wait, the newest are submitted", async () => {
    const { merge, chain, store, clock } = setting({ maxPending: 2 });
    for (let height = 1; height <= 3; height++) {
      const found = foundAux({ work: easy(`n${height}`, { height }) });
      store.open.set(found.key, found);
    }
    await merge.start(new AbortController().signal);
    const namecoin = chain("namecoin");
    await pass(clock, 10);
    expect(namecoin.submitted.map(({ work }) => work.id)).toEqual(["n2", "n3"]);
    expect(store.open.size).toBe(0);
  });
});

describe("a wrong proof", () => {
  test("that our check finds is kept on disk with all facts in the log, counted, never submitted", async () => {
    const { merge, chain, job, clock, meter, steps, errors, store, events } = setting();
    chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    const made = job();
    const { header, ...share } = hashedShare(made);
    // Another header than the one that was hashed: the coinbase does not lead to it.
    merge.hashed({ ...share, header: header.slice().fill(7, 36, 68) });
    await pass(clock, 10);
    expect(steps).toEqual(["settled n1 failed"]);
    expect([...store.answers.values()][0]?.reason).toContain("merkle root");
    expect(meter.byLabel("aux_lost_total")).toEqual({ "namecoin,proof": 1 });
    expect(errors()[0]).toContain("failed our own check and was not submitted (chain namecoin, flaw ");
    // Never submitted, and its end is told all the same: the ledger keeps every block that was found.
    const told = events.filter((event) => "found" in event);
    expect(told).toMatchObject([{ found: { chain: "namecoin" }, verdict: "failed" }]);
    // It takes no place: the next good one goes out.
    merge.hashed(hashedShare(made, { nonce: 1 }));
    await pass(clock, 10);
    expect(steps).toContain("submitted n1");
  });

  test("that the plugin's check finds is treated alike", async () => {
    const { merge, chain, job, clock, steps, errors } = setting();
    chain("namecoin").flaw = () => "the daemon would not take it";
    merge.offer("namecoin", easy("n1"));
    merge.hashed(hashedShare(job()));
    await pass(clock, 10);
    expect(steps).toEqual(["settled n1 failed"]);
    expect(errors()[0]).toContain("the daemon would not take it");
  });

  test("a check of the plugin that throws does not cost the block", async () => {
    const { merge, chain, job, clock, steps } = setting();
    chain("namecoin").flaw = () => {
      throw new Error("boom");
    };
    merge.offer("namecoin", easy("n1"));
    merge.hashed(hashedShare(job()));
    await pass(clock, 10);
    expect(steps).toContain("submitted n1");
  });

  test("a share whose bytes cannot be used at all harms nothing", async () => {
    const { merge, chain, job, clock, meter } = setting();
    chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    const share = hashedShare(job());
    merge.hashed({ ...share, extranonce: () => new Uint8Array(3) });
    await pass(clock, 10);
    expect(meter.byLabel("aux_lost_total")).toEqual({ "namecoin,proof": 1 });
    expect(() =>
      merge.hashed({
        ...share,
        hash: share.hash.slice().fill(1, 0, 4),
        extranonce: () => {
          throw new Error("gone");
        },
      }),
    ).not.toThrow();
  });
});

describe("over a stop", () => {
  test("blocks without an answer are submitted when their chain joins after the next start", async () => {
    const { merge, chain, store, steps, clock, status, log } = setting();
    const left = foundAux({ chain: "rsk", auxPow: false });
    store.open.set(left.key, left);
    await merge.start(new AbortController().signal);
    expect(status("rsk")).toMatchObject({ running: false, pending: 1 });
    expect(log.lines[0]?.message).toContain("was found before the last stop and is submitted when rsk runs");
    await pass(clock, 1000);
    expect(steps).toEqual([]);
    chain("rsk");
    await settle();
    expect(steps).toEqual(["submitted w1", "settled w1 accepted"]);
  });

  test("a store that cannot be read is told of and stops nothing", async () => {
    const { merge, store, errors } = setting();
    store.before = async () => {
      throw new Error("no such disk");
    };
    await merge.start(new AbortController().signal);
    expect(errors()).toEqual(["found aux blocks will not survive a crash: no such disk."]);
  });

  test("what was found in the last moment is written down", async () => {
    const { merge, chain, job, clock, steps, store } = setting();
    chain("namecoin").answer = async () => {
      throw new Error("down");
    };
    merge.offer("namecoin", easy("n1"));
    merge.hashed(hashedShare(job()));
    await merge.stop();
    expect(steps).toEqual(["stored n1"]);
    expect(store.open.size).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test("drained waits for proofs and answers", async () => {
    const { merge, chain, job, steps } = setting();
    chain("namecoin");
    merge.offer("namecoin", easy("n1"));
    merge.hashed(hashedShare(job()));
    await merge.drained(new AbortController().signal);
    expect(steps).toEqual(expect.arrayContaining(["stored n1", "submitted n1"]));
  });

  test("a chain that left keeps its blocks and its counts, and another of the same ID may take its place in the tree", async () => {
    const { merge, chain, job, clock, steps, status, names } = setting();
    chain("namecoin").answer = async () => {
      throw new Error("down");
    };
    merge.offer("namecoin", easy("n1"));
    merge.hashed(hashedShare(job()));
    await pass(clock, 100);
    merge.removeChain("namecoin");
    expect(status("namecoin")).toMatchObject({ running: false, pending: 1, found: 1 });
    chain("clone", leaf(1));
    merge.offer("clone", easy("c1"));
    expect(names(job())).toEqual(["clone"]);
    merge.removeChain("clone");
    chain("namecoin");
    await settle();
    expect(steps.at(-1)).toBe("settled n1 accepted");
    expect(() => chain("namecoin")).toThrow(TypeError);
  });
});

test("the status of a chain has its work in figures", () => {
  const { merge, chain, clock, job } = setting();
  chain("namecoin");
  expect(merge.status()).toMatchObject([{ chain: "namecoin", running: true, work: undefined, inJob: false }]);
  merge.offer("namecoin", auxWork({ id: "n1", target: targetOfDifficulty(70), value: 5n }));
  clock.advance(1234);
  job();
  expect(merge.status()).toEqual([
    {
      chain: "namecoin",
      running: true,
      work: { id: "n1", parent: "p1", height: 21, value: 5n, ageMs: 1234, difficulty: expect.closeTo(70, 9) },
      inJob: true,
      dropped: undefined,
      found: 0,
      answers: { accepted: 0, duplicate: 0, stale: 0, rejected: 0, failed: 0 },
      pending: 0,
      spares: 0,
    },
  ]);
});
