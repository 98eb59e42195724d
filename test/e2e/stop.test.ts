/** The graceful stop: every share that a miner sent counts, every acknowledgement is sent, every block is handed on. */
import { describe, expect, test } from "vitest";
import { EASY_BITS, makeTemplate } from "../support/fake-chain.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { serverOver } from "../support/server.ts";
import { QUIC, TRANSPORTS } from "../support/transports.ts";
import { pause, until } from "../support/until.ts";

describe.each(TRANSPORTS)("stopping over $name", (transport) => {
  const startServer = serverOver(transport);

  test("shares that wait in a batch are acknowledged before the goodbye", async () => {
    const { miner, stop, credits } = await startServer({ mining: { ackBatchSize: 1000, ackMaxDelayMs: 60_000 } });
    const channel = await MockChannel.extended(await miner());
    for (let i = 0; i < 7; i++) channel.submit(channel.find());
    await until("all are credited", () => credits.length === 7);
    const stopped = stop();
    const success = await channel.miner.expect("SubmitSharesSuccess");
    expect(success).toMatchObject({ lastSequenceNumber: 6, newSubmitsAcceptedCount: 7 });
    expect(await channel.miner.closed).toBeUndefined();
    await stopped;
  });

  test("shares sent in the same moment, and until the miner hears of it, are all credited", async () => {
    const { miner, stop, credits } = await startServer({ mining: { ackBatchSize: 10 } });
    const channels = await Promise.all(Array.from({ length: 4 }, async () => MockChannel.extended(await miner())));
    let sent = 0;
    let acknowledged = 0;
    const miners = channels.map(async (channel) => {
      let open = true;
      void channel.miner.closed.then(() => {
        open = false;
      });
      const reading = (async () => {
        for (;;) {
          const { newSubmitsAcceptedCount } = await channel.miner.next("SubmitSharesSuccess");
          acknowledged += newSubmitsAcceptedCount;
        }
      })().catch(() => undefined);
      while (open) {
        channel.submit(channel.find());
        sent += 1;
        await pause(2);
      }
      await reading;
    });
    await pause(300);
    const before = sent;
    await stop();
    await Promise.all(miners);
    expect(sent).toBeGreaterThan(before);
    // A mock miner learns of the close one turn late; what it wrote in that turn never left its machine.
    expect(credits.length).toBeGreaterThanOrEqual(sent - channels.length);
    expect(acknowledged).toBeGreaterThanOrEqual(before);
    expect(acknowledged).toBeLessThanOrEqual(credits.length);
  });

  test("a share that arrives after our goodbye still counts, and so does its block", async () => {
    const template = makeTemplate({ height: 500, prevHash: new Uint8Array(32).fill(7), nBits: EASY_BITS });
    const { connect, stop, credits, sink } = await startServer({
      template,
      times: { stopGraceMs: 50, stopDrainMs: 3000 },
    });
    const client = await connect();
    client.stayAfterGoodbye();
    await client.setup();
    const channel = await MockChannel.extended(client);
    const share = channel.find();
    const stopped = stop();
    await pause(400);
    expect(credits).toHaveLength(0);
    channel.submit(share);
    client.end();
    await stopped;
    expect(credits).toHaveLength(1);
    expect(sink.blocks).toHaveLength(1);
  });

  test("waits until found blocks were submitted", async () => {
    const { stop, sink, server } = await startServer();
    let release: () => void = () => undefined;
    sink.released = new Promise((resolve) => {
      release = resolve;
    });
    let stopped = false;
    const stopping = stop().then(() => {
      stopped = true;
    });
    await pause(300);
    expect(stopped).toBe(false);
    release();
    await stopping;
    expect(server.connections).toBe(0);
  });

  test("but not for ever", async () => {
    const { stop, sink } = await startServer({ times: { stopBlocksMs: 300 } });
    sink.released = new Promise(() => undefined);
    const began = performance.now();
    await stop();
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test("a miner that does not go is made to, and one in the middle of its handshake is not waited for", async () => {
    const { connect, reach, stop, server } = await startServer({ times: { stopDrainMs: 400 } });
    const stubborn = await connect();
    stubborn.stayAfterGoodbye();
    await stubborn.setup();
    const half = await reach();
    const began = performance.now();
    await stop();
    expect(performance.now() - began).toBeLessThan(3000);
    expect(server.connections).toBe(0);
    await half.closed;
    stubborn.destroy();
  });

  test("nobody new is let in, and no new job is sent", async () => {
    const { miner, reach, stop, source } = await startServer({ times: { stopGraceMs: 400 } });
    const channel = await MockChannel.extended(await miner());
    const stopped = stop();
    await pause(50);
    source.newBlock();
    await expect(reach()).rejects.toThrow(transport === QUIC ? "no QUIC handshake" : "ECONNREFUSED");
    await stopped;
    await channel.miner.closed;
    expect(channel.miner.inbox.unread.map(({ name }) => name)).not.toContain("SetNewPrevHash");
  });

  test("stopping an idle server takes no time", async () => {
    const { stop } = await startServer();
    const began = performance.now();
    await stop();
    expect(performance.now() - began).toBeLessThan(500);
  });
});
