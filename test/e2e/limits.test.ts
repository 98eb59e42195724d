/** Every limit at its bound, through real sockets: the last one allowed is served, the first one beyond is not. */
import { describe, expect, test } from "vitest";
import { concat } from "../../src/kernel/bytes.ts";
import { encodeFrameHeader } from "../../src/sv2/frame.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { EASIEST_TARGET, MockMiner } from "../support/mock-miner.ts";
import { serverOver } from "../support/server.ts";
import { TCP, TRANSPORTS } from "../support/transports.ts";
import { pause, until } from "../support/until.ts";

describe.each(TRANSPORTS)("connections in all over $name", (transport) => {
  const startServer = serverOver(transport);

  test("the last place is served, the next is closed at the door, and a place given back serves again", async () => {
    const { miner, turnedAway, meter, server } = await startServer({ limits: { connections: 3 } });
    const inside = [await miner(), await miner(), await miner()];
    await turnedAway();
    expect(meter.byLabel("connections_refused_total")).toEqual({ total: 1 });
    for (const client of inside) await client.openStandard();
    inside[0]?.destroy();
    await until("the place is free", () => server.connections === 2);
    await (await miner()).openStandard();
  });
});

describe.each(TRANSPORTS)("connections of one address over $name", (transport) => {
  const startServer = serverOver(transport);

  test("loopback has no limit of its own, unless it is given one", async () => {
    const many = await startServer({ limits: { connectionsPerAddress: 1 } });
    for (let i = 0; i < 5; i++) await many.miner();
    const few = await startServer({ limits: { networks: [{ network: "127.0.0.0/8", maxConnections: 2 }] } });
    for (let i = 0; i < 2; i++) await few.miner();
    await few.turnedAway();
    expect(few.meter.byLabel("connections_refused_total")).toEqual({ address: 1 });
  });
});

describe.each(TRANSPORTS)("handshakes per second over $name", (transport) => {
  const startServer = serverOver(transport);

  test("more than the rate have to wait, and nobody is refused", async () => {
    const { connect, meter } = await startServer({ limits: { handshakesPerSecond: 20 } });
    const began = performance.now();
    const clients = await Promise.all(Array.from({ length: 21 }, () => connect()));
    const elapsedMs = performance.now() - began;
    // One may begin at once, twenty follow at 50 ms each; where TLS is outside it has turns of its own.
    expect(elapsedMs).toBeGreaterThan(900);
    expect(elapsedMs).toBeLessThan(5000);
    expect(meter.total("handshakes_total")).toBe(21);
    for (const client of clients) await client.setup();
  });
});

describe("handshakes per second over TCP", () => {
  const startServer = serverOver(TCP);

  test("peers that connect and say nothing use up none of it", async () => {
    const { connect, address } = await startServer({ limits: { handshakesPerSecond: 1 } });
    const silent = await Promise.all(Array.from({ length: 50 }, () => MockMiner.reach(address)));
    for (const peer of silent) peer.sendRaw(new Uint8Array(63));
    const began = performance.now();
    await connect();
    expect(performance.now() - began).toBeLessThan(900);
    for (const peer of silent) peer.destroy();
  });
});

describe.each(TRANSPORTS)("frame size over $name", (transport) => {
  const startServer = serverOver(transport);

  test("a frame of the limit is read, one byte more costs the connection", async () => {
    const { miner, meter } = await startServer({ limits: { frameBytes: 2000 } });
    const frame = (length: number): Uint8Array =>
      concat(encodeFrameHeader({ extensionType: 0x4000, channel: false, msgType: 0, length }), new Uint8Array(length));
    const client = await miner();
    client.sendFrame(frame(2000));
    await client.openStandard();
    client.sendFrame(frame(2001));
    await client.closed;
    expect(meter.byLabel("connections_dropped_total")).toEqual({ "frame-too-large": 1 });
  });
});

describe.each(TRANSPORTS)("channels of one connection over $name", (transport) => {
  const startServer = serverOver(transport);

  test("the last one is opened, the next refused, and the connection goes on", async () => {
    const { miner } = await startServer({ mining: { maxChannels: 3, ackBatchSize: 1 } });
    const client = await miner();
    const channels = [];
    for (let i = 0; i < 3; i++) channels.push(await MockChannel.standard(client));
    client.send("OpenStandardMiningChannel", {
      requestId: 44,
      userIdentity: "one too many",
      nominalHashRate: 1,
      maxTarget: EASIEST_TARGET,
    });
    expect(await client.expect("OpenMiningChannelError")).toMatchObject({ requestId: 44 });
    for (const channel of channels) {
      channel.submit(channel.find());
      await client.expect("SubmitSharesSuccess");
    }
    const other = await miner();
    await other.openStandard();
  });
});

describe.each(TRANSPORTS)("silence over $name", (transport) => {
  const startServer = serverOver(transport);

  test("an idle connection is closed after its time, one that speaks now and then is not", async () => {
    const { miner, meter, server } = await startServer({ limits: { idleTimeoutMs: 1500 } });
    const silent = await miner();
    const alive = await miner();
    const { channelId } = await alive.openStandard();
    const began = performance.now();
    for (let i = 0; i < 10; i++) {
      await pause(400);
      alive.send("UpdateChannel", { channelId, nominalHashRate: 1, maximumTarget: EASIEST_TARGET });
    }
    await silent.closed;
    expect(performance.now() - began).toBeGreaterThan(1500);
    expect(server.connections).toBe(1);
    expect(meter.byLabel("connections_dropped_total")).toEqual({ "idle-timeout": 1 });
  });
});

describe.each(TRANSPORTS)("messages per second over $name", (transport) => {
  const startServer = serverOver(transport);

  test("a proxy that comes back with kept shares has all of them judged; after that it has to wait", async () => {
    const { miner, credits } = await startServer({ limits: { messagesPerSecond: 100 }, mining: { ackBatchSize: 1 } });
    const channel = await MockChannel.extended(await miner());
    const shares = Array.from({ length: 451 }, () => channel.find());
    const began = performance.now();
    for (const share of shares.slice(1)) channel.submit(share);
    await until("the kept shares are credited", () => credits.length === 450, 20_000);
    channel.submit(shares[0] ?? expect.unreachable());
    await until("the next share is credited", () => credits.length === 451, 20_000);
    // 200 frames may come at once; 250 more are 2.5 s at 100 a second, however the kernel cut them into reads.
    expect(performance.now() - began).toBeGreaterThan(2000);
  });
});

describe.each(TRANSPORTS)("bytes that wait for a peer over $name", (transport) => {
  const startServer = serverOver(transport);

  test("many channels of one connection get their jobs though all of them together exceed the limit", async () => {
    const channels = 300;
    const { miner, source, meter } = await startServer({ limits: { bufferBytes: 16_384, messagesPerSecond: 2000 } });
    const client = await miner(0b001);
    for (let i = 0; i < channels; i++) {
      client.send("OpenStandardMiningChannel", {
        requestId: i,
        userIdentity: "proxy",
        nominalHashRate: 1,
        maxTarget: EASIEST_TARGET,
      });
    }
    for (let i = 0; i < channels; i++) await client.next("SetNewPrevHash");
    source.newBlock();
    for (let i = 0; i < channels; i++) await client.next("SetNewPrevHash");
    expect(meter.byLabel("connections_dropped_total")).toEqual({});
  });
});
