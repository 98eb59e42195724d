/** SetupConnection over real sockets: SRI's pool_reject_setup_connection_* and what surrounds them. */
import { describe, expect, test } from "vitest";
import { encodeFrameHeader } from "../../src/sv2/frame.ts";
import { MockMiner, SETUP_CONNECTION } from "../support/mock-miner.ts";
import { serverOver, startServer } from "../support/server.ts";
import { replaceBy, sniff } from "../support/sniffer.ts";
import { PLAIN_TRANSPORTS, TRANSPORTS } from "../support/transports.ts";

test("SetupConnection on plain frames, as tests of other parts have them, is accepted", async () => {
  const { connect, server } = await startServer({ noise: false });
  const client = await connect();
  expect(await client.setup()).toEqual({ usedVersion: 2, flags: 0 });
  expect(server.connections).toBe(1);
});

describe.each([...TRANSPORTS, ...PLAIN_TRANSPORTS])("SetupConnection over $name", (transport) => {
  const startServer = serverOver(transport);

  test("a mining client of version 2 is accepted", async () => {
    const { connect, server } = await startServer();
    const client = await connect();
    expect(await client.setup()).toEqual({ usedVersion: 2, flags: 0 });
    expect(server.connections).toBe(1);
  });

  test("pool_reject_setup_connection_with_non_mining_protocol", async () => {
    const pool = await startServer();
    const sniffer = await sniff(pool, {
      direction: "toUpstream",
      name: "SetupConnection",
      action: replaceBy("SetupConnection", { ...SETUP_CONNECTION, protocol: 2, endpointPort: 1212 }),
    });
    const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
    client.send("SetupConnection", SETUP_CONNECTION);
    await sniffer.waitFor("toUpstream", "SetupConnection");
    const error = await sniffer.waitFor("toDownstream", "SetupConnectionError");
    expect(error).toEqual({ flags: 0, errorCode: "unsupported-protocol" });
    expect(await client.closed).toBeUndefined();
  });

  test("pool_reject_setup_connection_with_unsupported_version", async () => {
    const { connect, meter } = await startServer();
    for (const [minVersion, maxVersion] of [
      [3, 3],
      [0, 1],
    ] as const) {
      const client = await connect();
      client.send("SetupConnection", { ...SETUP_CONNECTION, minVersion, maxVersion });
      const error = await client.expect("SetupConnectionError");
      expect(error).toEqual({ flags: 0, errorCode: "protocol-version-mismatch" });
      expect(await client.closed).toBeUndefined();
    }
    expect(meter.byLabel("connections_dropped_total")).toEqual({ "setup-refused": 2 });
  });

  test("flags that do not exist are refused, and named", async () => {
    const { connect } = await startServer();
    const client = await connect();
    client.send("SetupConnection", { ...SETUP_CONNECTION, flags: 0b11001 });
    const error = await client.expect("SetupConnectionError");
    expect(error).toEqual({ flags: 0b11000, errorCode: "unsupported-feature-flags" });
    expect(await client.closed).toBeUndefined();
  });

  test("a client that selects its own work is told to open extended channels", async () => {
    const { connect } = await startServer();
    expect(await (await connect()).setup({ flags: 0b110 })).toEqual({ usedVersion: 2, flags: 0b10 });
  });

  test("nothing comes before it and nothing like it after", async () => {
    const { connect, miner, meter } = await startServer();
    const early = await connect();
    early.send("CloseChannel", { channelId: 1, reasonCode: "" });
    await early.closed;
    const twice = await miner();
    twice.send("SetupConnection", SETUP_CONNECTION);
    await twice.closed;
    expect(meter.byLabel("connections_dropped_total")).toEqual({ "setup-expected": 1, "setup-repeated": 1 });
  });

  test("frames of unknown extensions are ignored, channel bit or not", async () => {
    const { miner } = await startServer();
    const client = await miner();
    for (const channel of [false, true]) {
      client.sendFrame(
        Uint8Array.from([
          ...encodeFrameHeader({ extensionType: 0x4a11, channel, msgType: 1, length: 4 }),
          ...[1, 0, 0, 0],
        ]),
      );
    }
    await client.openStandard();
  });

  test("an unknown core message and a server's message cost the connection", async () => {
    const { miner, meter } = await startServer();
    const strange = await miner();
    strange.sendFrame(encodeFrameHeader({ extensionType: 0, channel: false, msgType: 0x7e, length: 0 }));
    await strange.closed;
    const server = await miner();
    server.send("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    await server.closed;
    expect(meter.byLabel("connections_dropped_total")).toEqual({ "message-unknown": 1, "message-direction": 1 });
  });
});
