import { describe, expect, test } from "vitest";
import { Bus } from "../../../src/kernel/events.ts";
import { BIP320_MASK, buildJob, type Job, JobIds, type JobParts } from "../../../src/mining/job.ts";
import type { TemplateCause } from "../../../src/mining/ports.ts";
import type { Template } from "../../../src/mining/template.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import type { MiningJobCreated, PoolEvents } from "../../../src/pool/events.ts";
import { type JobComposer, JobMaker } from "../../../src/pool/job-maker.ts";
import { FakeJobSource, makeTemplate } from "../../support/fake-chain.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

const REFRESH_MS = 50_000;
const FIRST = makeTemplate({ height: 800_000, prevHash: new Uint8Array(32).fill(1) });

/** A job maker on a scripted node and everything that comes out of it. */
function maker(template: Template | null = FIRST, merge?: JobComposer) {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const bus = new Bus<PoolEvents>({ onError: () => undefined });
  const announced: MiningJobCreated[] = [];
  bus.on("MiningJobCreated", (event) => void announced.push(event));
  const jobSource = new FakeJobSource(template ?? undefined);
  const jobs = new JobMaker(
    {
      clock,
      log,
      meter,
      bus,
      jobSource,
      jobIds: new JobIds(),
      payout: (value) => [{ value, script: Uint8Array.of(0x51) }],
      ...(merge === undefined ? {} : { merge }),
    },
    { tag: new TextEncoder().encode("/unit/"), versionRollingMask: BIP320_MASK, refreshMs: REFRESH_MS },
  );
  const made: { job: Job; cause: TemplateCause }[] = [];
  jobs.onJob((job, cause) => void made.push({ job, cause }));
  const start = (): Promise<void> => jobs.start(new AbortController().signal);
  return { clock, log, meter, announced, jobSource, jobs, made, start };
}

const causes = (made: readonly { cause: TemplateCause }[]): TemplateCause[] => made.map(({ cause }) => cause);

describe("JobMaker", () => {
  test("begins with the template that is there, and announces its job", async () => {
    const { jobs, made, start, announced, meter, clock } = maker();
    expect(jobs.current()).toBeUndefined();
    await start();
    expect(made).toHaveLength(1);
    expect(jobs.current()).toBe(made[0]?.job);
    expect(announced).toEqual([
      {
        jobId: 1,
        height: 800_000,
        prevHash: FIRST.prevHash,
        cause: "newBlock",
        value: FIRST.coinbaseValue,
        transactionCount: 4,
        atMs: clock.nowMs(),
      },
    ]);
    expect(meter.byLabel("jobs_total")).toEqual({ newBlock: 1 });
  });

  test("without a template it waits for the first", async () => {
    const { jobs, made, start, jobSource, clock } = maker(null);
    await start();
    expect(made).toEqual([]);
    jobSource.newBlock();
    expect(causes(made).at(-1)).toBe("newBlock");
    expect(jobs.current()).toBeDefined();
    await jobs.stop();
    expect(clock.pending).toBe(0);
  });

  test("one job for each template, with ids that only go up", async () => {
    const { made, start, jobSource } = maker();
    await start();
    jobSource.refresh();
    jobSource.newBlock();
    jobSource.refresh();
    expect(causes(made)).toEqual(["newBlock", "refresh", "newBlock", "refresh"]);
    expect(made.map(({ job }) => job.jobId)).toEqual([1, 2, 3, 4]);
  });

  test("what counts is the previous block and not what the source calls its reason", async () => {
    const { made, start, jobSource } = maker();
    await start();
    const sameTip = makeTemplate({ height: FIRST.height, prevHash: FIRST.prevHash });
    jobSource.offer(sameTip, "newBlock");
    jobSource.offer(sameTip, "fill");
    jobSource.offer(makeTemplate({ height: FIRST.height, prevHash: new Uint8Array(32).fill(2) }), "refresh");
    expect(causes(made)).toEqual(["newBlock", "refresh", "fill", "newBlock"]);
  });

  test("an idle job is replaced after its time, with a later header time; news put that off", async () => {
    const { made, start, jobSource, clock } = maker();
    clock.jumpTo(FIRST.curTime * 1000);
    await start();
    clock.advance(REFRESH_MS - 1);
    expect(made).toHaveLength(1);
    clock.advance(1);
    expect(causes(made)).toEqual(["newBlock", "refresh"]);
    expect(made[1]?.job.template).toBe(FIRST);
    expect(made[1]?.job.minTime).toBe((made[0]?.job.minTime ?? 0) + REFRESH_MS / 1000);
    clock.advance(REFRESH_MS / 2);
    jobSource.refresh();
    clock.advance(REFRESH_MS - 1);
    expect(made).toHaveLength(3);
    clock.advance(1);
    expect(made).toHaveLength(4);
  });

  test("while no node is at work the last template keeps miners connected", async () => {
    const { made, start, jobSource, clock } = maker();
    await start();
    jobSource.lose();
    clock.advance(REFRESH_MS * 2);
    expect(causes(made)).toEqual(["newBlock", "refresh", "refresh"]);
    expect(made.every(({ job }) => job.template === FIRST)).toBe(true);
  });

  test("a template that makes no job leaves the last one in place, says why, and the next is taken", async () => {
    const { jobs, made, start, jobSource, log } = maker();
    await start();
    const before = jobs.current();
    const cramped = makeTemplate({ height: 800_001, prevHash: new Uint8Array(32).fill(3) });
    jobSource.offer({ ...cramped, coinbaseRoom: { bytes: 1, sigops: 0 } }, "newBlock");
    expect(jobs.current()).toBe(before);
    expect(log.lines.find(({ level }) => level === "error")?.fields).toMatchObject({ template: cramped.id });
    jobSource.offer(cramped, "newBlock");
    expect(causes(made)).toEqual(["newBlock", "newBlock"]);
  });

  test("stopped, it makes no more jobs and leaves no timer", async () => {
    const { jobs, made, start, jobSource, clock } = maker();
    await start();
    await jobs.stop();
    jobSource.newBlock();
    clock.advance(REFRESH_MS * 3);
    expect(made).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});

describe("JobMaker with merge mining", () => {
  /** A composer whose jobs are recognised by their tag. */
  function composer() {
    const listeners = new Set<() => void>();
    const merge: JobComposer & { parts: JobParts[]; work(): void; listening(): number } = {
      parts: [],
      makeJob(parts) {
        merge.parts.push(parts);
        return buildJob({ ...parts, tag: new TextEncoder().encode("merged") });
      },
      onWork(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      work() {
        for (const listener of listeners) listener();
      },
      listening: () => listeners.size,
    };
    return merge;
  }
  const merged = ({ job }: { job: Job }): boolean => Buffer.from(job.coinbasePrefix).includes("merged");

  test("every job is made by it", async () => {
    const merge = composer();
    const { made, start, jobSource, clock } = maker(FIRST, merge);
    await start();
    jobSource.newBlock();
    jobSource.refresh();
    clock.advance(REFRESH_MS);
    expect(made.map(merged)).toEqual([true, true, true, true]);
    expect(merge.parts.map(({ jobId }) => jobId)).toEqual([1, 2, 3, 4]);
  });

  test("new work of a chain gives another job of the same template, on the same previous block", async () => {
    const merge = composer();
    const { made, start, meter, announced } = maker(FIRST, merge);
    await start();
    merge.work();
    expect(causes(made)).toEqual(["newBlock", "aux"]);
    expect(made[1]?.job.template).toBe(FIRST);
    expect(made[1]?.job.prevHash).toBe(made[0]?.job.prevHash);
    expect(made[1]?.job.jobId).toBe(2);
    expect(meter.byLabel("jobs_total")).toEqual({ newBlock: 1, aux: 1 });
    expect(announced.map(({ cause }) => cause)).toEqual(["newBlock", "aux"]);
  });

  test("it counts as news: the refresh comes later", async () => {
    const merge = composer();
    const { made, start, clock } = maker(FIRST, merge);
    await start();
    clock.advance(REFRESH_MS - 1);
    merge.work();
    clock.advance(REFRESH_MS - 1);
    expect(causes(made)).toEqual(["newBlock", "aux"]);
    clock.advance(1);
    expect(causes(made)).toEqual(["newBlock", "aux", "refresh"]);
  });

  test("before the first template it makes nothing; while the node is away the last template serves", async () => {
    const merge = composer();
    const { made, start, jobSource } = maker(null, merge);
    await start();
    merge.work();
    expect(made).toEqual([]);
    jobSource.newBlock();
    jobSource.lose();
    merge.work();
    expect(causes(made)).toEqual(["newBlock", "aux"]);
    expect(made[1]?.job.template).toBe(made[0]?.job.template);
  });

  test("after the stop nothing is made any more", async () => {
    const merge = composer();
    const { made, start, jobs, jobSource } = maker(FIRST, merge);
    await start();
    await jobs.stop();
    expect(merge.listening()).toBe(0);
    merge.work();
    jobSource.newBlock();
    expect(made).toHaveLength(1);
  });
});
