/** A farm behind one QUIC connection: two hundred miners, each with its own SV2 connection, against the whole server. */
import { describe, expect, test } from "vitest";
import { MockChannel } from "../support/mock-channel.ts";
import { MockMiner } from "../support/mock-miner.ts";
import { connectQuic, QuicDuplex } from "../support/quic-duplex.ts";
import { later } from "../support/quic-world.ts";
import { startServer } from "../support/server.ts";
import { hostAndPort, QUIC, type TestTransport } from "../support/transports.ts";
import { until } from "../support/until.ts";

const MINERS = 200;

describe("two hundred miners on one QUIC connection", () => {
  test("each have their channel, their jobs and their shares, and one that leaves takes nobody along", async () => {
    const pool = await startServer({ transport: QUIC });
    const { host, port } = hostAndPort(pool.address);
    const connection = await connectQuic(host, port);
    later(() => connection.close(0));
    const shared: TestTransport = { ...QUIC, reach: async () => QuicDuplex.of(connection) };
    const channels = await Promise.all(
      Array.from({ length: MINERS }, async () => {
        const miner = await MockMiner.connect(pool.address, { noise: pool.initiator(), transport: shared });
        await miner.setup({ flags: 0 });
        return await MockChannel.extended(miner);
      }),
    );
    expect(pool.server.connections).toBe(MINERS);
    expect(connection.streamCount).toBe(MINERS);
    for (const channel of channels) channel.submit(channel.find());
    await until("all shares are credited", () => pool.credits.length === MINERS);
    channels[0]?.miner.destroy();
    await until("it is gone", () => pool.server.connections === MINERS - 1);
    pool.source.newBlock();
    for (const channel of channels.slice(1)) {
      channel.job = { kind: "extended", fields: await channel.miner.expect("NewExtendedMiningJob") };
      channel.prevHash = await channel.miner.expect("SetNewPrevHash");
      channel.submit(channel.find());
    }
    await until("all shares are credited", () => pool.credits.length === 2 * MINERS - 1);
    expect(pool.meter.byLabel("connections_dropped_total")).toEqual({});
  });
});
