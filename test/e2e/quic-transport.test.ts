/** The QUIC transport and its dialler over real loopback sockets: what the ports promise to sessions on both sides. */
import { describe, expect, test } from "vitest";
import { at, dialer, hear, hears, openStream, quicWorld, rawClient } from "../support/quic-world.ts";
import { pause, until } from "../support/until.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a stream", () => {
  test("carries bytes both ways, and says who is at the other end", async () => {
    const world = await quicWorld({ echo: true });
    const heard = await hear(dialer(), at(world.port));
    heard.link.write(bytes("hello"));
    await hears(heard, "hello");
    expect(world.transport.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(world.streams[0]?.stream.remoteAddress).toBe("127.0.0.1");
    expect(world.streams[0]?.stream.remotePort).toBeGreaterThan(0);
  });

  test("has one listener and one only", async () => {
    const world = await quicWorld();
    (await hear(dialer(), at(world.port))).link.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    expect(() => world.streams[0]?.stream.attach({ onData() {}, onDrain() {}, onClose() {} })).toThrow(TypeError);
  });

  test("ends on both sides when the client ends it, with everything that was written before", async () => {
    const world = await quicWorld({ echo: true });
    const heard = await hear(dialer(), at(world.port));
    const much = new Uint8Array(100_000).fill(7);
    heard.link.write(much);
    heard.link.end();
    await until("both are over", () => heard.closes.length === 1 && world.streams[0]?.seen.closes.length === 1);
    expect(world.streams[0]?.seen.bytes.equals(much)).toBe(true);
    expect(Buffer.concat(heard.chunks).length).toBe(much.length);
    expect(world.streams[0]?.seen.closes).toEqual([undefined]);
  });

  test("that the server ends brings its last bytes", async () => {
    const world = await quicWorld();
    const heard = await hear(dialer(), at(world.port));
    heard.link.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    world.streams[0]?.stream.write(bytes("goodbye"));
    world.streams[0]?.stream.end();
    world.streams[0]?.stream.write(bytes("nobody hears this"));
    await until("it is over", () => heard.closes.length === 1);
    expect(Buffer.concat(heard.chunks).toString()).toBe("goodbye");
    await until("the server knows", () => world.streams[0]?.seen.closes.length === 1);
    expect(world.streams[0]?.seen.closes).toEqual([undefined]);
  });

  test("that is reset by one side is closed on the other, and no other stream of the connection is", async () => {
    const world = await quicWorld({ echo: true });
    const dial = dialer();
    const all = await Promise.all(Array.from({ length: 5 }, () => hear(dial, at(world.port))));
    all.forEach(({ link }, i) => void link.write(bytes(`stream ${i}`)));
    await until("all came", () => all.every(({ chunks }) => chunks.length > 0));
    expect(world.transport.connections).toBe(1);
    all[2]?.link.destroy();
    await until("the server knows", () => world.streams.some(({ seen }) => seen.closes.length === 1));
    const ours = world.streams.find(({ seen }) => seen.bytes.toString() === "stream 3");
    ours?.stream.destroy();
    ours?.stream.destroy();
    await until("the client knows", () => all[3]?.closes.length === 1);
    for (const i of [0, 1, 4]) {
      const heard = all[i];
      if (heard === undefined) throw new Error("five streams");
      heard.link.write(bytes("still here"));
      await hears(heard, "still here");
      expect(heard.closes).toEqual([]);
    }
    expect(world.streams.map(({ seen }) => seen.closes.length).sort()).toEqual([0, 0, 0, 1, 1]);
    expect(all[3]?.closes[0]).toContain("reset");
    expect(ours?.seen.closes).toEqual([undefined]);
  });
});

describe("back pressure", () => {
  test("holds a server whose client does not read, and lets it go on when it does", async () => {
    const world = await quicWorld();
    const client = await rawClient(world.port);
    const { stream, seen } = openStream(client);
    stream.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    stream.pause();
    const ours = world.streams[0];
    if (ours === undefined) throw new Error("it came");
    const piece = new Uint8Array(64 * 1024).fill(1);
    let written = 0;
    for (let i = 0; i < 20; i++) {
      written += piece.length;
      ours.stream.write(piece);
      await pause(2);
    }
    expect(ours.stream.write(new Uint8Array([2]))).toBe(false);
    // The client's window of 256 KiB is full, the rest waits here.
    expect(ours.stream.bufferedBytes).toBeGreaterThan(written - 300_000);
    // While the window filled up there was room now and then; there is none any more.
    const { drains } = ours.seen;
    await pause(50);
    expect(ours.seen.drains).toBe(drains);
    stream.resume();
    await until("all arrived", () => seen.bytes.length === written + 1);
    await until("the server knows", () => ours.seen.drains > drains);
    expect(ours.stream.bufferedBytes).toBe(0);
  });

  test("holds a client whose stream is not read at sixteen KiB, and none of its other streams", async () => {
    const world = await quicWorld({ echo: true });
    const client = await rawClient(world.port);
    const held = openStream(client);
    const other = openStream(client);
    held.stream.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    world.streams[0]?.stream.pause();
    held.stream.write(new Uint8Array(1_000_000));
    other.stream.write(bytes("unharmed"));
    await until("the other goes on", () => other.seen.bytes.toString() === "unharmed");
    await pause(50);
    expect(held.stream.bufferedBytes).toBeGreaterThanOrEqual(1_000_000 - 16 * 1024);
    expect(world.streams[0]?.seen.bytes.length).toBe(1);
    world.streams[0]?.stream.resume();
    await until("all arrived", () => held.seen.bytes.length === 1_000_001, 20_000);
  });

  test("of a server that reads nothing ends the stream before what waits for it fills memory", async () => {
    const world = await quicWorld();
    const heard = await hear(dialer(), at(world.port));
    heard.link.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    world.streams[0]?.stream.pause();
    const megabyte = new Uint8Array(1 << 20);
    for (let i = 0; i < 8; i++) heard.link.write(megabyte);
    await pause(20);
    expect(heard.closes).toEqual([]);
    heard.link.write(megabyte);
    await until("it is over", () => heard.closes.length === 1);
    expect(heard.closes).toEqual(["the server does not take what is sent to it"]);
  });
});

describe("a connection", () => {
  test("that is closed closes all its streams, once each, with the reason where there is one", async () => {
    const world = await quicWorld();
    const client = await rawClient(world.port);
    const streams = Array.from({ length: 10 }, () => openStream(client));
    for (const { stream } of streams) stream.write(bytes("x"));
    await until("all came", () => world.streams.length === 10);
    client.connection.close(7, "enough");
    await until("all are over", () => world.streams.every(({ seen }) => seen.closes.length === 1));
    expect(world.streams[0]?.seen.closes[0]?.message).toContain("application code 7 (enough)");
    expect(streams.every(({ seen }) => seen.closes.length === 1)).toBe(true);
    await until("it is forgotten", () => world.transport.connections === 0);
  });

  test("is shared by all dials of one server, and closes after its last stream", async () => {
    const world = await quicWorld({ echo: true });
    const dial = dialer();
    const all = await Promise.all(Array.from({ length: 20 }, () => hear(dial, at(world.port))));
    for (const { link } of all) link.write(bytes("x"));
    await until("all came", () => world.streams.length === 20);
    expect(world.transport.connections).toBe(1);
    for (const { link } of all) link.end();
    await until("it closes", () => world.transport.connections === 0);
    const again = await hear(dial, at(world.port));
    again.link.write(bytes("again"));
    await hears(again, "again");
  });

  test("that is full gets company", async () => {
    const world = await quicWorld({ echo: true, streamsPerConnection: 4 });
    const dial = dialer();
    const all = await Promise.all(Array.from({ length: 10 }, () => hear(dial, at(world.port))));
    all.forEach(({ link }, i) => void link.write(bytes(`stream ${i}`)));
    await Promise.all(all.map((heard, i) => hears(heard, `stream ${i}`)));
    expect(world.transport.connections).toBe(3);
  });

  test("stays while it is kept alive, however little is said", async () => {
    const world = await quicWorld({ idleTimeoutMs: 400, keepAliveMs: 100 });
    const heard = await hear(dialer({ idleTimeoutMs: 400, keepAliveMs: 100 }), at(world.port));
    heard.link.write(bytes("x"));
    await pause(1200);
    expect(heard.closes).toEqual([]);
    expect(world.streams[0]?.seen.closes).toEqual([]);
  });

  test("whose client is gone without a word ends by the idle timeout", async () => {
    const world = await quicWorld({ idleTimeoutMs: 300, keepAliveMs: 100 });
    const silent = await rawClient(world.port, { keepAliveMs: 60_000 });
    const { stream } = openStream(silent);
    stream.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    silent.connection.drop();
    await until("the server gives it up", () => world.streams[0]?.seen.closes.length === 1, 3000);
    expect(world.streams[0]?.seen.closes[0]?.message).toContain("silent for too long");
    await until("it is forgotten", () => world.transport.connections === 0);
  });
});

describe("stopping", () => {
  test("takes nothing new, brings the last bytes, and closes what is left", async () => {
    const world = await quicWorld();
    const dial = dialer();
    const one = await hear(dial, at(world.port));
    const two = await hear(dial, at(world.port));
    one.link.write(bytes("1"));
    two.link.write(bytes("2"));
    await until("both came", () => world.streams.length === 2);
    world.transport.refuse();
    const late = await hear(dial, at(world.port));
    late.link.write(bytes("too late"));
    await until("it is refused", () => late.closes.length === 1);
    expect(world.streams.length).toBe(2);
    world.streams[0]?.stream.write(bytes("goodbye"));
    world.streams[0]?.stream.end();
    await world.transport.stop();
    await until("the clients know", () => one.closes.length === 1 && two.closes.length === 1);
    expect([one, two].map(({ chunks }) => Buffer.concat(chunks).toString()).sort()).toEqual(["", "goodbye"]);
    expect(world.streams.map(({ seen }) => seen.closes.length)).toEqual([1, 1]);
  });
});
