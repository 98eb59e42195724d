/** What hostile peers send to a QUIC port: floods of everything that QUIC has, of which the server keeps little and others notice nothing. */
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import {
  at,
  dialer,
  type Heard,
  hear,
  hears,
  later,
  openStream,
  type QuicWorld,
  quicWorld,
  rawClient,
} from "../support/quic-world.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { ROOT } from "../support/sources.ts";
import { pause, until } from "../support/until.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A peer that minds its own business. */
async function bystander(world: QuicWorld): Promise<Heard> {
  const heard = await hear(dialer(), at(world.port));
  heard.link.write(bytes("before"));
  await hears(heard, "before");
  return heard;
}

async function unharmed(heard: Heard): Promise<void> {
  const startMs = performance.now();
  heard.link.write(bytes("after"));
  await hears(heard, "after");
  expect(performance.now() - startMs).toBeLessThan(1000);
  expect(heard.closes).toEqual([]);
}

async function udp(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  later(() => socket.close());
  return socket;
}

const send = (socket: Socket, port: number, datagram: Uint8Array): Promise<unknown> =>
  new Promise((sent) => void socket.send(datagram, port, "127.0.0.1", sent));

describe("a flood of streams", () => {
  test("of one connection stops at the limit, and the rest has to wait", async () => {
    const world = await quicWorld({ echo: true, streamsPerConnection: 100 });
    const heard = await bystander(world);
    const client = await rawClient(world.port);
    for (let i = 0; i < 100; i++) openStream(client).stream.write(bytes("x"));
    expect(client.connection.openStream()).toBeUndefined();
    await until("all came", () => world.streams.length === 101);
    await unharmed(heard);
    expect(world.transport.connections).toBe(2);
  });

  test("of ten thousand that are opened and reset costs no more than as many sessions as there may be streams", async () => {
    const world = await quicWorld({ streamsPerConnection: 200 });
    const client = await rawClient(world.port);
    const other = await quicWorld({ echo: true });
    const heard = await bystander(other);
    const before = process.memoryUsage.rss();
    const startMs = performance.now();
    let opened = 0;
    while (opened < 10_000 && performance.now() - startMs < 30_000) {
      const stream = client.connection.openStream();
      if (stream === undefined) {
        await pause(1);
        continue;
      }
      stream.attach({ onData() {}, onDrain() {}, onClose() {} });
      stream.write(bytes("x"));
      opened += 1;
      if (opened % 50 === 0) await pause(0);
      stream.destroy();
    }
    const seconds = (performance.now() - startMs) / 1000;
    await until("the server is through", () => world.streams.every(({ seen }) => seen.closes.length === 1));
    // As many at once as may be open, and fifty a second.
    expect(world.streams.length).toBeLessThanOrEqual(200 + 50 * (seconds + 1));
    expect(opened).toBe(10_000);
    await unharmed(heard);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 2 ** 20);
  }, 90_000);
});

describe("a flood of connections", () => {
  test("of one address stops at its limit, and others come in", async () => {
    const world = await quicWorld({
      echo: true,
      networks: [{ network: "127.0.0.0/8", maxConnections: 20 }],
      handshakesPerSecond: 1000,
    });
    const heard = await bystander(world);
    const clients = await Promise.all(Array.from({ length: 19 }, () => rawClient(world.port)));
    const late = await rawClient(world.port, { handshakeTimeoutMs: 500 }).catch((error: Error) => error.message);
    expect(late).toContain("no QUIC handshake");
    expect(world.transport.connections).toBe(20);
    await unharmed(heard);
    clients[0]?.connection.close(0);
    await until("there is a place", () => world.transport.connections === 19);
    openStream(await rawClient(world.port)).stream.write(bytes("in"));
    await until("it came", () => world.streams.length === 2);
  });

  test("that shows nothing on them is closed in time, however lively its connections are", async () => {
    const world = await quicWorld({ handshakeTimeoutMs: 300, keepAliveMs: 50 });
    const client = await rawClient(world.port, { keepAliveMs: 50 });
    await until("it is closed", () => client.closes.length === 1, 3000);
    const busy = await rawClient(world.port, { keepAliveMs: 50 });
    const { stream } = openStream(busy);
    stream.write(bytes("x"));
    await pause(800);
    expect(busy.closes).toEqual([]);
    stream.destroy();
    await until("it is closed after its last stream", () => busy.closes.length === 1, 3000);
  });
});

describe("half-open handshakes", () => {
  test("of forged or silent addresses cost no connection: the first answer is a retry, and of a kind that amplifies nothing", async () => {
    const world = await quicWorld({ echo: true });
    const heard = await bystander(world);
    const initial = await firstDatagram();
    const socket = await udp();
    const answers: Uint8Array[] = [];
    socket.on("message", (answer) => void answers.push(answer));
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 5000; i++) {
      await send(socket, world.port, initial);
      if (i % 100 === 0) await pause(1);
    }
    await pause(200);
    expect(world.transport.connections).toBe(1);
    expect(answers.length).toBeGreaterThan(0);
    for (const answer of answers) {
      // A long header of the type Retry.
      expect((answer[0] ?? 0) & 0xf0).toBe(0xf0);
      expect(answer.length).toBeLessThan(200);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
    await unharmed(heard);
  });

  test("that stop after the retry are given up in time", async () => {
    const world = await quicWorld({ handshakeTimeoutMs: 300 });
    // The client's last word of the handshake never arrives; the server waits for it.
    await rawClient(world.port, { muteAfter: 2 });
    expect(world.transport.connections).toBe(1);
    await until("it is given up", () => world.transport.connections === 0, 5000);
    expect(world.streams).toEqual([]);
  });
});

describe("garbage", () => {
  test("of every kind is passed over", async () => {
    const world = await quicWorld({ echo: true });
    const heard = await bystander(world);
    const random = seededRandom(11);
    const socket = await udp();
    const initial = await firstDatagram();
    const pieces: Uint8Array[] = [
      new Uint8Array(0),
      new Uint8Array(1500),
      bytes('{"id":1,"method":"mining.subscribe"}\n'),
    ];
    for (let i = 0; i < 2000; i++) {
      const piece = random.bytes(1 + ((i * 37) % 1400));
      // Half of it with a long header of version 1, cut and changed.
      if (i % 2 === 0) piece.set(initial.subarray(0, Math.min(piece.length, 1 + (i % 60))));
      pieces.push(piece);
    }
    for (const [i, piece] of pieces.entries()) {
      await send(socket, world.port, piece);
      if (i % 200 === 0) await pause(1);
    }
    await pause(100);
    expect(world.transport.connections).toBe(1);
    await unharmed(heard);
  });

  test("in the middle of a connection, from its own address, ends nothing", async () => {
    const world = await quicWorld({ echo: true });
    const client = await rawClient(world.port);
    const { stream, seen } = openStream(client);
    stream.write(bytes("before"));
    await until("it came back", () => seen.bytes.toString() === "before");
    const random = seededRandom(12);
    for (let i = 0; i < 200; i++) client.sendRaw(random.bytes(100 + i));
    stream.write(bytes("after"));
    await until("it came back", () => seen.bytes.toString() === "beforeafter");
    expect(client.closes).toEqual([]);
  });

  test("of another version of QUIC is told which there is", async () => {
    const world = await quicWorld();
    const socket = await udp();
    const answer = once(socket, "message");
    const initial = await firstDatagram();
    initial.set([0x5a, 0x5a, 0x5a, 0x5a], 1);
    await send(socket, world.port, initial);
    const [told] = (await answer) as [Buffer];
    expect(told.readUInt32BE(1)).toBe(0);
    expect(told.includes(Buffer.from([0, 0, 0, 1]))).toBe(true);
  });
});

describe("clients that are killed", () => {
  test("under load, again and again, leave nothing behind", async () => {
    const world = await quicWorld({ echo: true, idleTimeoutMs: 1000, keepAliveMs: 300 });
    const heard = await bystander(world);
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", LOAD, String(world.port)], { cwd: ROOT });
      later(() => child.kill("SIGKILL"));
      await until("it is busy", () => world.streams.length > 100 * (round + 1));
      child.kill("SIGKILL");
    }
    await until("all are given up", () => world.transport.connections === 1, 10_000);
    expect(world.streams.filter(({ seen }) => seen.closes.length === 0).length).toBe(1);
    expect(world.streams.every(({ seen }) => seen.closes.length <= 1)).toBe(true);
    await unharmed(heard);
  });
});

/** A farm of 120 streams that send for ever. */
const LOAD = `
const built = (path) => import(["./dist/src", path + ".js"].join("/"));
const { systemClock: clock, systemRandom } = await built("app/system");
const { dialQuic } = await built("client/dial-quic");
const { loadQuiche: quiche } = await built("quic/quiche");
const { openUdp: udp } = await built("quic/udp");
const dial = dialQuic({ clock, random: systemRandom(), quiche, udp, authorities: () => [] });
const server = { transport: "quic", host: "127.0.0.1", port: Number(process.argv[1]), noise: true, authorityPublicKey: new Uint8Array(32) };
const listener = { onData() {}, onClose() {} };
for (let i = 0; i < 120; i++) {
  const link = await dial(server, listener, new AbortController().signal);
  setInterval(() => link.write(new Uint8Array(500)), 5);
}
`;

/** The first datagram of a client that nobody answers. */
async function firstDatagram(): Promise<Uint8Array> {
  const socket = await udp();
  const first = once(socket, "message");
  const gone = rawClient(socket.address().port, { handshakeTimeoutMs: 100 }).catch(() => undefined);
  const [datagram] = (await first) as [Buffer];
  await gone;
  return Uint8Array.from(datagram);
}
