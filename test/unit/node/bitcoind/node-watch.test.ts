import { describe, expect, test } from "vitest";
import type { SocketEvents } from "../../../../src/daemon/socket.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { type Meter, silentMeter } from "../../../../src/kernel/meter.ts";
import { NodeWatch, type NodeWatchOptions } from "../../../../src/node/bitcoind/node-watch.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import { FakeNode, hashOf, pass, settle } from "./fakes.ts";

function setting(change: Partial<NodeWatchOptions> = {}) {
  const clock = new FakeClock();
  const node = new FakeNode({ clock }, { name: "core" });
  const log = recordingLog();
  const gauges: number[] = [];
  const meter: Meter = {
    ...silentMeter,
    gauge(_name, value, ..._labels: readonly unknown[]) {
      gauges.push(value);
    },
  };
  const sockets: SocketEvents[] = [];
  const watch = new NodeWatch(
    {
      rpc: node,
      clock,
      log,
      meter,
      connect(_host, _port, events) {
        sockets.push(events);
        return { write() {}, destroy: () => events.onClose(undefined) };
      },
    },
    { network: "regtest", zmqAddress: undefined, notice: "wait", pollMs: 10_000, ...change },
  );
  const tips: string[] = [];
  watch.listen({ onTip: ({ kind, hash }) => tips.push(`${kind} ${hash.slice(-4)}`), onTemplate() {}, onFacts() {} });
  return { clock, node, log, watch, tips, gauges, sockets };
}

describe("the best block", () => {
  test("is told once, by whichever notice was first", async () => {
    const { clock, node, watch, tips } = setting();
    await watch.start();
    node.newBlock();
    await pass(clock, 25_000, 500);
    expect(tips).toEqual(["poll 0100", "wait 0101"]);
    expect(watch.notices).toEqual({ zmq: 0, wait: 1, longpoll: 0, poll: 1 });
    await watch.stop();
  });

  test("has its height and work at once, from its header", async () => {
    const { node, watch } = setting();
    await watch.start();
    node.newBlock();
    await settle();
    expect(watch.facts.tip).toMatchObject({ hash: hashOf("0101"), height: 101, chainwork: 204n });
    await watch.stop();
  });

  test("does not go back because a health check was asked before the block and answered after its notice", async () => {
    const { clock, node, watch, tips } = setting();
    await watch.start();
    await settle();
    const before = {
      chain: "regtest",
      blocks: 100,
      headers: 100,
      bestblockhash: node.tip.hash,
      initialblockdownload: false,
    };
    node.hold("getblockchaininfo");
    await pass(clock, 10_000, 500);
    expect(node.count("getblockchaininfo")).toBe(2);
    node.newBlock();
    await settle();
    node.results.set("getblockchaininfo", () => before);
    node.release("getblockchaininfo");
    await settle();
    expect(tips).toEqual(["poll 0100", "wait 0101"]);
    expect(watch.facts.tip?.height).toBe(101);
    await watch.stop();
  });

  test("asks for one header at a time however many blocks come, and for the last of them", async () => {
    const { node, watch } = setting();
    await watch.start();
    await settle();
    node.hold("getblockheader");
    for (let i = 0; i < 20; i++) {
      node.newBlock();
      await settle();
    }
    expect(node.count("getblockheader")).toBe(1);
    node.failing.set("getblockheader", new Fault("node-rpc-error", { rpcCode: -5 }));
    node.release("getblockheader");
    await Promise.resolve();
    node.failing.clear();
    await settle();
    expect(node.count("getblockheader")).toBe(2);
    expect(watch.facts.tip?.height).toBe(120);
    await watch.stop();
  });
});

describe("health", () => {
  test("is asked for in its rhythm, sooner while the node fails, and at once when a notice breaks", async () => {
    const { clock, node, watch, gauges } = setting();
    await watch.start();
    await pass(clock, 30_500, 500);
    expect(node.count("getblockchaininfo")).toBe(4);
    node.crash();
    await settle();
    expect(watch.facts.fault?.code).toBe("node-refused");
    expect(gauges.at(-1)).toBe(0);
    node.calls.length = 0;
    await pass(clock, 20_000, 250);
    expect(node.count("getblockchaininfo")).toBeGreaterThanOrEqual(10);
    expect(node.count("getblockchaininfo")).toBeLessThan(30);
    node.down = undefined;
    await pass(clock, 2_000, 250);
    expect(watch.facts.fault).toBeUndefined();
    expect(gauges.at(-1)).toBe(1);
    await watch.stop();
    expect(clock.pending).toBe(0);
  });

  test("asks for the genesis block once, and again after every failure", async () => {
    const { clock, node, watch } = setting();
    await watch.start();
    await pass(clock, 40_000, 1_000);
    expect(node.count("getblockhash")).toBe(1);
    node.crash();
    await pass(clock, 5_000, 500);
    node.down = undefined;
    await pass(clock, 5_000, 500);
    expect(node.count("getblockhash")).toBe(2);
    await watch.stop();
  });

  test("does without getnetworkinfo where a node has none", async () => {
    const { node, watch } = setting();
    node.failing.set("getnetworkinfo", new Fault("node-method-unknown"));
    await watch.start();
    expect(watch.facts).toMatchObject({ known: true, fault: undefined, version: undefined, connections: undefined });
    await watch.stop();
  });

  test("notes since when headers are ahead", async () => {
    const { clock, node, watch } = setting();
    await watch.start();
    node.headersAhead = 3;
    await pass(clock, 10_500, 500);
    const since = watch.facts.catchingUpSinceMs;
    await pass(clock, 20_000, 500);
    expect([since !== undefined, watch.facts.catchingUpSinceMs]).toEqual([true, since]);
    node.headersAhead = 0;
    await pass(clock, 10_000, 500);
    expect(watch.facts.catchingUpSinceMs).toBeUndefined();
    await watch.stop();
  });

  test("can be looked at once without leaving anything behind", async () => {
    const { clock, node, watch } = setting();
    await watch.check();
    await pass(clock, 60_000, 5_000);
    expect(node.calls.map(({ method }) => method).filter((method) => method !== "getblockheader")).toEqual([
      "getblockchaininfo",
      "getblockhash",
      "getnetworkinfo",
    ]);
    expect([watch.facts.known, clock.pending]).toEqual([true, 0]);
  });
});

describe("zmq", () => {
  test("that fails is said once with what to do, and the blocks come by RPC", async () => {
    const { clock, node, log, watch, sockets, tips } = setting({ zmqAddress: "tcp://127.0.0.1:28332" });
    await watch.start();
    for (let i = 0; i < 3; i++) {
      sockets.at(-1)?.onClose(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
      await pass(clock, 2_500, 500);
    }
    node.newBlock();
    await settle();
    const lines = log.lines.filter(({ level, message }) => level === "warn" && message.includes("zmq"));
    expect(lines.map(({ message }) => message)).toEqual([
      "zmq notices of node core failed: the ZMQ notices of the node cannot be received (node core, address tcp://127.0.0.1:28332, reason ECONNREFUSED). zmq_hashblock must be the address of zmqpubhashblock in the node's configuration and be reachable from here. New blocks are still noticed through RPC.",
    ]);
    expect(tips.at(-1)).toBe("wait 0101");
    await watch.stop();
  });

  test("with an address that cannot work is said too", async () => {
    const { log, watch } = setting({ zmqAddress: "ipc://x" });
    await watch.start();
    await settle();
    await watch.stop();
    expect(log.lines.map(({ message }) => message)).toEqual([
      expect.stringContaining("(reason the address is not of the form tcp://host:port, address ipc://x)"),
    ]);
  });
});
