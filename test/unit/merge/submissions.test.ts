import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/kernel/fault.ts";
import type { AuxAnswer, FoundAux } from "../../../src/merge/found-aux.ts";
import type { Outcome } from "../../../src/merge/plugin.ts";
import { Submissions, type SubmissionsOptions } from "../../../src/merge/submissions.ts";
import { auxWork } from "../../support/aux-work.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeChain, FakeStore, foundAux, later, says } from "../../support/found-aux.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { pass, settle } from "../node/bitcoind/fakes.ts";

const HOUR_MS = 3_600_000;
const OPTIONS: SubmissionsOptions = {
  maxPending: 4,
  storeWaitMs: 1000,
  submitTimeoutMs: 120_000,
  giveUpMs: HOUR_MS,
};

function submissions(options: Partial<SubmissionsOptions> = {}) {
  const clock = new FakeClock();
  const log = recordingLog();
  const steps: string[] = [];
  const store = new FakeStore(steps);
  const chain = new FakeChain(steps);
  const ready: FoundAux[] = [];
  const troubled: string[] = [];
  const answers: { found: FoundAux; answer: AuxAnswer }[] = [];
  const it = new Submissions(
    {
      clock,
      log,
      store,
      onReady: (found) => void ready.push(found),
      onTrouble: ({ work }) => void troubled.push(work.id),
      onAnswer: (found, answer) => void answers.push({ found, answer }),
    },
    { ...OPTIONS, ...options },
  );
  const verdicts = (): string[] => answers.map(({ found, answer }) => `${found.work.id} ${answer.verdict}`);
  return { it, clock, log, steps, store, chain, ready, troubled, answers, verdicts };
}
const found = (id: string, chain = "namecoin"): FoundAux => foundAux({ chain, work: auxWork({ id }) });
const never = (): Promise<Outcome> => new Promise(() => undefined);
const down = async (): Promise<Outcome> => {
  throw new Error("nobody listens");
};

describe("a found aux block", () => {
  test("is on disk before it is submitted, however slow the disk, and its answer after that", async () => {
    const { it, clock, steps, store, chain, verdicts } = submissions();
    const disk = later<void>();
    store.before = (step) => (step.startsWith("add") ? disk.promise : Promise.resolve());
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 900);
    expect(steps).toEqual([]);
    disk.resolve();
    await settle();
    expect(steps).toEqual(["stored w1", "submitted w1", "settled w1 accepted"]);
    expect(verdicts()).toEqual(["w1 accepted"]);
    expect(it.pending("namecoin")).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("is told when it is on disk, before its daemon hears of it", async () => {
    const { it, ready, chain } = submissions();
    it.connect("namecoin", chain);
    chain.answer = async () => {
      expect(ready).toHaveLength(1);
      return says("accepted");
    };
    it.enter(found("w1"));
    await settle();
    expect(chain.submitted).toHaveLength(1);
  });

  test("carries the daemon's words, and its own id and height where the daemon says none", async () => {
    const { it, chain, answers, clock } = submissions();
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await settle();
    chain.answer = async () => ({ verdict: "rejected", reason: "x".repeat(900), blockHash: "0xabc", height: 7 });
    it.enter(found("w2"));
    await settle();
    expect(answers.map(({ answer }) => answer)).toEqual([
      { verdict: "accepted", reason: "", blockHash: "w1", height: 21, atMs: clock.nowMs() },
      { verdict: "rejected", reason: "x".repeat(500), blockHash: "0xabc", height: 7, atMs: clock.nowMs() },
    ]);
  });

  test("a disk that hangs costs no block: it is submitted after a second, loudly", async () => {
    const { it, clock, store, chain, verdicts, log } = submissions();
    store.before = (step) => (step.startsWith("add") ? new Promise(() => undefined) : Promise.resolve());
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 999, 333);
    expect(chain.submitted).toHaveLength(0);
    await pass(clock, 1);
    expect(verdicts()).toEqual(["w1 accepted"]);
    expect(log.lines.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual([
      "namecoin block w1: it cannot be written down and is submitted all the same",
    ]);
  });

  test("a disk that fails is tried again, before and after the block is submitted", async () => {
    const { it, clock, store, chain, steps, log } = submissions();
    let broken = true;
    store.before = async (step) => {
      if (broken && step.startsWith("add")) throw new Fault("merge-journal", { folder: "j" });
    };
    chain.answer = down;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 3000);
    expect(chain.submitted.length).toBeGreaterThan(0);
    expect(steps).not.toContain("stored w1");
    expect(log.lines[0]?.message).toContain("could not be written to disk");
    broken = false;
    await pass(clock, 5000);
    expect(steps).toContain("stored w1");
    chain.answer = async () => says("accepted");
    await pass(clock, 5000);
    expect(steps.at(-1)).toBe("settled w1 accepted");
  });

  test("that nobody answers for is told after each attempt, but not with the last", async () => {
    const { it, clock, chain, troubled, verdicts } = submissions({ giveUpMs: 2000 });
    chain.answer = down;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await settle();
    expect(troubled).toEqual(["w1"]);
    await pass(clock, 5000);
    expect(troubled).toHaveLength(chain.submitted.length - 1);
    expect(verdicts()).toEqual(["w1 failed"]);
  });

  test("a disk that fails for a moment delays the block by that moment", async () => {
    const { it, clock, store, chain, steps } = submissions();
    let failures = 2;
    store.before = async () => {
      if (failures-- > 0) throw new Error("busy");
    };
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 600);
    expect(steps).toEqual(["stored w1", "submitted w1", "settled w1 accepted"]);
  });

  test("an answer that cannot be written down is tried again a few times and then logged", async () => {
    const { it, clock, store, chain, verdicts, log } = submissions();
    let tries = 0;
    store.before = async (step) => {
      if (step.startsWith("settle")) {
        tries += 1;
        throw new Fault("merge-journal", {});
      }
    };
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 60_000, 1000);
    expect(verdicts()).toEqual(["w1 accepted"]);
    expect(tries).toBe(5);
    expect(log.lines.at(-1)?.message).toContain("its answer could not be written down");
    expect(clock.pending).toBe(0);
  });
});

describe("a daemon that does not take a block", () => {
  test("is asked again with growing pauses of at most 30 s until it answers", async () => {
    const { it, clock, chain, verdicts, log } = submissions();
    const at: number[] = [];
    chain.answer = () => {
      at.push(clock.monotonicMs());
      return down();
    };
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 120_000, 250);
    const pauses = at.slice(1).map((ms, i) => ms - (at[i] ?? 0));
    expect(pauses.slice(0, 8)).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000]);
    chain.answer = async () => says("duplicate");
    await pass(clock, 30_000, 250);
    expect(verdicts()).toEqual(["w1 duplicate"]);
    // One line for one kind of trouble.
    expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
  });

  const broken: readonly [string, () => unknown][] = [
    [
      "throws at once",
      () => {
        throw new Error("bug");
      },
    ],
    ["answers nothing", async () => undefined],
    ["answers garbage", async () => ({ verdict: "great", reason: "" })],
    ["rejects with nothing", () => Promise.reject()],
  ];
  test.each(broken)("a plugin that %s is asked again", async (_what, answer) => {
    const { it, clock, chain, verdicts } = submissions();
    chain.answer = answer as typeof chain.answer;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 200);
    expect(verdicts()).toEqual([]);
    chain.answer = async () => says("accepted");
    await pass(clock, 1000);
    expect(verdicts()).toEqual(["w1 accepted"]);
  });

  test("one that hangs is passed over after its time, and its late word counts", async () => {
    const { it, clock, chain, verdicts } = submissions();
    const hung = later<Outcome>();
    chain.answer = () => hung.promise;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 119_999, 40_000);
    expect(chain.submitted).toHaveLength(1);
    const second = later<Outcome>();
    chain.answer = () => second.promise;
    await pass(clock, 300);
    expect(chain.submitted).toHaveLength(2);
    hung.resolve(says("accepted"));
    await settle();
    second.resolve(says("duplicate"));
    await settle();
    expect(verdicts()).toEqual(["w1 accepted"]);
    expect(it.pending("namecoin")).toBe(0);
  });

  test("is given up on after an hour, though not without an attempt", async () => {
    const { it, clock, chain, verdicts, answers, store } = submissions();
    chain.answer = down;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, HOUR_MS - 60_000, 10_000);
    expect(verdicts()).toEqual([]);
    await pass(clock, 120_000, 10_000);
    expect(verdicts()).toEqual(["w1 failed"]);
    expect(answers[0]?.answer.reason).toBe("no daemon took it in 1 h; the last attempt: nobody listens");
    expect([...store.answers.values()].map(({ verdict }) => verdict)).toEqual(["failed"]);
    // A block that waited for its chain longer than that is submitted all the same.
    it.disconnect("namecoin");
    it.enter(found("w2"));
    await pass(clock, 2 * HOUR_MS, HOUR_MS);
    chain.answer = async () => says("stale");
    it.connect("namecoin", chain);
    await settle();
    expect(verdicts()).toEqual(["w1 failed", "w2 stale"]);
  });

  test("wall clock jumps change nothing of all this", async () => {
    const { it, clock, chain, verdicts } = submissions();
    chain.answer = down;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 1000);
    clock.jumpTo(clock.nowMs() + 365 * 86_400_000);
    await pass(clock, 1000);
    clock.jumpTo(0);
    await pass(clock, 5000);
    expect(verdicts()).toEqual([]);
    chain.answer = async () => says("accepted");
    await pass(clock, 10_000);
    expect(verdicts()).toEqual(["w1 accepted"]);
  });
});

describe("several blocks", () => {
  test("of a chain are submitted in order, one call at a time", async () => {
    const { it, chain, steps } = submissions();
    const calls = [later<Outcome>(), later<Outcome>()];
    chain.answer = () => (calls[chain.submitted.length - 1] ?? later<Outcome>()).promise;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    it.enter(found("w2"));
    await settle();
    expect(steps.filter((step) => step.startsWith("submitted"))).toEqual(["submitted w1"]);
    calls[0]?.resolve(says("accepted"));
    await settle();
    expect(steps.filter((step) => step.startsWith("submitted"))).toEqual(["submitted w1", "submitted w2"]);
  });

  test("that waited for their chain are submitted in the order in which they were found", async () => {
    const { it, clock, chain, verdicts } = submissions();
    for (const id of ["w1", "w2", "w3"]) it.enter(found(id));
    await pass(clock, 100);
    it.connect("namecoin", chain);
    await settle();
    expect(verdicts()).toEqual(["w1 accepted", "w2 accepted", "w3 accepted"]);
  });

  test("one that its daemon cannot take now holds up no later one", async () => {
    const { it, chain, verdicts } = submissions();
    chain.answer = (proof) => (proof.work.id === "w1" ? down() : Promise.resolve(says("accepted")));
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    it.enter(found("w2"));
    await settle();
    expect(verdicts()).toEqual(["w2 accepted"]);
  });

  test("a chain that hangs forever holds up no other chain", async () => {
    const { it, clock, chain, verdicts } = submissions();
    const hung = new FakeChain();
    hung.answer = never;
    it.connect("hung", hung);
    it.connect("namecoin", chain);
    it.enter(found("h1", "hung"));
    it.enter(found("w1"));
    await settle();
    expect(verdicts()).toEqual(["w1 accepted"]);
    await pass(clock, 1000);
    it.enter(found("w2"));
    await settle();
    expect(verdicts()).toEqual(["w1 accepted", "w2 accepted"]);
  });

  test("no more than the bound wait for one chain: the oldest goes, but not the one that is being submitted", async () => {
    const { it, chain, answers, verdicts, store } = submissions();
    const first = later<Outcome>();
    chain.answer = () => first.promise;
    it.connect("namecoin", chain);
    for (const n of [1, 2, 3, 4]) it.enter(found(`w${n}`));
    it.enter(found("r1", "rsk"));
    await settle();
    expect(verdicts()).toEqual([]);
    it.enter(found("w5"));
    it.resume(found("w6"));
    expect(it.pending("namecoin")).toBe(4);
    expect(verdicts()).toEqual(["w2 failed", "w3 failed"]);
    expect(answers[0]?.answer.reason).toBe("4 newer blocks wait for an answer");
    await settle();
    chain.answer = async () => says("accepted");
    first.resolve(says("accepted"));
    await settle();
    expect(verdicts().slice(2)).toEqual(["w1 accepted", "w4 accepted", "w5 accepted", "w6 accepted"]);
    // All but the other chain's, which does not run, have their answer on disk.
    expect([...store.open.values()].map(({ work }) => work.id)).toEqual(["r1"]);
  });

  test("one that is given up before it is on disk is told once and not submitted", async () => {
    const { it, chain, store, ready, verdicts } = submissions({ maxPending: 1 });
    const disk = later<void>();
    store.before = (step) => (step === "add w1" ? disk.promise : Promise.resolve());
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    it.enter(found("w2"));
    disk.resolve();
    await settle();
    expect(verdicts()).toEqual(["w1 failed", "w2 accepted"]);
    expect(ready.map(({ work }) => work.id)).toEqual(["w2"]);
    expect(chain.submitted.map(({ work }) => work.id)).toEqual(["w2"]);
  });
});

describe("a chain that stops", () => {
  test("keeps its blocks, on disk all the while, until it runs again", async () => {
    const { it, clock, chain, steps, verdicts } = submissions();
    it.enter(found("w1"));
    await pass(clock, 10_000, 1000);
    expect(steps).toEqual(["stored w1"]);
    expect(it.chains()).toEqual(["namecoin"]);
    it.connect("namecoin", chain);
    await settle();
    expect(verdicts()).toEqual(["w1 accepted"]);
    expect(it.chains()).toEqual([]);
  });

  test("in the middle of a call: the word that still comes counts, and the restarted plugin is asked at once", async () => {
    const { it, clock, chain, verdicts } = submissions();
    const hung = later<Outcome>();
    chain.answer = () => hung.promise;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await settle();
    it.disconnect("namecoin");
    const again = new FakeChain();
    again.answer = down;
    it.connect("namecoin", again);
    await settle();
    expect(again.submitted).toHaveLength(1);
    hung.resolve(says("accepted"));
    await settle();
    expect(verdicts()).toEqual(["w1 accepted"]);
    await pass(clock, 60_000, 5000);
    expect(again.submitted).toHaveLength(1);
  });

  test("the end of its old call begins no second one beside that of the restarted plugin", async () => {
    const { it, clock, chain } = submissions();
    const hung = later<Outcome>();
    chain.answer = () => hung.promise;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    it.enter(found("w2"));
    await settle();
    it.disconnect("namecoin");
    const again = new FakeChain();
    again.answer = never;
    it.connect("namecoin", again);
    await settle();
    hung.reject(new Error("stopped"));
    await pass(clock, 10_000, 1000);
    expect(again.submitted.map(({ work }) => work.id)).toEqual(["w2"]);
  });

  test("its old call that fails late disturbs nothing", async () => {
    const { it, clock, chain, verdicts } = submissions();
    const hung = later<Outcome>();
    chain.answer = () => hung.promise;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await settle();
    it.disconnect("namecoin");
    hung.reject(new Error("stopped"));
    await pass(clock, 1000);
    expect(clock.pending).toBe(0);
    const again = new FakeChain();
    it.connect("namecoin", again);
    await settle();
    expect(verdicts()).toEqual(["w1 accepted"]);
  });
});

describe("at the stop", () => {
  test("drained resolves once no running chain has a block that waits", async () => {
    const { it, chain } = submissions();
    const call = later<Outcome>();
    chain.answer = () => call.promise;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    it.enter(found("r1", "rsk"));
    let drained = false;
    const waiting = it.drained(new AbortController().signal).then(() => {
      drained = true;
    });
    await settle();
    expect(drained).toBe(false);
    call.resolve(says("accepted"));
    await waiting;
    expect(it.pending("rsk")).toBe(1);
  });

  test("drained gives up with its signal, and when the chain stops", async () => {
    const { it, chain } = submissions();
    chain.answer = never;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    const giveUp = new AbortController();
    const waiting = it.drained(giveUp.signal);
    giveUp.abort();
    await waiting;
    const other = it.drained(new AbortController().signal);
    it.disconnect("namecoin");
    await other;
  });

  test("what has no answer stays on disk, no timer is left, nothing is submitted any more", async () => {
    const { it, clock, chain, store } = submissions();
    chain.answer = down;
    it.connect("namecoin", chain);
    it.enter(found("w1"));
    await pass(clock, 1000);
    await it.stop();
    const { length } = chain.submitted;
    expect(clock.pending).toBe(0);
    await pass(clock, 60_000, 10_000);
    expect(chain.submitted).toHaveLength(length);
    expect([...store.open.values()].map(({ work }) => work.id)).toEqual(["w1"]);
  });

  test("a write under way is waited for; a disk that hangs is not waited for longer than a second", async () => {
    const { it, clock, store, steps } = submissions();
    const disk = later<void>();
    store.before = () => disk.promise;
    it.enter(found("w1"));
    const stopping = it.stop();
    await pass(clock, 500);
    disk.resolve();
    await stopping;
    expect(steps).toEqual(["stored w1"]);
    const other = submissions();
    other.store.before = () => new Promise(() => undefined);
    other.it.enter(found("w1"));
    const hanging = other.it.stop();
    await pass(other.clock, 1000);
    await hanging;
    await settle();
    expect(other.ready).toEqual([]);
  });
});

test("a block of an earlier run is submitted without being written again", async () => {
  const { it, chain, steps, ready } = submissions();
  it.resume(found("w1"));
  it.connect("namecoin", chain);
  await settle();
  expect(steps).toEqual(["submitted w1", "settled w1 accepted"]);
  expect(ready).toEqual([]);
});

test("a wrong proof is kept on disk as failed and never submitted", async () => {
  const { it, clock, chain, steps, verdicts, store } = submissions();
  it.connect("namecoin", chain);
  let failures = 2;
  store.before = async (step) => {
    if (step.startsWith("settle") && failures-- > 0) throw new Error("no space left");
  };
  it.bury(found("w1"), "the merkle branch does not lead to the header");
  await settle();
  // A crash now, and the next start finds nothing to submit.
  expect(store.open.size).toBe(0);
  await pass(clock, 5000);
  expect(steps).toEqual(["settled w1 failed"]);
  expect([...store.answers.values()][0]?.reason).toBe("the merkle branch does not lead to the header");
  expect(verdicts()).toEqual([]);
});
