/** Requests: their answers, their pace, and what a closed connection means for each. */
import { describe, expect, test } from "vitest";
import { clientWorld, hashOf, payloadFor } from "../../../../support/bllvm-client.ts";

const code = (code: string) => expect.objectContaining({ code });
const SHARE = { name: "ShareSubmitted", event: { jobId: "7", shareHash: hashOf(3), minerId: "rig" } } as const;

/** What is not tried any more once the node refused one of them and answered none: it knows no capabilities of this module. */
const MORE = ["GetNetworkStats", "RegisterModuleApi", "PublishEvent"];

describe("requests", () => {
  test("are answered by their ids, in whatever order answers come, and a stranger's answer is passed over", async () => {
    const { client, up, script, settle, meter } = clientWorld();
    const peer = await up();
    script.silentAt.add("GetBlockHeader");
    const asked = [1, 2].map((n) => client.blockHeader(hashOf(n)));
    await settle();
    const ids = peer.messages.flatMap((message) =>
      message.type === "Request" && message.request.name === "GetBlockHeader" ? [message.correlationId] : [],
    );
    expect(ids).toHaveLength(2);
    const header = (nonce: bigint) => ({
      version: 0x2000_0000n,
      prevBlockHash: hashOf(0),
      merkleRoot: hashOf(9),
      timestamp: 1_700_000_000n,
      bits: 0x1d00ffffn,
      nonce,
    });
    for (const [i, id] of [...ids, 999_999n].reverse().entries()) {
      const payload = { name: "BlockHeader", value: { header: header(BigInt(i)) } } as const;
      peer.say({ type: "Response", correlationId: id, success: true, payload, error: null });
    }
    expect((await Promise.all(asked)).map((found) => found?.nonce)).toEqual([2, 1]);
    expect(meter.sums.get("bllvm_ignored_total{kind=answer}")).toBe(1);
  });

  test("give the tip's compact target, which is its header's, asked for once a tip", async () => {
    const { client, up, script, settle } = clientWorld();
    const peer = await up();
    await settle();
    const info = { tipHash: hashOf(1), height: 100, nBits: 0x1d00ffff, isSynced: true };
    expect(await client.chainInfo()).toEqual(info);
    expect(await client.chainInfo()).toEqual(info);
    expect(peer.requests.filter((name) => name === "GetBlockHeader")).toHaveLength(1);
    script.tip = { blockHash: hashOf(2), height: 101 };
    expect(await client.chainInfo()).toMatchObject({ height: 101 });
    expect(peer.requests.filter((name) => name === "GetBlockHeader")).toHaveLength(2);
  });

  test("give up after their time, with their signal, and with the node's words", async () => {
    const { client, up, script, pass, settle } = clientWorld();
    const peer = await up();
    script.silentAt.add("GetBlock");
    const timed = expect(client.block(hashOf(1), { timeoutMs: 700 })).rejects.toThrow(code("node-timeout"));
    const controller = new AbortController();
    const aborted = expect(client.block(hashOf(1), { signal: controller.signal })).rejects.toThrow("enough");
    const refused = expect(client.block(hashOf(2))).rejects.toThrow(
      expect.objectContaining({ code: "bllvm-request-failed", message: expect.stringContaining("no such thing") }),
    );
    await settle();
    controller.abort(new Error("enough"));
    const { correlationId } = peer.request("GetBlock");
    const error = "no such thing";
    peer.say({ type: "Response", correlationId, success: false, payload: null, error });
    await pass(700);
    await Promise.all([timed, aborted, refused]);
    expect(client.state().phase).toBe("up");
    await expect(client.block(hashOf(1), { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
  });

  test("that are answered with something else fail, and what cannot be written goes back to who asked", async () => {
    const { client, up, script, settle } = clientWorld();
    const peer = await up();
    await settle();
    script.silentAt.add("PublishEvent");
    const published = expect(client.publish(SHARE)).rejects.toThrow(code("bllvm-request-failed"));
    await settle();
    const { correlationId } = peer.request("PublishEvent");
    const payload = { name: "Bool", value: { value: true } } as const;
    peer.say({ type: "Response", correlationId, success: true, payload, error: null });
    await published;
    // S3 is the only spelling here, and in it this was another request.
    expect(client.state()).toMatchObject({ phase: "up", unusable: ["PublishEvent"] });
    await expect(client.blockHeader(new Uint8Array(31))).rejects.toThrow(TypeError);
    await expect(client.blockHeader(hashOf(4))).resolves.toBeUndefined();
  });

  test("wait their turn: 1,000 at once are at most 50 in any second, and what is too many is refused", async () => {
    const { client, clock, up, pass, peers } = clientWorld();
    const peer = await up();
    await pass(5_000);
    const sentAt: number[] = [];
    const { onMessage } = peer;
    peer.onMessage = (message) => {
      if (message.type === "Request") sentAt.push(clock.monotonicMs());
      onMessage?.(message);
    };
    const settled = Promise.allSettled(
      Array.from({ length: 1_000 }, () => client.blockHeader(hashOf(1), { timeoutMs: 60_000 })),
    );
    await pass(30_000);
    const results = await settled;
    const full = results.filter((result) => result.status === "rejected" && result.reason.code === "bllvm-queue-full");
    const answered = results.filter((result) => result.status === "fulfilled");
    expect(answered.length + full.length).toBe(1_000);
    expect(answered.length).toBeGreaterThanOrEqual(256);
    const inWindow = (from: number): number => sentAt.filter((at) => at >= from && at < from + 1_000).length;
    expect(Math.max(...sentAt.map(inWindow))).toBeLessThanOrEqual(50);
    expect(peers).toHaveLength(1);
  });

  test("let a block pass all reads, and publications pass nobody", async () => {
    const { client, up, pass } = clientWorld();
    const peer = await up();
    await pass(2_000);
    const before = peer.messages.length;
    const all = [client.publish(SHARE), client.publish(SHARE)];
    for (let n = 0; n < 100; n++) all.push(client.blockHeader(hashOf(n)).then(() => undefined));
    all.push(client.queueReceivedBlock(Uint8Array.of(1, 2, 3)));
    await pass(6_000);
    await Promise.all(all);
    const order = peer.requests.slice(before);
    // The first was sent as soon as it was asked for; everything else waited for its answer.
    expect(order[0]).toBe("PublishEvent");
    expect(order.indexOf("QueueReceivedBlock")).toBe(1);
    expect(order.lastIndexOf("PublishEvent")).toBeGreaterThan(order.lastIndexOf("GetBlockHeader"));
  });

  test("that are not needed go alone: nothing is under way beside them", async () => {
    const { client, up, script, settle } = clientWorld();
    const peer = await up();
    await settle();
    script.silentAt.add("GetBlockHeader").add("PublishEvent");
    const reads = [client.blockHeader(hashOf(1)), client.blockHeader(hashOf(2))];
    const published = client.publish(SHARE);
    await settle();
    expect(peer.requests).not.toContain("PublishEvent");
    for (const message of [...peer.messages]) {
      if (message.type !== "Request" || message.request.name !== "GetBlockHeader") continue;
      const payload = payloadFor(message.request, script);
      peer.say({ type: "Response", correlationId: message.correlationId, success: true, payload, error: null });
    }
    await Promise.all(reads);
    expect(peer.requests.at(-1)).toBe("PublishEvent");
    const waiting = client.blockHeader(hashOf(3));
    await settle();
    expect(peer.requests.at(-1)).toBe("PublishEvent");
    const { correlationId } = peer.request("PublishEvent");
    const payload = { name: "EventPublished", value: {} } as const;
    script.silentAt.clear();
    peer.say({ type: "Response", correlationId, success: true, payload, error: null });
    await Promise.all([published, waiting]);
  });

  test("fail all together when the connection closes, and suspects are then asked one at a time", async () => {
    const { client, up, script, passServed, peers, settle } = clientWorld();
    const peer = await up();
    await settle();
    script.silentAt.add("GetBlock").add("GetBlockHeader");
    const asked = Promise.allSettled([client.block(hashOf(1)), client.blockHeader(hashOf(1)), client.block(hashOf(2))]);
    await settle();
    peer.close();
    expect((await asked).map((each) => (each.status === "rejected" ? each.reason.code : each.status))).toEqual(
      Array.from({ length: 3 }, () => "bllvm-request-closed"),
    );
    await passServed(1_000);
    const again = [client.block(hashOf(1)), client.blockHeader(hashOf(1))];
    for (const each of again) each.catch(() => undefined);
    await settle();
    expect(peers.at(-1)?.requests.slice(-1)).toEqual(["GetBlock"]);
    // Alone it costs the connection again: now it is known, and it rests while the innocent one is answered.
    peers.at(-1)?.close();
    script.silentAt.delete("GetBlockHeader");
    await passServed(2_000);
    await expect(client.block(hashOf(1))).rejects.toThrow(code("bllvm-request-closed"));
    expect(peers.at(-1)?.requests).not.toContain("GetBlock");
    await expect(client.blockHeader(hashOf(4))).resolves.toBeUndefined();
  });

  test("give up a node that has not said a byte while three of them waited in vain", async () => {
    const { client, up, script, pass, peers, settle } = clientWorld();
    const peer = await up();
    await settle();
    script.silentAt.add("GetBlock");
    const asked = Promise.allSettled([1, 2, 3].map((n) => client.block(hashOf(n), { timeoutMs: 1_000 })));
    await pass(1_000);
    await asked;
    expect(peer.destroyed).toBe(true);
    expect(client.state().trouble).toContain("does not answer");
    await pass(1_000);
    expect(peers).toHaveLength(2);
  });
});

describe("a request at which the node closes", () => {
  test("is not sent any more: the other requests and the events go on", async () => {
    const { client, up, script, passServed, peers, settle, log, states } = clientWorld();
    await up();
    await settle();
    script.closesAt.add("PublishEvent");
    await expect(client.publish(SHARE)).rejects.toThrow(code("bllvm-request-closed"));
    await passServed(1_000);
    expect(client.state()).toMatchObject({ phase: "up", unusable: MORE });
    expect(states.some(({ unusable }) => unusable.includes("PublishEvent"))).toBe(true);
    for (let i = 0; i < 10; i++) await expect(client.publish(SHARE)).rejects.toThrow(code("bllvm-request-unusable"));
    await passServed(60_000);
    expect(peers).toHaveLength(2);
    await expect(client.chainInfo()).resolves.toMatchObject({ height: 100 });
    expect(log.lines.filter(({ message }) => message.includes("PublishEvent"))).toHaveLength(1);
  });

  test("is spelled once as another likely version spells it, and answers are read as that version writes them", async () => {
    const { client, up, script, passServed, peers, settle } = clientWorld();
    // What calls itself 0.1.0 speaks S1 or S2; this one speaks S2.
    script.nodeVersion = "0.1.0";
    script.schema = "s2";
    await up();
    await settle();
    expect(client.state().schema).toBe("s1");
    // In S2 the index of S1's PublishEvent is another request, which cannot be read from these bytes: the node closes.
    await expect(client.publish(SHARE)).rejects.toThrow(code("bllvm-request-closed"));
    await passServed(1_000);
    await expect(client.publish(SHARE)).resolves.toBeUndefined();
    expect(peers).toHaveLength(2);
    expect(peers.at(-1)?.request("PublishEvent").request.value).toMatchObject({ eventType: "ShareSubmitted" });
    expect(client.state().unusable).not.toContain("PublishEvent");
  });

  test("is innocent when the node went away with it", async () => {
    const { client, up, script, pass, passServed, peers, settle } = clientWorld();
    const peer = await up();
    await settle();
    script.silentAt.add("PublishEvent");
    const published = expect(client.publish(SHARE)).rejects.toThrow(code("bllvm-request-closed"));
    await settle();
    peer.close();
    await published;
    await pass(700);
    expect(peers).toHaveLength(2);
    peers.at(-1)?.close("ECONNREFUSED");
    script.silentAt.clear();
    await passServed(3_000);
    await expect(client.publish(SHARE)).resolves.toBeUndefined();
    expect(client.state().unusable).toEqual([]);
  });

  test("endangers the events three times at most, whatever is not allowed", async () => {
    const { client, up, script, passServed, peers, settle } = clientWorld();
    await up();
    await settle();
    for (const name of ["PublishEvent", "GetNetworkStats", "GetSyncStatus", "RegisterModuleApi", "RegisterCliSpec"]) {
      script.closesAt.add(name);
    }
    client.serve({
      methods: ["get_pool_stats"],
      apiVersion: 1,
      cli: { name: "stratum-v2", about: "a pool", subcommands: [] },
      handler: async () => ({ type: "error", error: "no" }),
    });
    for (let i = 0; i < 60; i++) {
      client.publish(SHARE).catch(() => undefined);
      client.peerCount().catch(() => undefined);
      client.syncStatus().catch(() => undefined);
      await passServed(1_000);
    }
    expect(peers).toHaveLength(4);
    expect(client.state().phase).toBe("up");
    expect(client.state().unusable).toEqual([
      "GetSyncStatus",
      "GetNetworkStats",
      "RegisterCliSpec",
      "RegisterModuleApi",
      "PublishEvent",
    ]);
    await expect(client.queueReceivedBlock(Uint8Array.of(1))).resolves.toBeUndefined();
  });

  test("is asked again, ever more rarely, when it is the tip of a node that has none yet", async () => {
    const { client, script, start, passServed, peers } = clientWorld();
    const tips: number[] = [];
    client.on("ChainTipUpdated", ({ height }) => tips.push(height));
    script.closesAt.add("GetChainTip").add("GetChainInfo");
    await start();
    await passServed(120_000);
    // At 0, 10, 20, 40, 80 s about, for a rest ends between two looks.
    expect(peers.length).toBeGreaterThanOrEqual(4);
    expect(peers.length).toBeLessThanOrEqual(7);
    expect(client.state().phase).toBe("up");
    script.closesAt.clear();
    await passServed(400_000);
    expect(tips).toEqual([100]);
    expect(client.state().unusable).toEqual([]);
  });

  test("has another chance with another node", async () => {
    const { client, up, script, passServed, peers, settle } = clientWorld();
    await up();
    await settle();
    script.closesAt.add("PublishEvent");
    await expect(client.publish(SHARE)).rejects.toThrow(code("bllvm-request-closed"));
    await passServed(1_000);
    expect(client.state().unusable).toEqual(MORE);
    script.closesAt.clear();
    script.nodeVersion = "0.1.53";
    peers.at(-1)?.close();
    await passServed(3_000);
    expect(client.state()).toMatchObject({ phase: "up", unusable: [], nodeVersion: "0.1.53" });
    await expect(client.publish(SHARE)).resolves.toBeUndefined();
  });

  test("is the subscription of a node that is older than was thought: the next version is tried", async () => {
    const { client, script, start, passServed, peers } = clientWorld({ family: "legacy" });
    // An N0 node cannot read the types of the events that N2 and N1 have beyond its own four.
    script.schema = "n0";
    script.nodeVersion = "0.1.0";
    await start();
    await passServed(5_000);
    expect(client.state()).toMatchObject({ phase: "up", schema: "n0" });
    expect(peers).toHaveLength(3);
    await passServed(60_000);
    expect(peers).toHaveLength(3);
  });
});
