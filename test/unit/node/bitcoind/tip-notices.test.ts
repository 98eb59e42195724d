import { describe, expect, test } from "vitest";
import type { SocketEvents } from "../../../../src/daemon/socket.ts";
import { concat, fromHex, utf8 } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import {
  longPollTips,
  type NoticeDeps,
  type NoticeKind,
  pollTips,
  type TipNotice,
  waitForTips,
  zmqTips,
} from "../../../../src/node/bitcoind/tip-notices.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import core from "../../../vectors/bitcoind-rpc.json" with { type: "json" };
import { FakeNode, hashOf, pass, settle } from "./fakes.ts";

function setting() {
  const clock = new FakeClock();
  const rpc = new FakeNode({ clock }, { name: "core" });
  const tips: TipNotice[] = [];
  const failures: [NoticeKind, unknown][] = [];
  const deps: NoticeDeps = {
    rpc,
    clock,
    onTip: (notice) => tips.push(notice),
    onFailure: (kind, fault) => failures.push([kind, fault instanceof Fault ? fault.code : fault]),
  };
  const stop = new AbortController();
  return { clock, rpc, tips, failures, deps, stop, hashes: () => tips.map(({ hash }) => hash) };
}

describe("waitfornewblock", () => {
  test("tells the tip, then each new one at once, and names the one it knows so that none is missed", async () => {
    const { clock, rpc, deps, stop, hashes } = setting();
    const loop = waitForTips(deps, { waitMs: 30_000 }, stop.signal);
    await settle();
    rpc.newBlock();
    await settle();
    expect(hashes()).toEqual([hashOf("0100"), hashOf("0101")]);
    expect(rpc.calls.filter(({ method }) => method === "waitfornewblock").map(({ params }) => params)).toEqual([
      [30_000, hashOf("0100")],
      [30_000, hashOf("0101")],
    ]);
    await pass(clock, 30_000, 1_000);
    expect(hashes().length).toBe(2);
    expect(rpc.count("waitfornewblock")).toBe(3);
    stop.abort();
    await loop;
  });

  test("goes on without the second parameter where the node refuses it", async () => {
    const { rpc, deps, stop, hashes, failures } = setting();
    rpc.results.set("waitfornewblock", (params) => {
      if (params.length > 1) throw new Fault("node-rpc-error", { rpcCode: -1, says: "waitfornewblock ( timeout )" });
      rpc.results.delete("waitfornewblock");
      return { hash: hashOf("0101"), height: 101 };
    });
    const loop = waitForTips(deps, { waitMs: 1_000 }, stop.signal);
    await settle();
    expect(hashes()).toEqual([hashOf("0100"), hashOf("0101")]);
    expect(rpc.calls.at(-1)?.params).toEqual([1_000]);
    expect(failures).toEqual([]);
    stop.abort();
    await loop;
  });

  test("does not spin on a node that answers at once, as one that is stopping does", async () => {
    const { clock, rpc, deps, stop } = setting();
    rpc.results.set("waitfornewblock", () => ({ hash: rpc.tip.hash, height: 100 }));
    const loop = waitForTips(deps, { waitMs: 30_000 }, stop.signal);
    await pass(clock, 1_000);
    expect(rpc.count("waitfornewblock")).toBeLessThanOrEqual(11);
    stop.abort();
    await loop;
  });

  test("pauses ever longer while the node is away, and comes back", async () => {
    const { clock, rpc, deps, stop, failures, hashes } = setting();
    const loop = waitForTips(deps, { waitMs: 30_000 }, stop.signal);
    await settle();
    rpc.crash();
    await pass(clock, 60_000, 250);
    expect(failures.length).toBeGreaterThan(5);
    expect(failures.length).toBeLessThan(20);
    rpc.down = undefined;
    rpc.newBlock();
    await pass(clock, 5_000, 250);
    expect(hashes().at(-1)).toBe(hashOf("0101"));
    stop.abort();
    await loop;
  });

  test("gives up where the node does not know the method", async () => {
    const { rpc, deps, stop } = setting();
    rpc.failing.set("waitfornewblock", new Fault("node-method-unknown"));
    await expect(waitForTips(deps, { waitMs: 1 }, stop.signal)).rejects.toThrow("does not know the method");
  });
});

describe("long polling", () => {
  const options = { request: { rules: ["segwit"] }, timeoutMs: 600_000 };

  test("brings the template of each new block by the id of the last answer", async () => {
    const { rpc, deps, stop, tips } = setting();
    const loop = longPollTips(deps, options, stop.signal);
    await settle();
    rpc.newBlock();
    await settle();
    expect(tips.map(({ hash, template }) => [hash, template?.height])).toEqual([
      [hashOf("0100"), 101],
      [hashOf("0101"), 102],
    ]);
    expect(rpc.calls.map(({ params }) => params[0])).toEqual([
      { rules: ["segwit"] },
      { rules: ["segwit"], longpollid: hashOf("0100") },
      { rules: ["segwit"], longpollid: hashOf("0101") },
    ]);
    stop.abort();
    await loop;
  });

  test("begins a new chain of ids after a failure", async () => {
    const { clock, rpc, deps, stop } = setting();
    const loop = longPollTips(deps, options, stop.signal);
    await settle();
    rpc.crash();
    rpc.failing.set("getblocktemplate", new Fault("node-rpc-error", { rpcCode: -8 }));
    rpc.down = undefined;
    rpc.newBlock();
    await pass(clock, 300);
    rpc.failing.clear();
    await pass(clock, 1_000);
    const asked = rpc.calls.map(({ params }) => (params[0] as { longpollid?: string }).longpollid);
    expect(asked.slice(-2)).toEqual([undefined, hashOf("0101")]);
    stop.abort();
    await loop;
  });

  test("is given up where the server has no ids", async () => {
    const { rpc, deps, stop } = setting();
    rpc.results.set("getblocktemplate", () => ({ ...rpc.template(), longpollid: undefined }));
    await expect(longPollTips(deps, options, stop.signal)).rejects.toThrow("method longpoll");
  });
});

test("polling asks in its rhythm", async () => {
  const { clock, rpc, deps, stop, hashes } = setting();
  const loop = pollTips(deps, { everyMs: 500 }, stop.signal);
  await pass(clock, 400);
  rpc.newBlock();
  await pass(clock, 700);
  expect(hashes()).toEqual([hashOf("0100"), hashOf("0101"), hashOf("0101")]);
  stop.abort();
  await loop;
});

describe("zmq", () => {
  const recorded = core.answers["zmq hashblock"];
  const frame = (flags: number, body: Uint8Array): Uint8Array => concat(Uint8Array.of(flags, body.length), body);
  const handshake = concat(
    fromHex(recorded.handshake.serverGreetingHex),
    frame(4, fromHex(recorded.handshake.serverReadyFrame.bodyHex)),
  );

  /** A publisher that is spoken to through the socket port. */
  function publisher() {
    const connections: {
      events: SocketEvents;
      written: Uint8Array[];
      destroyed: boolean;
      host: string;
      port: number;
    }[] = [];
    return {
      connections,
      connect(host: string, port: number, events: SocketEvents) {
        const connection = { events, written: [] as Uint8Array[], destroyed: false, host, port };
        connections.push(connection);
        return {
          write: (bytes: Uint8Array) => void connection.written.push(bytes),
          destroy() {
            if (connection.destroyed) return;
            connection.destroyed = true;
            events.onClose(undefined);
          },
        };
      },
    };
  }

  test("subscribes, tells hashes, and connects again after the end with growing pauses", async () => {
    const { clock, deps, stop, tips, failures } = setting();
    const { connect, connections } = publisher();
    const loop = zmqTips({ ...deps, connect }, { address: "tcp://10.0.0.1:28332" }, stop.signal);
    const first = connections[0];
    expect([first?.host, first?.port]).toEqual(["10.0.0.1", 28332]);
    first?.events.onOpen();
    first?.events.onData(handshake);
    first?.events.onData(concat(...recorded.last.map(({ flags, hex }) => frame(flags, fromHex(hex)))));
    expect(tips).toEqual([{ kind: "zmq", hash: recorded.last[1]?.hex }]);
    first?.events.onClose(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    await pass(clock, 250);
    expect(connections.length).toBe(2);
    connections[1]?.events.onClose(undefined);
    await pass(clock, 450);
    expect(connections.length).toBe(2);
    await pass(clock, 100);
    expect(connections.length).toBe(3);
    expect(failures).toEqual([
      ["zmq", "node-zmq"],
      ["zmq", "node-zmq"],
    ]);
    stop.abort();
    await loop;
    expect(connections[2]?.destroyed).toBe(true);
  });

  test("drops a peer that is no publisher and says what it is", async () => {
    const { deps, stop } = setting();
    const { connect, connections } = publisher();
    const said: unknown[] = [];
    const onFailure = (_kind: NoticeKind, error: unknown): void => void said.push((error as Fault).message);
    const loop = zmqTips({ ...deps, onFailure, connect }, { address: "tcp://10.0.0.1:8332" }, stop.signal);
    connections[0]?.events.onOpen();
    connections[0]?.events.onData(utf8("HTTP/1.1 400 Bad Request"));
    await settle();
    expect(connections[0]?.destroyed).toBe(true);
    expect(said).toEqual([
      "the ZMQ notices of the node cannot be received (node core, address tcp://10.0.0.1:8332, reason what answers there does not speak ZMTP 3)",
    ]);
    stop.abort();
    await loop;
  });

  test("refuses an address that can never work", async () => {
    const { deps, stop } = setting();
    await expect(
      zmqTips({ ...deps, connect: publisher().connect }, { address: "ipc://x" }, stop.signal),
    ).rejects.toThrow("tcp://host:port");
  });
});
