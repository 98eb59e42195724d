import { describe, expect, test } from "vitest";
import { chainScopes } from "../../../src/app/chain-scope.ts";
import { BACKOFF } from "../../../src/host/backoff.ts";
import { CHAIN_DEADLINES } from "../../../src/host/chain-run.ts";
import { ChainSupervisor } from "../../../src/host/supervisor.ts";
import { Bus } from "../../../src/kernel/events.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import type { MergeEvents } from "../../../src/merge/found-aux.ts";
import type { Chain } from "../../../src/merge/plugin.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { ACCEPTED, makeProof, makeWork, testPlugin } from "../../support/chain-plugins.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function supervised(behaviour: Partial<Chain> = {}) {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const plugin = testPlugin();
  plugin.behaviour = behaviour;
  const offers: (AuxWork | undefined)[] = [];
  const states: string[] = [];
  const bus = new Bus<MergeEvents>({
    onError(error) {
      throw error;
    },
  });
  bus.on("ChainChanged", ({ state }) => void states.push(state));
  const supervisor: ChainSupervisor = new ChainSupervisor(
    {
      clock,
      log,
      meter,
      random: seededRandom(1),
      bus,
      scopes: chainScopes(),
      // As the board does: the commitment is asked for at once, and whatever is wrong with it is thrown.
      offer: (work) => {
        offers.push(work);
        if (work !== undefined) supervisor.guarded.commit(work);
      },
    },
    { chain: "fake", folder: "/etc", plugin, config: () => ({}), deadlines: CHAIN_DEADLINES, backoff: BACKOFF },
  );
  return { supervisor, clock, log, meter, plugin, offers, states };
}

/** Lets promises that are settled already run their course. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

async function running(behaviour: Partial<Chain> = {}) {
  const all = supervised(behaviour);
  all.supervisor.open();
  all.supervisor.start();
  await settle();
  expect(all.supervisor.health().state).toBe("running");
  return all;
}

const hang = (): Promise<never> => new Promise(() => undefined);

describe("a chain's supervisor", () => {
  test("a chain that behaves is opened once, started, and stopped for good", async () => {
    const { supervisor, plugin, meter, states, clock } = await running();
    expect(plugin.calls).toEqual(["open", "start"]);
    expect(meter.byLabel("aux_chain_up")).toEqual({ fake: 1 });
    await supervisor.stop("stopped");
    expect(plugin.calls).toEqual(["open", "start", "stop"]);
    expect(plugin.hosts[0]?.signal.aborted).toBe(true);
    expect(states).toEqual(["starting", "running", "stopped"]);
    expect(meter.byLabel("aux_chain_up")).toEqual({ fake: 0 });
    clock.advance(3_600_000);
    expect(plugin.calls).toEqual(["open", "start", "stop"]);
  });

  test("a chain that breaks between being opened and started is started once, and nothing is told of it before", async () => {
    const { supervisor, plugin, clock, meter, states, offers } = supervised();
    supervisor.open();
    plugin.hosts[0]?.offer(makeWork());
    supervisor.blame(new Error("a timer that was set in open"));
    await settle();
    clock.advance(3_600_000);
    await settle();
    expect(plugin.calls).toEqual(["open", "stop"]);
    expect({ offers, states, up: meter.byLabel("aux_chain_up") }).toEqual({ offers: [], states: [], up: {} });
    supervisor.start();
    expect(supervisor.health()).toMatchObject({ state: "isolated", nextStartMs: expect.any(Number) });
    for (let i = 0; i < 3; i++) {
      clock.advance(BACKOFF.firstMs * 2);
      await settle();
    }
    expect(plugin.calls).toEqual(["open", "stop", "open", "start"]);
    expect(supervisor.health()).toMatchObject({ state: "running", trouble: undefined });
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7])(
    "a chain that fails to start %i turns before it is stopped is stopped once",
    async (turns) => {
      const { supervisor, plugin } = supervised({ start: () => Promise.reject(new Error("no such wallet")) });
      supervisor.open();
      supervisor.start();
      for (let i = 0; i < turns; i++) await Promise.resolve();
      await supervisor.stop("disabled");
      await settle();
      expect(plugin.calls).toEqual(["open", "start", "stop"]);
      expect(supervisor.health().state).toBe("disabled");
    },
  );

  test("a chain that was opened and never started is stopped without a word: another may stand in its place", async () => {
    const { supervisor, plugin, meter, states } = supervised();
    supervisor.open();
    await supervisor.stop("stopped");
    expect(plugin.calls).toEqual(["open", "stop"]);
    expect({ states, up: meter.byLabel("aux_chain_up") }).toEqual({ states: [], up: {} });
  });

  test("a block of an earlier run is submitted after start was called, not before", async () => {
    const { supervisor, plugin } = supervised({
      submit: async () => {
        plugin.calls.push("submit");
        return ACCEPTED;
      },
    });
    supervisor.open();
    const submitted = supervisor.guarded.submit(makeProof());
    supervisor.start();
    await expect(submitted).resolves.toEqual(ACCEPTED);
    expect(plugin.calls).toEqual(["open", "start", "submit"]);
  });

  test("a plugin that refuses its configuration is told as such, with its own words", () => {
    const { supervisor, plugin } = supervised();
    plugin.refusal = new Error("payout is an address of another network");
    try {
      supervisor.open();
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "config-chain-refused", cause: plugin.refusal });
    }
  });

  test.each<[string, Partial<Chain>, string]>([
    ["throws", { start: () => Promise.reject(new Error("no such wallet")) }, "no such wallet"],
    [
      "throws at once",
      {
        start() {
          throw new Error("no such file");
        },
      },
      "no such file",
    ],
    ["hangs", { start: hang }, "did not come to an end in time"],
  ])("a start that %s isolates the chain, and it is stopped before it is opened again", async (_, behaviour, says) => {
    const { supervisor, clock, plugin, log, meter } = supervised(behaviour);
    supervisor.open();
    supervisor.start();
    await settle();
    if (behaviour.start === hang) {
      expect(supervisor.health().state).toBe("starting");
      clock.advance(CHAIN_DEADLINES.startMs);
      await settle();
    }
    expect(supervisor.health()).toMatchObject({ state: "isolated", trouble: expect.stringContaining(says) });
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
    plugin.behaviour = {};
    clock.advance(2000);
    await settle();
    expect(plugin.calls).toEqual(["open", "start", "stop", "open", "start"]);
    expect(supervisor.health()).toMatchObject({ state: "running", trouble: undefined, restarts: 1 });
    expect(meter.byLabel("aux_chain_restarts_total")).toEqual({ fake: 1 });
  });

  test.each<[string, Partial<Chain>, string]>([
    [
      "throws",
      {
        commit() {
          throw new Error("cannot read properties of undefined");
        },
      },
      "chain-call-failed",
    ],
    ["returns nothing", { commit: () => undefined as never }, "chain-answer"],
    ["returns a promise", { commit: (async () => ({})) as never }, "chain-answer"],
    [
      "returns a rejected promise",
      { commit: (async () => Promise.reject(new Error("later"))) as never },
      "chain-answer",
    ],
  ])("a commit that %s isolates the chain and withdraws its work", async (_, behaviour, code) => {
    const { supervisor, plugin, offers, log } = await running(behaviour);
    plugin.hosts[0]?.offer(makeWork());
    expect(supervisor.health().state).toBe("isolated");
    expect(offers.at(-1)).toBeUndefined();
    expect(log.lines.find(({ level }) => level === "error")?.fields.error).toMatchObject({ code });
    await settle();
    expect(plugin.calls).toEqual(["open", "start", "stop"]);
  });

  test("a commit that takes a second counts as hung: everything waited for it", async () => {
    const { supervisor, plugin, clock } = await running();
    plugin.behaviour = {
      commit: (work) => {
        clock.advance(CHAIN_DEADLINES.syncMs + 1);
        return { kind: "auxpow", chainId: 7, hash: work.hash, strictChainId: false };
      },
    };
    plugin.hosts[0]?.offer(makeWork());
    expect(supervisor.health()).toMatchObject({ state: "isolated", trouble: expect.stringContaining("in time") });
  });

  test("what merge mining finds wrong with an offer isolates the chain too", async () => {
    const { supervisor, plugin } = supervised();
    const clock = new FakeClock();
    const fault = new Fault("merge-work-invalid", { why: "hash is not a Uint8Array(32)" });
    const other: ChainSupervisor = new ChainSupervisor(
      {
        clock,
        log: recordingLog(),
        meter: new MemoryMeter(),
        random: seededRandom(1),
        bus: new Bus<MergeEvents>({ onError() {} }),
        scopes: chainScopes(),
        offer: (work) => {
          if (work !== undefined) throw fault;
        },
      },
      { chain: "fake", folder: "/etc", plugin, config: () => ({}), deadlines: CHAIN_DEADLINES, backoff: BACKOFF },
    );
    other.open();
    other.start();
    await settle();
    plugin.hosts[0]?.offer(makeWork());
    expect(other.health()).toMatchObject({ state: "isolated", trouble: expect.stringContaining("hash is not") });
    expect(supervisor.health().state).toBe("stopped");
  });

  test("a submit that rejects is no fault of the plugin; its words come through", async () => {
    const { supervisor } = await running({ submit: () => Promise.reject(new Error("still loading")) });
    await expect(supervisor.guarded.submit(makeProof())).rejects.toThrow("still loading");
    expect(supervisor.health().state).toBe("running");
  });

  test("a submit that gives up when it is told to is tried again; one that does not isolates the chain", async () => {
    const { supervisor, clock, plugin } = await running({
      submit: (_, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    const polite = expect(supervisor.guarded.submit(makeProof())).rejects.toThrow("no end after 60 s");
    clock.advance(CHAIN_DEADLINES.submitMs);
    await polite;
    expect(supervisor.health().state).toBe("running");
    plugin.behaviour = { submit: hang };
    const rude = expect(supervisor.guarded.submit(makeProof())).rejects.toMatchObject({ code: "chain-call-timeout" });
    clock.advance(CHAIN_DEADLINES.submitMs + CHAIN_DEADLINES.graceMs);
    await rude;
    expect(supervisor.health().state).toBe("isolated");
  });

  test.each([undefined, null, {}, { verdict: "fine", reason: "" }, "accepted"])(
    "the outcome %j is none: the chain is isolated and the proof is to be submitted again",
    async (outcome) => {
      const { supervisor } = await running({ submit: async () => outcome as never });
      await expect(supervisor.guarded.submit(makeProof())).rejects.toMatchObject({ code: "chain-answer" });
      expect(supervisor.health().state).toBe("isolated");
      await expect(supervisor.guarded.submit(makeProof())).rejects.toMatchObject({ code: "chain-not-running" });
    },
  );

  test("a submit that is under way when the chain goes down rejects at once", async () => {
    const { supervisor } = await running({ submit: hang });
    const waiting = expect(supervisor.guarded.submit(makeProof())).rejects.toMatchObject({ code: "chain-not-running" });
    await supervisor.stop("disabled");
    await waiting;
    expect(supervisor.health().state).toBe("disabled");
  });

  test("status and verify are guarded as submit is", async () => {
    const block = { work: makeWork(), blockHash: "11", height: 5 };
    const good = await running({ verify: () => "the daemon would refuse it" });
    expect(good.supervisor.guarded.verify(makeProof())).toBe("the daemon would refuse it");
    await expect(good.supervisor.status(block)).resolves.toMatchObject({ state: "confirmed" });
    const bad = await running({ status: async () => ({ state: "sold" }) as never });
    await expect(bad.supervisor.status(block)).rejects.toMatchObject({ code: "chain-answer" });
    expect(bad.supervisor.health().state).toBe("isolated");
    const hung = await running({ status: hang });
    const late = expect(hung.supervisor.status(block)).rejects.toMatchObject({ code: "chain-call-timeout" });
    hung.clock.advance(CHAIN_DEADLINES.statusMs + CHAIN_DEADLINES.graceMs);
    await late;
    expect(hung.supervisor.health().state).toBe("isolated");
    const worse = await running({ verify: () => true as never });
    expect(() => worse.supervisor.guarded.verify(makeProof())).toThrow(/what the plugin contract does not allow/);
    await settle();
    expect(worse.supervisor.health().state).toBe("isolated");
  });

  test("an isolated run is dead: its offers, lines and timers reach nobody", async () => {
    const { supervisor, plugin, offers, clock, log } = await running();
    const [host] = plugin.hosts;
    const fired: string[] = [];
    host?.clock.every(10, () => void fired.push("old"));
    supervisor.blame(new Error("nobody caught me"));
    expect(supervisor.health().trouble).toMatch(/left an error that nothing handled.*: nobody caught me/);
    const told = offers.length;
    host?.offer(makeWork());
    host?.log.info("I am still here");
    host?.trouble("still");
    expect(host?.clock.after(1, () => void fired.push("new"))).toBeDefined();
    clock.advance(500);
    expect(fired).toEqual([]);
    expect(offers).toHaveLength(told);
    expect(log.lines.some(({ message }) => message.includes("still"))).toBe(false);
    await settle();
    clock.advance(1000);
    await settle();
    plugin.hosts[1]?.offer(makeWork());
    expect(offers.at(-1)).toMatchObject({ height: 5 });
  });

  test("a timer of the plugin that throws, or returns a rejected promise, isolates its chain and nothing else", async () => {
    for (const run of [
      () => {
        throw new Error("in a timer");
      },
      async () => {
        throw new Error("in a timer");
      },
    ]) {
      const { supervisor, plugin, clock } = await running();
      plugin.hosts[0]?.clock.after(5, run);
      clock.advance(5);
      await settle();
      expect(supervisor.health()).toMatchObject({ state: "isolated", trouble: expect.stringContaining("in a timer") });
    }
  });

  test("a plugin may have a thousand timers at once; one more isolates its chain, and all are cancelled", async () => {
    const { supervisor, plugin, clock } = await running();
    const [host] = plugin.hosts;
    for (let i = 0; i < 2000; i++) {
      host?.clock.after(1, () => undefined);
      clock.advance(1);
    }
    const timers = Array.from({ length: 1000 }, () => host?.clock.every(1000, () => undefined));
    expect(supervisor.health().state).toBe("running");
    timers[0]?.cancel();
    host?.clock.after(10, () => undefined);
    expect(supervisor.health().state).toBe("running");
    host?.clock.after(10, () => undefined);
    expect(supervisor.health()).toMatchObject({ state: "isolated", trouble: expect.stringContaining("1000 timers") });
    await settle();
    // The start of the chain is all that is left.
    expect(clock.pending).toBe(1);
  });

  test("a stop that hangs is left behind after its deadline, with a line", async () => {
    const { supervisor, clock, log } = await running({ stop: hang });
    const stopping = supervisor.stop("stopped");
    await settle();
    clock.advance(CHAIN_DEADLINES.stopMs);
    await stopping;
    expect(log.lines.at(-1)?.message).toContain("did not stop cleanly");
  });

  test("each failure in a row waits about twice as long, five minutes at most; a steady run begins anew", async () => {
    const { supervisor, clock, plugin } = await running();
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      supervisor.blame(new Error("again"));
      await settle();
      const { nextStartMs = 0 } = supervisor.health();
      waits.push(nextStartMs - clock.nowMs());
      clock.advance(nextStartMs - clock.nowMs());
      await settle();
      expect(supervisor.health().state).toBe("running");
    }
    for (const [i, wait] of waits.entries()) {
      const full = Math.min(300_000, 1000 * 2 ** i);
      expect(wait).toBeGreaterThanOrEqual(full * 0.75);
      expect(wait).toBeLessThanOrEqual(full * 1.25);
    }
    expect(new Set(waits.map((wait, i) => wait / Math.min(300_000, 1000 * 2 ** i))).size).toBeGreaterThan(6);
    clock.advance(BACKOFF.steadyMs);
    supervisor.blame(new Error("once more"));
    expect((supervisor.health().nextStartMs ?? 0) - clock.nowMs()).toBeLessThanOrEqual(1250);
    expect(plugin.calls.filter((call) => call === "open")).toHaveLength(13);
  });

  test("a plugin that cannot be opened any more stays isolated and is tried again", async () => {
    const { supervisor, clock, plugin } = await running();
    plugin.refusal = new Error("the wallet file is gone");
    supervisor.blame(new Error("first"));
    await settle();
    clock.advance(1250);
    await settle();
    expect(supervisor.health()).toMatchObject({ state: "isolated", trouble: "the wallet file is gone" });
    plugin.refusal = undefined;
    clock.advance(2500);
    await settle();
    expect(supervisor.health()).toMatchObject({ state: "running", restarts: 2 });
  });

  test("trouble is told once when it changes, on one line, and is shown", async () => {
    const { supervisor, plugin, log } = await running();
    const [host] = plugin.hosts;
    for (let i = 0; i < 3; i++) host?.trouble("the daemon is\nsynchronising");
    expect(supervisor.health()).toMatchObject({ state: "running", trouble: "the daemon is synchronising" });
    host?.trouble(undefined);
    host?.trouble(undefined);
    expect(supervisor.health().trouble).toBeUndefined();
    expect(log.lines.map(({ message }) => message).slice(1)).toEqual([
      "fake: the daemon is synchronising",
      "fake: all is well again",
    ]);
  });

  test("a plugin that has another trouble each time fills no log, and its newest is shown", async () => {
    const { supervisor, plugin, log } = await running();
    for (let i = 0; i < 10_000; i++) plugin.hosts[0]?.trouble(`trouble ${i}`);
    expect(log.lines.length).toBeLessThan(300);
    expect(supervisor.health().trouble).toBe("trouble 9999");
  });

  test("every call is timed under the chain's name", async () => {
    const { supervisor, plugin, meter } = await running();
    plugin.hosts[0]?.offer(makeWork());
    await supervisor.guarded.submit(makeProof());
    // open, start, commit, submit
    expect(meter.observations("aux_call_seconds").count).toBe(4);
  });

  test("a plugin measures under its chain's name, with bounded names", async () => {
    const { plugin, meter, log } = await running();
    const [host] = plugin.hosts;
    host?.meter.count("polls");
    host?.meter.gauge("peers", 8);
    host?.meter.daemon("main", true);
    host?.meter.count("Not A Name");
    host?.meter.gauge("peers", Number.NaN);
    for (let i = 0; i < 100; i++) host?.meter.count(`n${i}`);
    expect(meter.byLabel("aux_plugin_total")).toMatchObject({ "fake,polls": 1, "fake,n0": 1 });
    expect(meter.byLabel("aux_plugin_value")).toEqual({ "fake,peers": 8 });
    expect(meter.byLabel("aux_daemon_up")).toEqual({ "fake,main": 1 });
    expect(Object.keys(meter.byLabel("aux_plugin_total")).length).toBeLessThanOrEqual(32);
    expect(log.lines.filter(({ message }) => message.includes("passed over"))).toHaveLength(1);
  });
});
