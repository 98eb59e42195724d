/** Losing the connection, waiting for it, and staying away from it. */
import { describe, expect, test } from "vitest";
import { clientWorld, golden, hashOf } from "../../../../support/bllvm-client.ts";

describe("the connection", () => {
  test("is made again after half a second at the earliest, then ever more slowly", async () => {
    const { start, last, peers, pass, clock } = clientWorld();
    await start();
    const at: number[] = [];
    for (let i = 0; i < 9; i++) {
      at.push(clock.monotonicMs());
      last().close("ECONNREFUSED");
      const before = peers.length;
      for (let waited = 0; peers.length === before && waited < 31_000; waited += 50) await pass(50);
      expect(peers.length).toBe(before + 1);
    }
    const pauses = at.slice(1).map((ms, i) => ms - (at[i] ?? 0));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(500);
    expect(pauses[0]).toBeLessThanOrEqual(650);
    expect(pauses.at(-1)).toBeGreaterThan(20_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_050);
  });

  test("says once what is wrong and what helps, however often it is tried", async () => {
    const { client, start, last, pass, log } = clientWorld();
    await start();
    for (let i = 0; i < 20; i++) {
      last().close("ENOENT");
      await pass(31_000, 500);
    }
    expect(client.state().trouble).toContain("there is no such socket");
    const warnings = log.lines.filter(({ level }) => level === "warn");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.message).toContain("/run/node.sock");
  });

  test("waits without an end where the node serves another first, says so once, and is up when it has its turn", async () => {
    const { client, start, last, peers, pass, settle, log, phases } = clientWorld();
    await start();
    last().open();
    await pass(2_950);
    expect(client.state().phase).toBe("connecting");
    await pass(100);
    expect(client.state().phase).toBe("starving");
    await pass(3_600_000, 5_000);
    expect(peers).toHaveLength(1);
    expect(last().destroyed).toBe(false);
    expect(client.state().trouble).toContain("docs/bllvm.md");
    expect(log.lines.filter(({ message }) => message.includes("one connection at a time"))).toHaveLength(1);
    last().send(golden("head.resp.handshake_ack"));
    expect(client.state().phase).toBe("connecting");
    const { correlationId } = last().request("SubscribeEvents");
    const payload = { name: "SubscribeAck", value: {} } as const;
    last().say({ type: "Response", correlationId, success: true, payload, error: null });
    await settle();
    expect(phases()).toEqual(["connecting", "starving", "connecting", "up"]);
  });

  test("is not made while the hold file is there, and closed at once when that appears", async () => {
    const { client, files, start, peers, last, serve, pass, settle, phases } = clientWorld({
      holdFile: "/data/ipc.hold",
    });
    files.held = true;
    await start();
    await pass(5_000);
    expect(peers).toHaveLength(0);
    expect(client.state()).toMatchObject({ phase: "held", trouble: expect.stringContaining("/data/ipc.hold") });
    files.held = false;
    await pass(600);
    serve();
    await settle();
    expect(client.state().phase).toBe("up");
    files.held = true;
    await pass(500);
    expect(last().destroyed).toBe(true);
    expect(client.state().phase).toBe("held");
    await pass(10_000);
    expect(peers).toHaveLength(1);
    files.held = false;
    await pass(600);
    expect(peers).toHaveLength(2);
    expect(phases()).toEqual(["held", "connecting", "up", "held", "connecting"]);
  });

  test("is not closed for the hold file before its handshake is answered, since that would end the node's server", async () => {
    const { client, files, start, last, peers, pass } = clientWorld({ holdFile: "/data/ipc.hold" });
    await start();
    last().open();
    files.held = true;
    await pass(20_000, 500);
    expect(client.state().phase).toBe("held");
    expect(last().destroyed).toBe(false);
    last().send(golden("head.resp.handshake_ack"));
    expect(last().destroyed).toBe(true);
    expect(last().requests).toEqual(["Handshake"]);
    await pass(2_000);
    expect(peers).toHaveLength(1);
  });

  test("waits its time after the node has started us", async () => {
    const { client, start, peers, pass } = clientWorld({ firstConnectDelayMs: 1_500 });
    await start();
    expect(client.state().phase).toBe("held");
    await pass(1_450);
    expect(peers).toHaveLength(0);
    await pass(50);
    expect(peers).toHaveLength(1);
  });

  test("is made all the same when the stand-in was killed and left its file", async () => {
    const { client, files, start, passServed, log } = clientWorld({ holdFile: "/data/ipc.hold" });
    files.held = true;
    await start();
    await passServed(29_000);
    expect(client.state().phase).toBe("held");
    await passServed(5_000);
    expect(client.state().phase).toBe("up");
    await passServed(60_000);
    expect(client.state().phase).toBe("up");
    expect(log.lines.filter(({ message }) => message.includes("is passed over"))).toHaveLength(1);
    // The next stand-in is heeded.
    files.held = false;
    await passServed(2_000);
    files.held = true;
    await passServed(2_000);
    expect(client.state().phase).toBe("held");
  });

  test("gets nothing after a NodeShutdown that overtook the answer to its subscription", async () => {
    const { client, start, serve, settle, pass } = clientWorld();
    await start();
    const peer = serve();
    const { onMessage } = peer;
    peer.onMessage = (message) => {
      if (message.type === "Request" && message.request.name === "SubscribeEvents") {
        peer.send(golden("head.event.node_shutdown"));
      }
      onMessage?.(message);
    };
    await settle();
    await pass(5_000);
    expect(client.state().phase).toBe("closing");
    expect(peer.requests).toEqual(["Handshake", "SubscribeEvents"]);
  });

  test("brings texts of other modules as one short line", async () => {
    const { client, up } = clientWorld();
    const heard: (string | undefined)[] = [];
    client.on("BlockMined", ({ minerId }) => heard.push(minerId));
    const peer = await up();
    const value = { blockHash: new Uint8Array(32), height: 1n, minerId: `\u001b[2J${"x".repeat(1 << 20)}` };
    peer.say({ type: "Event", eventType: "BlockMined", event: { name: "BlockMined", value } });
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatch(/^\[2Jx+$/);
    expect(heard[0]?.length).toBe(200);
  });

  test("gets nothing more after NodeShutdown, whose listeners hear it at once, and is made again when the node is back", async () => {
    const { client, up, pass, passServed, peers, settle } = clientWorld();
    const heard: string[] = [];
    client.on("NodeShutdown", ({ reason, timeoutS }) => heard.push(`${reason} ${timeoutS} ${client.state().phase}`));
    client.on("DataMaintenance", ({ operation }) => heard.push(operation));
    const peer = await up();
    const before = peer.messages.length;
    peer.send(golden("head.event.node_shutdown"));
    const value = {
      operation: "flush",
      urgency: "high",
      reason: "shutdown",
      targetAgeDays: null,
      timeoutSeconds: 5n,
    };
    peer.say({ type: "Event", eventType: "DataMaintenance", event: { name: "DataMaintenance", value } });
    expect(heard).toEqual(["signal 30 closing", "flush"]);
    client.log("info", "bye", "pool");
    await expect(client.chainInfo()).rejects.toThrow(expect.objectContaining({ code: "bllvm-away" }));
    await pass(29_000, 1_000);
    expect(peer.messages).toHaveLength(before);
    peer.close();
    await settle();
    expect(client.state().phase).toBe("down");
    await passServed(2_000);
    expect(peers).toHaveLength(2);
    expect(client.state()).toMatchObject({ phase: "up", unusable: [] });
  });

  test("is given up when a node that said that it stops goes on living", async () => {
    const { client, up, pass, peers } = clientWorld();
    const peer = await up();
    peer.send(golden("head.event.node_shutdown"));
    await pass(59_000, 1_000);
    expect(client.state().phase).toBe("closing");
    await pass(3_000, 100);
    expect(peer.destroyed).toBe(true);
    expect(peers).toHaveLength(2);
  });

  test.each([
    ["a frame longer than the node sends", Uint8Array.of(0x7f, 0xff, 0xff, 0xff), "longer than the node ever sends"],
    ["a message that cannot be read", Uint8Array.of(0, 0, 0, 5, 9, 9, 9, 9, 9), "cannot be read"],
    ["an empty frame", Uint8Array.of(0, 0, 0, 0), "cannot be read"],
  ])("ends at %s, which is said once", async (_what, bytes, words) => {
    const { client, start, peers, passServed, log } = clientWorld();
    await start();
    await passServed(1_000);
    for (let i = 0; i < 5; i++) {
      const peer = peers.at(-1);
      expect(client.state().phase).toBe("up");
      peer?.send(bytes);
      expect(peer?.destroyed).toBe(true);
      expect(client.state().phase).toBe("down");
      await passServed(31_000);
    }
    const said = log.lines.filter(({ level, message }) => level === "warn" && message.includes(words));
    expect(said).toHaveLength(1);
  });

  test("ends where the handshake is answered with anything else", async () => {
    const { client, start, last } = clientWorld();
    await start();
    last().open();
    last().send(golden("head.event.new_block"));
    expect(last().destroyed).toBe(true);
    expect(client.state().trouble).toContain("the handshake was answered with a Event");
  });

  test("ends when the node does not read, before more than 16 MiB wait for it", async () => {
    const { client, up, settle, meter } = clientWorld();
    const peer = await up();
    await settle();
    peer.reading = false;
    const block = client.queueReceivedBlock(new Uint8Array(4 << 20));
    expect(peer.bufferedBytes).toBeGreaterThan(4 << 20);
    // A line is not worth waiting for: it goes nowhere while the node has enough to read.
    client.log("info", "a line", "pool");
    expect(meter.sums.get("bllvm_log_lines_dropped_total{why=slow}")).toBe(1);
    const before = peer.writes.length;
    peer.bufferedBytes = 16 << 20;
    peer.say({
      type: "Invocation",
      correlationId: 1n,
      invocation: { name: "Cli", value: { subcommand: "status", args: [] } },
    });
    expect(peer.writes).toHaveLength(before);
    expect(peer.destroyed).toBe(true);
    expect(client.state().trouble).toContain("does not read");
    await expect(block).rejects.toThrow(expect.objectContaining({ code: "bllvm-request-closed" }));
  });

  test("is stopped at once when it is served, and leaves no timer behind", async () => {
    const { client, up, clock, settle } = clientWorld();
    const peer = await up();
    await settle();
    await client.stop();
    expect(peer.destroyed).toBe(true);
    expect(clock.pending).toBe(0);
    expect(client.state().phase).toBe("down");
  });

  test("is stopped after two seconds when its handshake is not answered", async () => {
    const { client, start, last, clock, pass } = clientWorld({ holdFile: "/data/ipc.hold" });
    await start();
    last().open();
    const stopped = client.stop();
    await pass(1_950);
    expect(last().destroyed).toBe(false);
    await pass(50);
    await stopped;
    expect(last().destroyed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("tells of a repeated event once, and of a tip as often as it changes", async () => {
    const { client, up, meter } = clientWorld();
    const peer = await up();
    const told: string[] = [];
    client.on("NewBlock", ({ height }) => told.push(`block ${height}`));
    client.on("ChainTipUpdated", ({ height }) => told.push(`tip ${height}`));
    const event = (n: number) =>
      ({
        type: "Event",
        eventType: "NewBlock",
        event: { name: "NewBlock", value: { blockHash: hashOf(n), height: BigInt(n) } },
      }) as const;
    for (const n of [5, 5, 6, 6, 5]) peer.say(event(n));
    expect(told).toEqual(["block 5", "tip 5", "block 6", "tip 6"]);
    expect(meter.sums.get("bllvm_ignored_total{kind=repeated}")).toBe(3);
    expect(meter.sums.get("bllvm_events_total{event=NewBlock}")).toBe(2);
  });

  test("reads the tip after a reorganisation, whose event names no height, and by polling where an event was lost", async () => {
    const { client, up, script, settle, passServed } = clientWorld();
    const tips: number[] = [];
    client.on("ChainTipUpdated", ({ height }) => tips.push(height));
    const peer = await up();
    script.tip = { blockHash: hashOf(2), height: 101 };
    peer.send(golden("head.event.chain_reorg"));
    await settle();
    expect(tips).toEqual([100, 101]);
    script.tip = { blockHash: hashOf(3), height: 102 };
    await passServed(10_100);
    expect(tips).toEqual([100, 101, 102]);
    await passServed(60_000);
    expect(tips).toHaveLength(3);
  });
});
