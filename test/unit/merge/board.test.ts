import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FaultCode } from "../../../src/kernel/fault.ts";
import { Board } from "../../../src/merge/board.ts";
import type { ChainPolicy, Commitment } from "../../../src/merge/plugin.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { auxWork } from "../../support/aux-work.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

const COALESCE_MS = 50;
const POLICY: ChainPolicy = { update: 1, minIntervalMs: 0, expiryMs: 60_000, prefer: "value" };

/** A board with chains of output commitments, and what it tells. */
function board(policies: Record<string, Partial<ChainPolicy>> = { a: {} }, minGapMs = 0) {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const it = new Board({ clock, log, meter }, { coalesceMs: COALESCE_MS, minGapMs, manyMakers: false });
  const told: { atMs: number; chains: readonly string[] }[] = [];
  it.onChange(({ chains }) => void told.push({ atMs: clock.monotonicMs(), chains }));
  const commits: string[] = [];
  const commit = (work: AuxWork): Commitment[] => {
    commits.push(work.id);
    return [{ kind: "output", script: work.hash }];
  };
  for (const [chain, policy] of Object.entries(policies))
    it.configure(chain, { policy: { ...POLICY, ...policy }, commit });
  const ids = (): string[] => it.wanted().map(({ work }) => work.id);
  return { board: it, clock, log, meter, told, commits, ids };
}

describe("the board", () => {
  test("holds the newest work of each chain, with its plugin's commitments, in the order in which they joined", () => {
    const { board: b, ids } = board({ a: {}, b: {}, c: {} });
    b.offer("c", auxWork({ id: "c1" }));
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("a", auxWork({ id: "a2", parent: "other" }));
    expect(ids()).toEqual(["a2", "c1"]);
    expect(b.wanted()[0]).toMatchObject({ chain: "a", commitments: [{ kind: "output" }] });
  });

  test("keeps the order that it was given, over work, a chain that joins again and names that it does not know", () => {
    const { board: b, ids } = board({ a: {}, b: {}, c: {} });
    for (const chain of ["a", "b", "c"]) b.offer(chain, auxWork({ id: chain }));
    b.arrange(["c", "gone", "a"]);
    expect(ids()).toEqual(["c", "a", "b"]);
    b.offer("a", undefined);
    b.offer("a", auxWork({ id: "a", parent: "next" }));
    expect(ids()).toEqual(["c", "a", "b"]);
    b.remove("c");
    b.configure("c", { policy: POLICY, commit: (work) => [{ kind: "output", script: work.hash }] });
    b.offer("c", auxWork({ id: "c" }));
    expect(ids()).toEqual(["a", "b", "c"]);
    b.arrange(["c", "b", "a"]);
    expect(ids()).toEqual(["c", "b", "a"]);
  });

  test("asks a plugin for commitments once for each work and never while a job is made", () => {
    const { board: b, commits } = board();
    for (let i = 0; i < 3; i++) b.offer("a", auxWork({ id: "a1" }));
    b.wanted();
    b.taken();
    b.wanted();
    expect(commits).toEqual(["a1"]);
  });

  test("keeps a copy: what a plugin changes afterwards changes nothing", () => {
    const { board: b } = board();
    const work = { ...auxWork({ id: "a1" }), details: { x: 1 } };
    b.offer("a", work);
    work.id = "changed";
    work.hash.fill(0xee);
    work.details.x = 2;
    const [wanted] = b.wanted();
    expect(wanted?.work).toMatchObject({ id: "a1", details: { x: 1 } });
    expect(wanted?.work.hash[0]).not.toBe(0xee);
    expect(wanted?.commitments[0]).not.toMatchObject({ script: new Uint8Array(32).fill(0xee) });
    expect(Object.isFrozen(wanted?.work)).toBe(true);
  });

  test("passes over offers of a chain that is not on it", () => {
    const { board: b, ids } = board();
    b.remove("a");
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("never", auxWork({ id: "n1" }));
    expect(ids()).toEqual([]);
    b.configure("a", { policy: POLICY, commit: () => [] });
    expect(() => b.configure("a", { policy: POLICY, commit: () => [] })).toThrow(TypeError);
  });

  test("withdrawn work is wanted no more, and offered again counts as another tip", () => {
    const { board: b, meter, ids, clock, told } = board();
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("a", undefined);
    b.offer("a", undefined);
    expect(ids()).toEqual([]);
    expect(b.state("a")).toBeUndefined();
    clock.advance(COALESCE_MS);
    expect(told).toEqual([]);
    b.offer("a", auxWork({ id: "a1" }));
    clock.advance(COALESCE_MS);
    expect(told).toHaveLength(1);
    expect(meter.byLabel("aux_work_total")).toEqual({ "a,tip": 2, "a,gone": 1 });
  });

  test("a daemon that comes and goes with every poll fills no log", () => {
    const { board: b, clock, log } = board();
    for (let i = 0; i < 120; i++) {
      b.offer("a", auxWork({ id: "a1" }));
      b.offer("a", undefined);
      clock.advance(1000);
    }
    expect(log.lines.filter(({ level }) => level === "info")).toHaveLength(2);
  });

  test("work that the daemon forgot is discarded by its id only", () => {
    const { board: b, ids } = board();
    b.offer("a", auxWork({ id: "a1", value: 5n }));
    b.discard("a", "other");
    expect(ids()).toEqual(["a1"]);
    b.discard("a", "a1");
    expect(ids()).toEqual([]);
    // A restarted namecoind may offer less than before on the same tip.
    b.offer("a", auxWork({ id: "a2", value: 4n }));
    expect(ids()).toEqual(["a2"]);
  });
});

describe("the better of two works on the same parent", () => {
  test("namecoind's flip-flop: the better template comes once, then the old one again and again", () => {
    const { board: b, ids, clock, told, meter } = board({ a: { update: 2 } });
    const old = auxWork({ id: "old", value: 50_000n });
    const better = auxWork({ id: "better", value: 50_001n });
    for (const work of [old, old, better, old, old, old]) {
      b.offer("a", work);
      clock.advance(1000);
    }
    expect(ids()).toEqual(["better"]);
    expect(told).toHaveLength(2);
    b.offer("a", auxWork({ id: "best", value: 50_002n }));
    b.offer("a", old);
    expect(ids()).toEqual(["best"]);
    expect(meter.byLabel("aux_work_total")).toEqual({ "a,tip": 1, "a,better": 2 });
  });

  test("the old one, offered instead of the better one, keeps that from expiring", () => {
    const { board: b, ids, clock } = board();
    b.offer("a", auxWork({ id: "better", value: 2n }));
    for (let i = 0; i < 5; i++) {
      clock.advance(59_999);
      b.offer("a", auxWork({ id: "old", value: 1n }));
    }
    expect(ids()).toEqual(["better"]);
  });

  test.each([
    ["less", 5n, 4n],
    ["as much", 5n, 5n],
    ["nothing known", 5n, undefined],
    ["something where nothing was known", undefined, 5n],
    ["nothing known, as before", undefined, undefined],
  ])("worth %s, it does not replace the first", (_what, first, second) => {
    const { board: b, ids } = board();
    b.offer("a", auxWork({ id: "first", value: first }));
    b.offer("a", auxWork({ id: "second", value: second }));
    expect(ids()).toEqual(["first"]);
  });

  test("`newest` replaces whatever it is worth", () => {
    const { board: b, ids } = board({ a: { prefer: "newest" } });
    b.offer("a", auxWork({ id: "first", value: 5n }));
    b.offer("a", auxWork({ id: "second", value: 4n }));
    b.offer("a", auxWork({ id: "third", value: undefined }));
    expect(ids()).toEqual(["third"]);
  });

  test.each([
    ["parent", { parent: "another", value: 1n }],
    ["height", { height: 22, value: 1n }],
  ])("another %s replaces it whatever it is worth", (_what, change) => {
    const { board: b, ids, meter } = board();
    b.offer("a", auxWork({ id: "first", value: 5n }));
    b.offer("a", auxWork({ id: "second", ...change }));
    expect(ids()).toEqual(["second"]);
    expect(meter.byLabel("aux_work_total")).toEqual({ "a,tip": 2 });
  });

  test("the same work with another target replaces it; with other details it does so in silence", () => {
    const { board: b, meter } = board();
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("a", { ...auxWork({ id: "a1" }), details: { session: 2 } });
    expect(b.wanted()[0]?.work.details).toEqual({ session: 2 });
    expect(meter.byLabel("aux_work_total")).toEqual({ "a,tip": 1 });
    b.offer("a", { ...auxWork({ id: "a1" }), target: 77n });
    expect(b.wanted()[0]?.work.target).toBe(77n);
    expect(meter.byLabel("aux_work_total")).toEqual({ "a,tip": 1, "a,better": 1 });
  });
});

describe("expiry", () => {
  test("work that is not offered again is gone after exactly the chain's time, without another's being touched", () => {
    const { board: b, ids, clock, meter, log } = board({ a: { expiryMs: 10_000 }, b: {} });
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("b", auxWork({ id: "b1" }));
    clock.advance(9_999);
    expect(ids()).toEqual(["a1", "b1"]);
    clock.advance(1);
    expect(ids()).toEqual(["b1"]);
    expect(meter.byLabel("aux_work_total")).toMatchObject({ "a,gone": 1 });
    expect(log.lines.filter(({ level }) => level === "info")).toMatchObject([
      { message: "a: no work, its plugin said nothing for 10 s" },
    ]);
  });

  test("unchanged work offered again lives on, at the cost of one timer", () => {
    const { board: b, ids, clock } = board();
    for (let i = 0; i < 200; i++) {
      b.offer("a", auxWork({ id: "a1" }));
      clock.advance(1000);
    }
    expect(ids()).toEqual(["a1"]);
    expect(clock.pending).toBe(1);
    clock.advance(59_000);
    expect(ids()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("a wall clock that jumps, forwards or backwards, expires nothing and keeps nothing alive", () => {
    const { board: b, ids, clock } = board();
    b.offer("a", auxWork({ id: "a1" }));
    clock.jumpTo(clock.nowMs() + 10 * 365 * 86_400_000);
    expect(ids()).toEqual(["a1"]);
    clock.jumpTo(1);
    clock.advance(59_999);
    expect(ids()).toEqual(["a1"]);
    clock.advance(1);
    expect(ids()).toEqual([]);
  });

  test("is seen by the next job also when the timer comes late", () => {
    const late = new (class extends FakeClock {
      override after(): { cancel(): void } {
        return { cancel() {} };
      }
    })();
    const b = new Board(
      { clock: late, log: recordingLog(), meter: new MemoryMeter() },
      { coalesceMs: 0, minGapMs: 0, manyMakers: false },
    );
    b.configure("a", { policy: POLICY, commit: (work) => [{ kind: "output", script: work.hash }] });
    b.offer("a", auxWork({ id: "a1" }));
    late.advance(60_000);
    expect(b.wanted()).toEqual([]);
  });
});

describe("what is worth a job", () => {
  test.each([
    [0, []],
    [1, ["tip"]],
    [2, ["tip", "better"]],
  ] as const)("policy %d", (update, worth) => {
    const { board: b, clock, told } = board({ a: { update } });
    b.offer("a", auxWork({ id: "a1", value: 1n }));
    clock.advance(1000);
    expect(told.length).toBe(worth.includes("tip" as never) ? 1 : 0);
    told.length = 0;
    b.offer("a", auxWork({ id: "a2", value: 2n }));
    clock.advance(1000);
    expect(told.length).toBe(worth.includes("better" as never) ? 1 : 0);
    told.length = 0;
    b.offer("a", auxWork({ id: "a2", value: 2n }));
    b.offer("a", undefined);
    clock.advance(1000);
    expect(told).toEqual([]);
  });

  test("a burst of several chains makes one call", () => {
    const { board: b, clock, told } = board({ a: {}, b: {}, c: {} });
    b.offer("b", auxWork({ id: "b1" }));
    clock.advance(COALESCE_MS - 1);
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("b", auxWork({ id: "b2", parent: "p2" }));
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual([{ atMs: COALESCE_MS, chains: ["b"] }]);
    // Whoever makes a job of it takes all work along.
    b.taken();
    clock.advance(1000);
    expect(told).toHaveLength(1);
  });

  test("a change too soon after the last waits for the interval's end and is never lost", () => {
    const { board: b, clock, told } = board({ a: { minIntervalMs: 5000 } });
    b.offer("a", auxWork({ id: "a1" }));
    clock.advance(COALESCE_MS);
    b.taken();
    for (let i = 2; i < 12; i++) {
      clock.advance(100);
      b.offer("a", auxWork({ id: `a${i}`, parent: `p${i}` }));
    }
    expect(told.map(({ atMs }) => atMs)).toEqual([COALESCE_MS]);
    clock.advance(10_000);
    expect(told.map(({ atMs }) => atMs)).toEqual([COALESCE_MS, COALESCE_MS + 5000]);
    expect(b.wanted()[0]?.work.id).toBe("a11");
  });

  test("a chain's interval holds up no other chain", () => {
    const {
      board: b,
      clock,
      told,
    } = board({ slow: { minIntervalMs: 60_000, expiryMs: 1e9 }, fast: { expiryMs: 1e9 } });
    b.offer("slow", auxWork({ id: "s1" }));
    clock.advance(COALESCE_MS);
    b.offer("slow", auxWork({ id: "s2", parent: "p2" }));
    b.offer("fast", auxWork({ id: "f1" }));
    clock.advance(COALESCE_MS);
    expect(told.map(({ chains }) => chains)).toEqual([["slow"], ["fast"]]);
    clock.advance(60_000);
    expect(told.map(({ chains }) => chains)).toEqual([["slow"], ["fast"], ["slow"]]);
  });

  test("many chains with blocks all the time make no storm of jobs, and none of them waits longer than the gap", () => {
    const names = Array.from({ length: 50 }, (_, i) => `c${i}`);
    const gapMs = 250;
    const {
      board: b,
      clock,
      told,
    } = board(Object.fromEntries(names.map((name) => [name, { minIntervalMs: 1000 }])), gapMs);
    for (let ms = 0; ms < 10_000; ms += 20) {
      const name = names[(ms / 20) % names.length] as string;
      b.offer(name, auxWork({ id: `${name} at ${ms}`, parent: `p${ms}` }));
      clock.advance(20);
    }
    clock.advance(gapMs);
    expect(told.length).toBeLessThanOrEqual(10_000 / gapMs + 1);
    expect(told.length).toBeGreaterThanOrEqual(10_000 / gapMs - 1);
    for (const [i, { atMs }] of told.slice(1).entries())
      expect(atMs - (told[i]?.atMs ?? 0)).toBeGreaterThanOrEqual(gapMs);
    for (const name of names)
      expect(told.filter(({ chains }) => chains.includes(name)).length).toBeGreaterThanOrEqual(9);
  });

  test("a job made meanwhile for another reason takes the change along: no second one", () => {
    const { board: b, clock, told } = board({ a: {}, b: { minIntervalMs: 5000 } });
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("b", auxWork({ id: "b1" }));
    clock.advance(10);
    expect(b.taken()).toEqual([
      { chain: "a", waitedMs: 10 },
      { chain: "b", waitedMs: 10 },
    ]);
    expect(b.taken()).toEqual([]);
    clock.advance(100_000);
    expect(told).toEqual([]);
  });

  test("a listener that throws is logged and harms no later change", () => {
    const { board: b, clock, told, log } = board();
    b.onChange(() => {
      throw new Error("no job");
    });
    b.offer("a", auxWork({ id: "a1" }));
    clock.advance(COALESCE_MS);
    b.offer("a", auxWork({ id: "a2", parent: "p2" }));
    clock.advance(COALESCE_MS);
    expect(told).toHaveLength(2);
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(2);
  });

  test("closed, it leaves no timer behind", () => {
    const { board: b, clock, told } = board({ a: {}, b: {} });
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("b", auxWork({ id: "b1" }));
    b.close();
    expect(clock.pending).toBe(0);
    clock.advance(1e6);
    expect(told).toEqual([]);
  });
});

describe("a plugin at fault", () => {
  const leaf =
    (chainId: number) =>
    (work: AuxWork): Commitment[] => [{ kind: "auxpow", chainId, hash: work.hash, strictChainId: true }];
  function fault(act: () => void): { code: FaultCode; message: string } {
    try {
      act();
    } catch (error) {
      return error as { code: FaultCode; message: string };
    }
    throw new Error("nothing was thrown");
  }

  test.each([
    ["null", null],
    ["a short hash", { ...auxWork({ id: "x" }), hash: new Uint8Array(31) }],
    ["an empty id", auxWork({ id: "" })],
    ["an id of 257 characters", auxWork({ id: "x".repeat(257) })],
    ["a number as target", { ...auxWork({ id: "x" }), target: 5 }],
    ["details of more than 64 KiB", { ...auxWork({ id: "x" }), details: { x: "x".repeat(65_536) } }],
  ])("that offers %s loses its work and is told so; another chain keeps its own", (_what, offered) => {
    const { board: b, ids } = board({ a: {}, b: {} });
    b.offer("a", auxWork({ id: "a1" }));
    b.offer("b", auxWork({ id: "b1" }));
    expect(fault(() => b.offer("a", offered as AuxWork)).code).toBe("merge-work-invalid");
    expect(ids()).toEqual(["b1"]);
  });

  test("whose commit throws, returns nonsense or a hash of its own is told so", () => {
    const { board: b, ids } = board({});
    const commit: { now: (work: AuxWork) => unknown } = { now: () => undefined };
    b.configure("a", { policy: POLICY, commit: (work) => commit.now(work) as Commitment[] });
    const offer = (): { code: FaultCode; message: string } => fault(() => b.offer("a", auxWork({ id: "a1" })));
    commit.now = () => {
      throw new Error("the plugin's own words");
    };
    expect(offer()).toMatchObject({ code: "merge-commit-failed", cause: { message: "the plugin's own words" } });
    for (const nonsense of [
      undefined,
      [],
      5,
      [{ kind: "auxpow" }],
      Array(5).fill({ kind: "output", script: new Uint8Array(1) }),
    ]) {
      commit.now = () => nonsense;
      expect(offer().code).toBe("merge-commitment-invalid");
    }
    commit.now = () => [{ kind: "auxpow", chainId: 1, hash: new Uint8Array(32), strictChainId: true }];
    expect(offer().message).toContain("the commitment's hash is not the hash of the work");
    expect(ids()).toEqual([]);
  });

  test("two chains with one chain ID: the second is refused, naming both", () => {
    const { board: b, ids } = board({});
    b.configure("namecoin", { policy: POLICY, commit: leaf(1) });
    b.configure("clone", { policy: POLICY, commit: leaf(1) });
    b.offer("namecoin", auxWork({ id: "n1" }));
    const { code, message } = fault(() => b.offer("clone", auxWork({ id: "c1" })));
    expect(code).toBe("merge-chain-id-twice");
    expect(message).toContain("chainId 1, chain clone, other namecoin");
    expect(ids()).toEqual(["n1"]);
    // Also while the first has no work: its place in the tree is kept.
    b.offer("namecoin", undefined);
    expect(fault(() => b.offer("clone", auxWork({ id: "c1" }))).code).toBe("merge-chain-id-twice");
    b.remove("namecoin");
    b.offer("clone", auxWork({ id: "c1" }));
    expect(ids()).toEqual(["c1"]);
    expect([...b.chainIds()]).toEqual([["clone", 1]]);
  });

  test("an ID that a plugin says in advance has its place before the first work; another chain with it is refused", () => {
    const { board: b, ids } = board({});
    b.configure("namecoin", { policy: POLICY, chainId: 1, commit: leaf(1) });
    b.configure("clone", { policy: POLICY, chainId: 1, commit: leaf(1) });
    b.configure("syscoin", { policy: POLICY, chainId: 16, commit: leaf(16) });
    expect([...b.chainIds()]).toEqual([
      ["namecoin", 1],
      ["syscoin", 16],
    ]);
    const { code, message } = fault(() => b.offer("clone", auxWork({ id: "c1" })));
    expect(code).toBe("merge-chain-id-twice");
    expect(message).toContain("chain clone, other namecoin");
    b.offer("namecoin", auxWork({ id: "n1" }));
    b.remove("namecoin");
    b.offer("clone", auxWork({ id: "c1" }));
    expect(ids()).toEqual(["c1"]);
  });

  test("an ID other than the plugin said in advance is refused", () => {
    const { board: b } = board({});
    b.configure("a", { policy: POLICY, chainId: 2, commit: leaf(1) });
    expect(fault(() => b.offer("a", auxWork({ id: "a1" }))).message).toContain("its chain ID was 2 and must stay so");
    b.configure("b", { policy: POLICY, chainId: 3, commit: (work) => [{ kind: "output", script: work.hash }] });
    expect(fault(() => b.offer("b", auxWork({ id: "b1" }))).code).toBe("merge-commitment-invalid");
  });

  test("a chain whose ID changes is refused", () => {
    const { board: b } = board({});
    const id = { now: 1 };
    b.configure("a", { policy: POLICY, commit: (work) => leaf(id.now)(work) });
    b.offer("a", auxWork({ id: "a1" }));
    id.now = 2;
    expect(fault(() => b.offer("a", auxWork({ id: "a2", parent: "p2" }))).message).toContain("its chain ID was 1");
  });
});

test("whatever is offered, the board keeps its promises", () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("offer" as const),
      chain: fc.constantFrom("a", "b"),
      parent: fc.integer({ min: 0, max: 2 }),
      value: fc.option(fc.bigInt({ min: 0n, max: 5n }), { nil: undefined }),
    }),
    fc.record({ kind: fc.constant("withdraw" as const), chain: fc.constantFrom("a", "b") }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 3000 }) }),
    fc.record({ kind: fc.constant("jump" as const), to: fc.integer({ min: 0, max: 2e12 }) }),
    fc.record({ kind: fc.constant("job" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const {
        board: b,
        clock,
        told,
      } = board({ a: { update: 2, minIntervalMs: 1000, expiryMs: 5000 }, b: { expiryMs: 5000 } });
      const offeredMs = new Map<string, number>();
      /** The most that was offered on the current parent since the chain had work without a break. */
      const best = new Map<string, { parent: string; value: bigint | undefined }>();
      let serial = 0;
      let lastA = Number.NEGATIVE_INFINITY;
      b.onChange(({ chains }) => {
        if (!chains.includes("a")) return;
        expect(clock.monotonicMs() - lastA).toBeGreaterThanOrEqual(1000);
        lastA = clock.monotonicMs();
      });
      for (const each of steps) {
        if (each.kind === "pass") clock.advance(each.ms);
        else if (each.kind === "jump") clock.jumpTo(each.to);
        else if (each.kind === "job") {
          b.wanted();
          b.taken();
        } else if (each.kind === "withdraw") {
          b.offer(each.chain, undefined);
          best.delete(each.chain);
        } else {
          const { chain, value } = each;
          const parent = `p${each.parent}`;
          const nowMs = clock.monotonicMs();
          if (nowMs - (offeredMs.get(chain) ?? Number.NEGATIVE_INFINITY) >= 5000) best.delete(chain);
          const before = best.get(chain);
          if (before?.parent !== parent) best.set(chain, { parent, value });
          else if (before.value !== undefined && value !== undefined && value > before.value)
            best.set(chain, { parent, value });
          b.offer(chain, auxWork({ id: `w${serial++}`, parent, value }));
          offeredMs.set(chain, nowMs);
        }
        for (const { chain, work } of b.wanted()) {
          expect(clock.monotonicMs() - (offeredMs.get(chain) ?? 0)).toBeLessThan(5000);
          expect({ parent: work.parent, value: work.value }).toEqual(best.get(chain));
        }
      }
      // The last change is told in the end, or was taken by a job, or its work is gone.
      const before = told.length;
      b.offer("b", auxWork({ id: "last", parent: `last ${serial}` }));
      clock.advance(COALESCE_MS);
      expect(told.length).toBeGreaterThan(before);
      expect(clock.pending).toBeLessThanOrEqual(3);
    }),
  );
});
