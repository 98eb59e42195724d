/** Extensions 0x0001 and 0x0002 over real sockets: SRI's test_extension_negotiation_with_tlv_in_submit_shares and more. */
import { describe, expect, test } from "vitest";
import { concat, utf8 } from "../../src/kernel/bytes.ts";
import { encodeUserIdentity } from "../../src/sv2/tlv.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { MockMiner } from "../support/mock-miner.ts";
import { startServer } from "../support/server.ts";
import { sniff } from "../support/sniffer.ts";

/** The TLV as the spec's worked example has it: big-endian (sv2-spec 03 §3.4.3). */
function bigEndianIdentity(name: string): Uint8Array {
  const value = utf8(name);
  return concat(Uint8Array.of(0x00, 0x02, 0x01, 0x00, value.length), value);
}

describe("extension negotiation", () => {
  test("test_extension_negotiation_with_tlv_in_submit_shares", async () => {
    const pool = await startServer({ mining: { ackBatchSize: 1 } });
    const sniffer = await sniff(pool);
    const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
    await client.setup({ flags: 0b100, vendor: "SRI" });
    client.send("RequestExtensions", { requestId: 1, requestedExtensions: [2] });
    await client.expect("RequestExtensionsSuccess");
    const asked = await sniffer.waitFor("toUpstream", "RequestExtensions");
    expect(asked).toEqual({ requestId: 1, requestedExtensions: [2] });
    const answered = await sniffer.waitFor("toDownstream", "RequestExtensionsSuccess");
    expect(answered).toEqual({ requestId: 1, supportedExtensions: [2] });

    const channel = await MockChannel.extended(client, { userIdentity: "user_identity.miner1" });
    channel.submit(channel.find(), encodeUserIdentity("SRI-miner"));
    await client.expect("SubmitSharesSuccess");
    const passed = sniffer.messages("toUpstream").find(({ name }) => name === "SubmitSharesExtended");
    expect([...(passed?.tlv ?? [])].slice(0, 5)).toEqual([2, 0, 1, 9, 0]);
    expect(pool.credits.map(({ userIdentity }) => userIdentity)).toEqual(["user_identity.SRI-miner"]);
    expect(pool.shares).toMatchObject([{ userIdentity: "user_identity.SRI-miner", channelId: channel.channelId }]);
  });

  test("shares are attributed to the worker that they name, whichever way the TLV is written", async () => {
    const { miner, credits } = await startServer({ mining: { ackBatchSize: 1 } });
    const client = await miner();
    client.send("RequestExtensions", { requestId: 9, requestedExtensions: [2, 3] });
    expect(await client.expect("RequestExtensionsSuccess")).toEqual({ requestId: 9, supportedExtensions: [2] });
    const channel = await MockChannel.extended(client, { userIdentity: "farm" });
    for (const tlv of [encodeUserIdentity("rig-1"), bigEndianIdentity("rig-2"), undefined]) {
      channel.submit(channel.find(), tlv);
      await client.expect("SubmitSharesSuccess");
    }
    expect(credits.map(({ userIdentity }) => userIdentity)).toEqual(["farm.rig-1", "farm.rig-2", "farm"]);
  });

  test("without negotiation a TLV is ignored, and the share counts", async () => {
    const { miner, credits } = await startServer({ mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.extended(await miner(), { userIdentity: "farm" });
    channel.submit(channel.find(), encodeUserIdentity("rig-1"));
    await channel.miner.expect("SubmitSharesSuccess");
    expect(credits.map(({ userIdentity }) => userIdentity)).toEqual(["farm"]);
  });

  test("a TLV of an extension that was not negotiated is ignored beside one that was", async () => {
    const { miner, credits } = await startServer({ mining: { ackBatchSize: 1 } });
    const client = await miner();
    client.send("RequestExtensions", { requestId: 9, requestedExtensions: [2] });
    await client.expect("RequestExtensionsSuccess");
    const channel = await MockChannel.extended(client);
    const strange = Uint8Array.of(0x03, 0x40, 0x01, 0x02, 0x00, 0xaa, 0xbb);
    channel.submit(channel.find(), concat(encodeUserIdentity("rig"), strange));
    await client.expect("SubmitSharesSuccess");
    expect(credits.map(({ userIdentity }) => userIdentity)).toEqual(["mock.rig"]);
  });

  test("nothing supported: an Error, and mining goes on without", async () => {
    const { miner } = await startServer();
    const client = await miner();
    client.send("RequestExtensions", { requestId: 0xffff, requestedExtensions: [5, 7] });
    expect(await client.expect("RequestExtensionsError")).toEqual({
      requestId: 0xffff,
      unsupportedExtensions: [5, 7],
      requiredExtensions: [],
    });
    await client.openExtended();
  });

  describe("with 0x0002 required", () => {
    const options = { requiredExtensions: [2], limits: { handshakeTimeoutMs: 500 } };

    test("a client that learns of it and retries is welcome, and stays", async () => {
      const { miner } = await startServer(options);
      const client = await miner();
      client.send("RequestExtensions", { requestId: 1, requestedExtensions: [] });
      const error = await client.expect("RequestExtensionsError");
      expect(error).toEqual({ requestId: 1, unsupportedExtensions: [], requiredExtensions: [2] });
      client.send("RequestExtensions", { requestId: 2, requestedExtensions: [2] });
      await client.expect("RequestExtensionsSuccess");
      await client.quiet(2000);
      await client.openExtended();
    });

    test.each([
      ["retries without it", "extension-required"],
      ["mines without it", "extension-required"],
      ["does nothing", "handshake-timeout"],
    ] as const)("a client that %s is disconnected", async (what, code) => {
      const { miner, meter } = await startServer(options);
      const client = await miner();
      if (what !== "does nothing") {
        client.send("RequestExtensions", { requestId: 1, requestedExtensions: [3] });
        await client.expect("RequestExtensionsError");
      }
      if (what === "retries without it") {
        client.send("RequestExtensions", { requestId: 2, requestedExtensions: [3] });
        await client.expect("RequestExtensionsError");
      }
      if (what === "mines without it") client.send("CloseChannel", { channelId: 2, reasonCode: "" });
      await client.closed;
      expect(meter.byLabel("connections_dropped_total")).toEqual({ [code]: 1 });
    });
  });
});
