import { describe, expect, test } from "vitest";
import { Fault } from "../../../../src/kernel/fault.ts";
import { silentMeter } from "../../../../src/kernel/meter.ts";
import type { TemplateCause } from "../../../../src/mining/ports.ts";
import type { Template } from "../../../../src/mining/template.ts";
import {
  BitcoindJobSource,
  JOB_SOURCE_DEFAULTS,
  type JobSourceOptions,
} from "../../../../src/node/bitcoind/job-source.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import { FakeNode, hashOf, pass, settle } from "./fakes.ts";

const never = new AbortController().signal;

function setting(names: readonly string[] = ["a", "b"], change: Partial<JobSourceOptions> = {}) {
  const clock = new FakeClock();
  const nodes = names.map((name) => new FakeNode({ clock }, { name }));
  const log = recordingLog();
  const options: JobSourceOptions = { ...JOB_SOURCE_DEFAULTS, network: "regtest", ...change };
  const source = new BitcoindJobSource(
    {
      nodes: nodes.map((rpc) => ({ rpc })),
      clock,
      log,
      meter: silentMeter,
      connect: () => ({ write() {}, destroy() {} }),
    },
    options,
  );
  const seen: { template: Template; cause: TemplateCause }[] = [];
  source.onTemplate((template, cause) => seen.push({ template, cause }));
  const [a, b, c] = nodes as [FakeNode, FakeNode, FakeNode];
  if (options.network === "mainnet") {
    for (const node of nodes) {
      node.chain = "main";
      node.genesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    }
  }
  const said = (level: string) => log.lines.filter((line) => line.level === level).map(({ message }) => message);
  return {
    clock,
    nodes,
    a,
    b,
    c,
    log,
    source,
    seen,
    said,
    shown: () => seen.map(({ template, cause }) => `${template.id.split("/")[0]} ${template.height} ${cause}`),
    active: () => source.status().active,
    /** A block that all nodes have at once. */
    everywhere: (height?: number) => {
      for (const node of nodes) node.newBlock(height);
    },
  };
}

describe("work from one node", () => {
  test("is there when the source has started, and follows the chain", async () => {
    const { source, a, clock, shown } = setting(["a"]);
    await source.start(never);
    expect(source.current()?.height).toBe(101);
    a.newBlock();
    await settle();
    expect(shown()).toEqual(["a 101 newBlock", "a 102 newBlock"]);
    expect(source.current()?.height).toBe(102);
    expect(source.status().nodes[0]?.notices).toMatchObject({ wait: 1 });
    await source.stop();
    expect(clock.pending).toBe(0);
  });

  test("stands in empty until the node has made its template", async () => {
    const { source, a, clock, shown } = setting(["a"]);
    await source.start(never);
    a.hold("getblocktemplate");
    a.newBlock();
    await pass(clock, 100);
    expect(shown().slice(1)).toEqual(["a 102 newBlock"]);
    a.release("getblocktemplate");
    await settle();
    expect(shown().slice(1)).toEqual(["a 102 newBlock", "a 102 fill"]);
    await source.stop();
  });

  test("is refreshed when the fees rise", async () => {
    const { source, a, clock, seen } = setting(["a"]);
    await source.start(never);
    a.fees = 200_000_000;
    await pass(clock, 11_000, 500);
    expect(seen.map(({ cause }) => cause)).toEqual(["newBlock", "refresh"]);
    await source.stop();
  });

  test("another target on the same block counts as another block", async () => {
    const { source, a, clock, seen } = setting(["a"], { emptyAfterMs: undefined });
    await source.start(never);
    a.tip = { ...a.tip, bits: "1f00ffff" };
    await pass(clock, 11_000, 500);
    expect(seen.map(({ cause, template }) => [cause, template.nBits])).toEqual([
      ["newBlock", 0x207fffff],
      ["newBlock", 0x1f00ffff],
    ]);
    await source.stop();
  });

  test("is seen by the health check at the latest when every notice fails", async () => {
    const { source, a, clock } = setting(["a"]);
    await source.start(never);
    a.hold("waitfornewblock");
    a.newBlock();
    await pass(clock, 9_000, 500);
    a.hold("waitfornewblock");
    a.newBlock();
    await pass(clock, 11_000, 500);
    expect(source.current()?.height).toBe(a.tip.height + 1);
    await source.stop();
  });

  test("follows the node back to an older block when the operator takes one out", async () => {
    const { source, a, clock } = setting(["a"]);
    await source.start(never);
    a.newBlock();
    await settle();
    a.newBlock(100);
    await pass(clock, 11_000, 500);
    expect(source.current()?.height).toBe(101);
    await source.stop();
  });

  test("uses long poll where waitfornewblock is not known, and polling where neither is", async () => {
    const { source, a, clock, shown, said } = setting(["a"]);
    a.failing.set("waitfornewblock", new Fault("node-method-unknown", { method: "waitfornewblock" }));
    await source.start(never);
    await settle();
    a.newBlock();
    await settle();
    expect(shown().at(-1)).toBe("a 102 newBlock");
    expect(source.status().nodes[0]?.notices.longpoll).toBe(1);
    expect(said("warn")[0]).toContain("node a offers no wait notices");
    await source.stop();

    const poor = setting(["a"]);
    poor.a.failing.set("waitfornewblock", new Fault("node-method-unknown"));
    poor.a.results.set("getblocktemplate", () => ({ ...poor.a.template(), longpollid: undefined }));
    await poor.source.start(never);
    poor.a.newBlock();
    await pass(poor.clock, 600);
    expect(poor.shown().at(-1)).toBe("a 102 newBlock");
    await poor.source.stop();
    expect(clock.pending + poor.clock.pending).toBe(0);
  });

  test("a listener that throws harms no other", async () => {
    const { source, said, seen } = setting(["a"]);
    source.onTemplate(() => {
      throw new Error("listener broke");
    });
    const later: number[] = [];
    const stop = source.onTemplate(({ height }) => later.push(height));
    await source.start(never);
    expect([seen.length, later]).toEqual([1, [101]]);
    expect(said("error")).toEqual(["a listener for templates failed: listener broke"]);
    stop();
    await source.stop();
  });
});

describe("several nodes", () => {
  test("the first gives the work even when it answers last", async () => {
    const { source, a, clock, active } = setting();
    a.hold("getnetworkinfo");
    const started = source.start(never);
    await pass(clock, 1_000);
    a.release("getnetworkinfo");
    await started;
    expect(active()).toBe("a");
    await source.stop();
  });

  test("a first node that does not answer is not waited for long", async () => {
    const { source, a, clock, active } = setting();
    a.hold("getblockchaininfo");
    const started = source.start(never);
    await pass(clock, 3_100);
    await started;
    expect(active()).toBe("b");
    await source.stop();
  });

  test("when the active one fails the next takes over at once, with the same work", async () => {
    const { source, a, clock, shown, said, active } = setting();
    await source.start(never);
    a.crash();
    await pass(clock, 300);
    expect(active()).toBe("b");
    expect(shown()).toEqual(["a 101 newBlock", "b 101 refresh"]);
    expect(said("warn").some((line) => line.includes("node a: nothing listens at the address"))).toBe(true);
    await source.stop();
  });

  test("the preferred one gets the work back only after it was well for long enough", async () => {
    const { source, a, clock, active } = setting(["a", "b"], { failbackMs: 60_000 });
    await source.start(never);
    a.crash();
    await pass(clock, 1_000);
    a.down = undefined;
    await pass(clock, 58_000, 500);
    expect(active()).toBe("b");
    a.crash();
    await pass(clock, 3_000, 500);
    a.down = undefined;
    await pass(clock, 59_000, 500);
    expect(active()).toBe("b");
    await pass(clock, 5_000, 500);
    expect(active()).toBe("a");
    await source.stop();
  });

  test("one that gives no templates is left although it answers, and used again when it does", async () => {
    const { source, a, clock, active } = setting(["a", "b"], { failbackMs: 10_000 });
    await source.start(never);
    a.failing.set("getblocktemplate", new Fault("node-rpc-error", { rpcCode: -1, says: "odd" }));
    await pass(clock, 11_000, 500);
    expect(active()).toBe("b");
    expect(source.status().nodes[0]).toMatchObject({ up: false, fault: { code: "node-rpc-error" } });
    await pass(clock, 30_000, 500);
    expect(active()).toBe("b");
    a.failing.clear();
    await pass(clock, 14_000, 500);
    expect(active()).toBe("a");
    await source.stop();
  });

  test("one that lags behind another is left after a grace, and no sooner", async () => {
    const { source, a, b, clock, active, shown, said } = setting();
    await source.start(never);
    b.newBlock();
    await pass(clock, 2_000, 100);
    expect(active()).toBe("a");
    await pass(clock, 2_500, 100);
    expect(active()).toBe("b");
    expect(shown().at(-1)).toBe("b 102 newBlock");
    expect(said("warn").at(-1)).toContain("node a is doubtful: the node's best chain has less work");
    a.newBlock();
    await pass(clock, 1_000, 100);
    expect(source.status().nodes[0]?.trust).toBe("trusted");
    await source.stop();
  });

  test("all getting a block within the grace changes nothing", async () => {
    const { source, a, b, clock, active, shown } = setting();
    await source.start(never);
    for (let i = 0; i < 5; i++) {
      b.newBlock();
      await pass(clock, 2_000, 100);
      a.newBlock();
      await pass(clock, 20_000, 1_000);
    }
    expect(active()).toBe("a");
    expect(shown().every((line) => line.startsWith("a "))).toBe(true);
    await source.stop();
  });

  test("work never steps back to a node that is about to learn of the newest block", async () => {
    const { source, a, b, clock, shown } = setting();
    await source.start(never);
    a.newBlock();
    await settle();
    a.crash();
    await pass(clock, 5_000, 250);
    expect(shown()).toEqual(["a 101 newBlock", "a 102 newBlock"]);
    expect(source.current()?.height).toBe(102);
    b.newBlock();
    await pass(clock, 11_000, 500);
    expect(shown().at(-1)).toBe("b 102 refresh");
    await source.stop();
  });

  test("unless that takes too long", async () => {
    const { source, a, clock, shown } = setting();
    await source.start(never);
    a.newBlock();
    await settle();
    a.crash();
    await pass(clock, 45_000, 500);
    expect(shown().at(-1)).toBe("b 101 newBlock");
    await source.stop();
  });

  test("a node during its initial download or without peers is not used on mainnet", async () => {
    const { source, a, b, clock, active, everywhere } = setting(["a", "b"], { network: "mainnet", failbackMs: 1_000 });
    a.ibd = true;
    await source.start(never);
    expect(active()).toBe("b");
    a.ibd = false;
    await pass(clock, 15_000, 500);
    expect(active()).toBe("a");
    a.connections = 0;
    everywhere();
    await pass(clock, 15_000, 500);
    expect(active()).toBe("b");
    expect(source.status().nodes[0]).toMatchObject({ trust: "unusable", fault: { code: "node-no-peers" } });
    b.connections = 0;
    await pass(clock, 15_000, 500);
    expect(active()).toBeUndefined();
    await source.stop();
  });
});

describe("when no node can be used", () => {
  test("the last work stays for a while and is then withdrawn, until a node is back", async () => {
    const { source, a, clock, said, seen } = setting(["a"]);
    await source.start(never);
    a.crash();
    await pass(clock, 59_000, 500);
    expect(source.current()?.height).toBe(101);
    expect(said("error")).toEqual(["no Bitcoin node can be used; miners stay on their last work for now"]);
    await pass(clock, 3_000, 500);
    expect(source.current()).toBeUndefined();
    expect(said("error").at(-1)).toContain("the last work is withdrawn");
    a.down = undefined;
    await pass(clock, 5_000, 500);
    expect(source.current()?.height).toBe(101);
    expect(seen.at(-1)?.cause).toBe("newBlock");
    expect(said("info")).toContain("node a answers again");
    await source.stop();
  });

  test("the source starts all the same and gives work as soon as there is any", async () => {
    const { source, a, clock, said, shown } = setting(["a"]);
    a.down = new Fault("node-warming-up", { node: "a", says: "Loading block index…" });
    const started = source.start(never);
    await pass(clock, 1_000);
    await started;
    expect(source.current()).toBeUndefined();
    expect(said("warn")[0]).toContain("the node is starting (node a, says Loading block index…). Wait:");
    expect(said("error").at(-1)).toContain("no Bitcoin node gives work yet");
    a.down = undefined;
    await pass(clock, 3_000, 250);
    expect(shown()).toEqual(["a 101 newBlock"]);
    await source.stop();
  });

  test("a fault that stays is said once, not again and again", async () => {
    const { source, a, clock, said } = setting(["a"]);
    a.down = new Fault("node-unauthorized", { node: "a" });
    const started = source.start(never);
    await pass(clock, 600_000, 5_000);
    await started;
    expect(said("warn").filter((line) => line.includes("does not know this user or password")).length).toBe(1);
    await source.stop();
  });
});

describe("the start", () => {
  test("fails when a node is on another network, by name or by genesis block", async () => {
    const named = setting();
    named.b.chain = "main";
    await expect(named.source.start(never)).rejects.toThrow("(node b, configured regtest, found mainnet)");
    expect(named.clock.pending).toBe(0);
    const other = setting(["a"]);
    other.a.genesis = hashOf("1234");
    await expect(other.source.start(never)).rejects.toThrow("found another coin");
  });

  test("ends when the program gives up on nodes that take the call and say nothing", async () => {
    const { source, a, clock } = setting(["a"]);
    a.hold("getblockchaininfo");
    const stop = new AbortController();
    const started = source.start(stop.signal);
    await pass(clock, 5_000);
    stop.abort(new Error("gave up"));
    await expect(started).rejects.toThrow("gave up");
    expect(clock.pending).toBe(0);
  });

  test("ends when the program gives up", async () => {
    const { source, a, clock } = setting(["a"]);
    a.hold("getblocktemplate");
    const stop = new AbortController();
    const started = source.start(stop.signal);
    await settle();
    stop.abort(new Error("gave up"));
    await expect(started).rejects.toThrow("gave up");
    expect(clock.pending).toBe(0);
  });

  test("a network that changes behind the same address later makes the node unusable", async () => {
    const { source, a, clock, active } = setting();
    await source.start(never);
    a.crash();
    await pass(clock, 1_000);
    a.down = undefined;
    a.chain = "test";
    await pass(clock, 200_000, 2_000);
    expect(active()).toBe("b");
    expect(source.status().nodes[0]?.fault?.code).toBe("node-wrong-network");
    await source.stop();
  });
});

test("the status is a plain snapshot of every node, told when something changed", async () => {
  const { source, a, clock } = setting();
  const told: unknown[] = [];
  source.onStatus((status) => told.push(status.active));
  a.clockOffsetMs = 120_000;
  await source.start(never);
  const status = source.status();
  expect(structuredClone(status)).toEqual(status);
  expect(status.template).toEqual({ id: "a/1", height: 101, transactions: 1, ageMs: 0 });
  expect(status.nodes[0]).toMatchObject({
    name: "a",
    address: "http://a:8332/",
    active: true,
    up: true,
    trust: "trusted",
    chain: "regtest",
    version: "/Satoshi:31.1.0/",
    height: 100,
    tip: hashOf("0100"),
    headers: 100,
    connections: 8,
    fault: undefined,
    warnings: [{ code: "node-clock", message: expect.stringContaining("aheadSeconds 120"), help: expect.any(String) }],
  });
  a.crash();
  await pass(clock, 1_000);
  expect(told).toEqual(["a", "b"]);
  await source.stop();
});
