/** The beginning of a connection, byte for byte where the node's own frames say so. */
import { describe, expect, test } from "vitest";
import { toHex } from "../../../../../src/kernel/bytes.ts";
import { clientWorld, golden, hashOf } from "../../../../support/bllvm-client.ts";

const hex = (bytes: Uint8Array | undefined) => toHex(bytes ?? new Uint8Array(0));

describe("the beginning of a connection", () => {
  test("sends the golden handshake as the first frame in the moment in which the socket opens", async () => {
    const { start, last } = clientWorld();
    await start();
    expect(last().path).toBe("/run/node.sock");
    expect(last().writes).toEqual([]);
    last().open();
    expect(last().writes.map(hex)).toEqual([hex(golden("head.req.handshake"))]);
  });

  test("subscribes once with the whole list, reads the tip, and tells it once", async () => {
    const { client, start, last, settle, phases } = clientWorld();
    const tips: unknown[] = [];
    client.on("ChainTipUpdated", (tip) => tips.push(tip));
    await start();
    const peer = last();
    peer.open();
    peer.send(golden("head.resp.handshake_ack"));
    expect(peer.request("SubscribeEvents").request.value).toEqual({
      eventTypes: [
        "NewBlock",
        "BlockDisconnected",
        "ChainReorg",
        "BlockMined",
        "BlockTemplateUpdated",
        "MiningDifficultyChanged",
        "NodeShutdown",
        "DataMaintenance",
      ],
    });
    expect(client.state().phase).toBe("connecting");
    peer.send(golden("head.resp.subscribe_ack"));
    await settle();
    expect(client.state()).toMatchObject({ phase: "up", nodeVersion: "0.1.54", schema: "s3", trouble: undefined });
    expect(hex(peer.writes.at(-1))).toBe(hex(golden("head.req.get_chain_tip")));
    peer.send(golden("head.resp.hash"));
    await settle();
    const { correlationId } = peer.request("GetChainInfo");
    const hash = Uint8Array.from({ length: 32 }, (_, i) => i);
    const chainInfo = { tipHash: hash, height: 840_000n, difficulty: 0x17034219, chainWork: 7n, isSynced: true };
    const payload = { name: "ChainInfo", value: { chainInfo } } as const;
    peer.say({ type: "Response", correlationId, success: true, payload, error: null });
    await settle();
    // The same tip by an event, as if its block had come just then: no news.
    peer.send(golden("head.event.new_block"));
    expect(tips).toEqual([{ blockHash: hash, height: 840_000 }]);
    expect(peer.requests.filter((name) => name === "SubscribeEvents")).toHaveLength(1);
    expect(phases()).toEqual(["connecting", "up"]);
  });

  test("asks an N0 node for the events that it has, and for tip and height", async () => {
    const { client, script, up, settle } = clientWorld({ wire: "n0", family: "legacy" });
    script.schema = "n0";
    script.nodeVersion = "0.1.0";
    const tips: unknown[] = [];
    client.on("ChainTipUpdated", (tip) => tips.push(tip));
    const peer = await up();
    await settle();
    expect(peer.request("SubscribeEvents").request.value).toEqual({
      eventTypes: ["NewBlock", "BlockDisconnected", "ChainReorg"],
    });
    expect(peer.requests).toEqual(["Handshake", "SubscribeEvents", "GetChainTip", "GetChainTip", "GetBlockHeight"]);
    expect(tips).toEqual([{ blockHash: hashOf(1), height: 100 }]);
    expect(client.state().unusable).toContain("PublishEvent");
    await expect(
      client.publish({ name: "MiningPoolDisconnected", event: { poolUrl: "p", reason: "r" } }),
    ).rejects.toThrow(expect.objectContaining({ code: "bllvm-request-unusable" }));
    // A line in N0's log would be a message that it cannot read, which costs the connection.
    const before = peer.messages.length;
    client.log("info", "hello", "pool");
    expect(peer.messages).toHaveLength(before);
  });

  test("refuses requests as long as nobody serves them", async () => {
    const { client, start } = clientWorld();
    await expect(client.chainInfo()).rejects.toThrow(expect.objectContaining({ code: "bllvm-away" }));
    await start();
    await expect(client.chainInfo()).rejects.toThrow(expect.objectContaining({ code: "bllvm-away" }));
  });
});
