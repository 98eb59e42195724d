/** QUIC over bad networks: a proxy on loopback loses, delays, swaps and doubles datagrams, and moves the client to other ports. */
import { describe, expect, test } from "vitest";
import { at, dialer, hear, hears, later, quicWorld } from "../support/quic-world.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type Badness, udpProxy } from "../support/udp-proxy.ts";
import { pause, until } from "../support/until.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const NETWORKS: readonly (readonly [string, Badness])[] = [
  ["5 % lost", { lost: 0.05 }],
  ["20 % lost", { lost: 0.2 }],
  ["half of all overtaken", { late: 0.5, delayMs: 20 }],
  ["every second one doubled", { doubled: 0.5 }],
  ["all of it at once", { lost: 0.05, doubled: 0.1, late: 0.3, delayMs: 20 }],
];

describe("bytes arrive whole and in order", () => {
  test.each(NETWORKS)(
    "with %s",
    async (_name, badness) => {
      const world = await quicWorld({ echo: true });
      const proxy = await udpProxy(seededRandom(6), world.port, badness);
      later(() => proxy.close());
      const dial = dialer();
      const all = await Promise.all(Array.from({ length: 10 }, () => hear(dial, at(proxy.port))));
      const random = seededRandom(7);
      const sent = all.map(() => [] as Uint8Array[]);
      for (let round = 0; round < 20; round++) {
        for (const [i, { link }] of all.entries()) {
          const piece = random.bytes(200);
          sent[i]?.push(piece);
          link.write(piece);
        }
        await pause(2);
      }
      for (const [i, { chunks, closes }] of all.entries()) {
        const expected = Buffer.concat(sent[i] ?? []);
        await until(`stream ${i} has all`, () => Buffer.concat(chunks).length >= expected.length, 20_000);
        expect(Buffer.concat(chunks).equals(expected)).toBe(true);
        expect(closes).toEqual([]);
      }
      if (badness.lost !== undefined) expect(proxy.seen.lost).toBeGreaterThan(0);
      expect(world.transport.connections).toBe(1);
    },
    60_000,
  );
});

describe("a client whose address changes", () => {
  test("keeps its connection and all its streams, seven times; the server sees where it is", async () => {
    const world = await quicWorld({ echo: true });
    const proxy = await udpProxy(seededRandom(8), world.port);
    later(() => proxy.close());
    const dial = dialer();
    const all = await Promise.all(Array.from({ length: 3 }, () => hear(dial, at(proxy.port))));
    const ports = new Set<number>();
    for (let move = 0; move < 8; move++) {
      if (move > 0) await proxy.rebind();
      for (const [i, heard] of all.entries()) {
        heard.link.write(bytes(`move ${move} of ${i};`));
        await hears(heard, `move ${move} of ${i};`);
      }
      ports.add(world.streams[0]?.stream.remotePort ?? 0);
    }
    expect(ports.size).toBe(8);
    expect(world.transport.connections).toBe(1);
    expect(all.every(({ closes }) => closes.length === 0)).toBe(true);
    // The next one is not followed; the client is told so, and may dial again at once.
    await proxy.rebind();
    const startMs = performance.now();
    const lost = setInterval(() => all[0]?.link.write(bytes("anybody there?")), 100);
    later(() => clearInterval(lost));
    await until("the client knows", () => all.every(({ closes }) => closes.length === 1), 10_000);
    expect(performance.now() - startMs).toBeLessThan(6000);
    const again = await hear(dial, at(proxy.port));
    again.link.write(bytes("again"));
    await hears(again, "again");
  });

  test("is followed by jobs too: the server speaks first after the client showed that it moved", async () => {
    const world = await quicWorld({ echo: true });
    const proxy = await udpProxy(seededRandom(9), world.port);
    later(() => proxy.close());
    const heard = await hear(dialer({ keepAliveMs: 100 }), at(proxy.port));
    heard.link.write(bytes("before"));
    await hears(heard, "before");
    await proxy.rebind();
    // A keep-alive packet is enough to show it.
    await pause(300);
    world.streams[0]?.stream.write(bytes("a job"));
    await hears(heard, "a job");
  });

  test("is not followed when somebody else sends a copy of its packets from elsewhere", async () => {
    const world = await quicWorld({ echo: true });
    const proxy = await udpProxy(seededRandom(10), world.port);
    later(() => proxy.close());
    const heard = await hear(dialer(), at(proxy.port));
    heard.link.write(bytes("before"));
    await hears(heard, "before");
    const port = world.streams[0]?.stream.remotePort;
    const stranger = await proxy.replayFromElsewhere();
    heard.link.write(bytes("after"));
    await hears(heard, "after");
    await pause(50);
    expect(stranger).toBeGreaterThan(0);
    heard.link.write(bytes("later"));
    await hears(heard, "later");
    expect(world.streams[0]?.stream.remotePort).toBe(port);
  });
});

describe("a server that was restarted", () => {
  test("tells its clients at once that it knows nothing of their connections", async () => {
    const world = await quicWorld({ echo: true });
    const heard = await hear(dialer(), at(world.port));
    heard.link.write(bytes("before"));
    await hears(heard, "before");
    const { port } = world;
    await world.crash();
    const again = await quicWorld({ echo: true, port });
    const startMs = performance.now();
    heard.link.write(bytes("anybody there?"));
    await until("the client knows", () => heard.closes.length === 1, 5000);
    expect(performance.now() - startMs).toBeLessThan(3000);
    expect(again.streams.length).toBe(0);
  });
});
