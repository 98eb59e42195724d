/** The TLS listener over real sockets: who is let in and who is not, at what cost, and what the operator reads about it. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { dialTcp } from "../../src/client/dial-tcp.ts";
import { selfSigned, TestAuthority, type TestPem } from "../support/certificates.ts";
import { MockMiner } from "../support/mock-miner.ts";
import { run } from "../support/program.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { serverOver } from "../support/server.ts";
import { steadily } from "../support/steady-miner.ts";
import { type TlsStage, tlsStage } from "../support/tls-stage.ts";
import { hostAndPort, TCP, TLS } from "../support/transports.ts";
import { pause, until } from "../support/until.ts";

let authority: TestAuthority;
let pem: TestPem;
beforeAll(async () => {
  authority = await TestAuthority.make();
  pem = await authority.issue();
});

/** A TCP connection to the listener that says nothing by itself. */
async function tcp(stage: TlsStage): Promise<Socket> {
  const socket = connectTcp({ ...hostAndPort(stage.address), noDelay: true });
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Resolves when a connection is over, be it by a reset: `once` would reject on the error before it. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once("close", () => resolve()));
}

/** Bytes that the other side sent until it closed. */
async function everything(socket: Socket): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => void parts.push(bytes));
  await gone(socket);
  return Uint8Array.from(Buffer.concat(parts));
}

/** A TLS client; resolves once it is connected and its bytes came back, or rejects with why not. */
async function client(stage: TlsStage, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ ...hostAndPort(stage.address), ca: authority.pem, ALPNProtocols: ["sv2"], ...options });
  onTestFinished(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", () => socket.write("ping"));
    socket.once("data", () => resolve());
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed without a word")));
  });
  return socket;
}

/** The first flight of a TLS client. */
async function clientHello(options: ConnectionOptions = {}): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const socket = connectTls({ host: "127.0.0.1", port, ALPNProtocols: ["sv2"], ...options });
  socket.on("error", () => undefined);
  const [accepted] = (await once(server, "connection")) as [Socket];
  const [bytes] = (await once(accepted, "data")) as [Buffer];
  socket.destroy();
  accepted.destroy();
  server.close();
  return bytes;
}

describe("a TLS client", () => {
  test("of version 1.3 that offers sv2 is served, and told who we are", async () => {
    const stage = await tlsStage(pem);
    const socket = await client(stage);
    expect(socket.getProtocol()).toBe("TLSv1.3");
    expect(socket.alpnProtocol).toBe("sv2");
    expect(socket.authorized).toBe(true);
    expect(stage.streams[0]).toMatchObject({ remoteAddress: "127.0.0.1", remotePort: socket.localPort });
    expect(stage.transport).toMatchObject({ kind: "tls", noise: false });
  });

  test("may offer other protocols too", async () => {
    const stage = await tlsStage(pem);
    expect((await client(stage, { ALPNProtocols: ["h2", "sv2"] })).alpnProtocol).toBe("sv2");
  });

  test.each<[string, ConnectionOptions, string, string]>([
    ["names no protocol", { ALPNProtocols: [] }, "ALERT_NO_APPLICATION_PROTOCOL", "it offers no protocol (ALPN)"],
    [
      "is a browser",
      { ALPNProtocols: ["h2", "http/1.1"] },
      "ALERT_NO_APPLICATION_PROTOCOL",
      "it offers other protocols",
    ],
    ["knows TLS 1.2 at most", { maxVersion: "TLSv1.2" }, "ALERT_PROTOCOL_VERSION", "it offers no TLS 1.3"],
  ])("that %s is told so by an alert, and the log says it", async (_, options, alert, words) => {
    const stage = await tlsStage(pem);
    await expect(client(stage, options)).rejects.toMatchObject({ code: expect.stringContaining(alert) });
    expect(stage.streams).toEqual([]);
    expect(stage.reasons()).toEqual([expect.stringContaining(words)]);
    expect(stage.meter.byLabel("connections_dropped_total")).toEqual({ "tls-refused": 1 });
  });

  test("that breaks the handshake off is told of in words", async () => {
    const stage = await tlsStage(pem);
    await expect(client(stage, { ciphers: "TLS_AES_128_CCM_SHA256" })).rejects.toThrow();
    expect(stage.reasons()).toEqual([expect.stringContaining("no cipher is common to both sides")]);
    expect(stage.meter.byLabel("connections_dropped_total")).toEqual({ "tls-handshake-failed": 1 });
  });

  test.runIf(spawnSync("openssl", ["version"]).status === 0)(
    "of another make is served; one that does not know our authority says so, and the log repeats it in words",
    async () => {
      const stage = await tlsStage(await selfSigned());
      const args = ["s_client", "-connect", stage.address, "-tls1_3", "-alpn", "sv2", "-brief"];
      const strict = run("openssl", [...args, "-verify_return_error"]);
      await strict.ended;
      await until("it is told", () => stage.reasons().length > 0);
      expect(stage.reasons()).toEqual([expect.stringContaining("it trusts no authority of our certificate")]);
      const trusting = run("openssl", args);
      await trusting.ended;
      expect([...trusting.out, ...trusting.err].join("\n")).toContain("Protocol version: TLSv1.3");
      expect(stage.streams).toHaveLength(1);
    },
  );

  test("cannot take an earlier session up again", async () => {
    const stage = await tlsStage(pem);
    const first = await client(stage);
    const tickets: Buffer[] = [];
    first.on("session", (ticket) => void tickets.push(ticket));
    first.write("more");
    await once(first, "data");
    first.destroy();
    const session = tickets.at(-1) ?? first.getSession();
    const second = await client(stage, session === undefined ? {} : { session });
    expect(second.isSessionReused()).toBe(false);
  });
});

describe("who speaks no TLS", () => {
  test.each<[string, () => Uint8Array, string, string]>([
    [
      "Stratum V1",
      () => Buffer.from('{"id": 1, "method": "mining.subscribe", "params": []}\n'),
      "not-stratum-v2",
      "Stratum V1",
    ],
    ["HTTP", () => Buffer.from("GET / HTTP/1.1\r\nHost: pool.example.com\r\n\r\n"), "not-stratum-v2", "text"],
    ["plain Stratum V2", () => seededRandom(3).bytes(64), "tls-refused", "no TLS"],
    [
      "a broken ClientHello",
      () => Uint8Array.of(22, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 1, 1),
      "tls-refused",
      "a broken ClientHello",
    ],
  ])("%s: closed, and the log says what it was", async (_, bytes, code, words) => {
    const stage = await tlsStage(pem);
    const socket = await tcp(stage);
    socket.write(bytes());
    await everything(socket);
    expect(stage.reasons()).toEqual([expect.stringContaining(words)]);
    expect(stage.meter.byLabel("connections_dropped_total")).toEqual({ [code]: 1 });
  });

  test("a TLS client at the TCP port is closed and told of as such", async () => {
    const { address, log, meter } = await serverOver(TCP)();
    const socket = connectTls({ ...hostAndPort(address), ALPNProtocols: ["sv2"], rejectUnauthorized: false });
    const [error] = await once(socket, "error");
    expect(error).toBeInstanceOf(Error);
    expect(meter.byLabel("connections_dropped_total")).toEqual({ "not-stratum-v2": 1 });
    expect(log.some(({ level, message }) => level === "info" && message.includes("looksLike TLS"))).toBe(true);
  });

  test("our own client over TCP at the TLS port is closed by it", async () => {
    const stage = await tlsStage(pem);
    const closed = new Promise<string>((resolve) => {
      void dialTcp(
        { ...stage.server(), transport: "tcp" },
        { onData: () => undefined, onClose: resolve },
        new AbortController().signal,
      ).then((link) => link.write(seededRandom(4).bytes(64)));
    });
    expect(await closed).toMatch(/closed|reset/i);
  });
});

describe("half-open connections", () => {
  const LIMITS = { handshakeTimeoutMs: 600 };

  test("that say nothing, or half a ClientHello, or a byte now and then, end at the deadline", async () => {
    const stage = await tlsStage(pem, LIMITS);
    const hello = await clientHello();
    const began = performance.now();
    const [silent, half, slow] = await Promise.all([tcp(stage), tcp(stage), tcp(stage)]);
    half?.write(hello.subarray(0, 100));
    const drip = (async () => {
      for (const byte of hello) {
        if (slow?.closed !== false || !slow.writable) return;
        slow.write(Uint8Array.of(byte));
        await pause(10);
      }
    })();
    await Promise.all([silent, half, slow].map((socket) => gone(socket)));
    await drip;
    const elapsedMs = performance.now() - began;
    expect(elapsedMs).toBeGreaterThan(500);
    expect(elapsedMs).toBeLessThan(3000);
    expect(stage.meter.byLabel("connections_dropped_total")).toEqual({ "handshake-timeout": 3 });
  });

  test("that stop behind the ClientHello end at the deadline too", async () => {
    const stage = await tlsStage(pem, LIMITS);
    const socket = await tcp(stage);
    socket.write(await clientHello());
    const answer = await everything(socket);
    expect(answer[0], "the server's flight came").toBe(22);
    expect(stage.meter.byLabel("connections_dropped_total")).toEqual({ "handshake-timeout": 1 });
    expect(stage.streams).toEqual([]);
  });

  test("count as connections: in all and by address, and give their places back", async () => {
    const limits = { connections: 3, networks: [{ network: "127.0.0.0/8", maxConnections: 2 }] };
    const stage = await tlsStage(pem, { ...LIMITS, handshakeTimeoutMs: 60_000, ...limits });
    const [first] = [await tcp(stage), await tcp(stage)];
    expect(await everything(await tcp(stage))).toHaveLength(0);
    await expect(client(stage)).rejects.toThrow();
    expect(stage.meter.byLabel("connections_refused_total")).toEqual({ address: 2 });
    first?.destroy();
    const served = await until("the place is free", () => true).then(() => retry(() => client(stage)));
    await expect(client(stage), "an open connection holds its place").rejects.toThrow();
    served.destroy();
    await retry(() => client(stage));
  });

  test("that were reset do not take down who comes back from the same port at once", async () => {
    const stage = await tlsStage(pem);
    const first = await tcp(stage);
    first.write((await clientHello()).subarray(0, 20));
    await pause(50);
    const { localPort } = first;
    first.resetAndDestroy();
    expect((await client(stage, { localPort } as ConnectionOptions)).localPort).toBe(localPort);
  });

  test("cost no turn before their ClientHello is whole; then each costs one", async () => {
    const stage = await tlsStage(pem, { handshakesPerSecond: 5 });
    const hello = await clientHello();
    const half = await Promise.all(Array.from({ length: 30 }, () => tcp(stage)));
    for (const socket of half) socket.write(hello.subarray(0, -1));
    const began = performance.now();
    await client(stage);
    expect(performance.now() - began).toBeLessThan(900);
    await Promise.all(Array.from({ length: 5 }, () => client(stage)));
    expect(performance.now() - began, "five turns at five a second").toBeGreaterThan(800);
  });

  test("that leave while they wait for their turn leave nothing behind", async () => {
    const stage = await tlsStage(pem, { handshakesPerSecond: 2, connections: 12 });
    const hello = await clientHello();
    const waiting = await Promise.all(Array.from({ length: 12 }, () => tcp(stage)));
    for (const socket of waiting) socket.write(hello);
    await pause(100);
    for (const socket of waiting) socket.resetAndDestroy();
    await pause(100);
    const began = performance.now();
    await client(stage);
    expect(performance.now() - began, "nobody is before it").toBeLessThan(1500);
  });

  test("do not hold up a steady miner, and are gone when the server stops", async () => {
    const pool = await serverOver(TLS)({ mining: { ackBatchSize: 1 }, limits: { handshakesPerSecond: 50 } });
    const hello = await clientHello();
    const flood: Socket[] = [];
    const steady = await steadily(await pool.miner(), async () => {
      for (let i = 0; i < 300; i++) {
        const socket = connectTcp(hostAndPort(pool.address));
        socket.on("error", () => undefined);
        socket.resume();
        flood.push(socket);
        if (i % 3 !== 0) socket.write(i % 3 === 1 ? hello : hello.subarray(0, 50));
      }
      await pause(1000);
    });
    expect(steady.maxMs).toBeLessThan(1500);
    const closed = flood.filter((socket) => !socket.closed).map((socket) => gone(socket));
    await pool.stop();
    await Promise.all(closed);
  });
});

describe("client certificates", () => {
  async function stageFor(): Promise<TlsStage> {
    return tlsStage({ ...pem, clientCa: authority.pem });
  }

  test("one of the authority that is wanted is let in", async () => {
    const own = await authority.issue({ usage: ["client"] });
    await client(await stageFor(), { cert: own.chain, key: own.key });
  });

  test.each<[string, () => Promise<TestPem | undefined>, string]>([
    ["none", async () => undefined, "there is none"],
    ["one of another authority", async () => (await TestAuthority.make("another")).issue(), "not one of those"],
    ["one that vouches for itself", () => selfSigned(), "self-signed"],
    ["one that has ended", () => authority.issue({ days: [-9, -1] }), "it has ended"],
    ["one that is not in force yet", () => authority.issue({ days: [1, 9] }), "not in force yet"],
    ["a server's", () => authority.issue({ usage: ["server"] }), "for another purpose"],
  ])("with %s a client is refused, and the log says why", async (_, make, words) => {
    const stage = await stageFor();
    const own = await make();
    await expect(client(stage, own === undefined ? {} : { cert: own.chain, key: own.key })).rejects.toThrow();
    expect(stage.streams).toEqual([]);
    expect(stage.reasons()).toEqual([expect.stringContaining(words)]);
    expect(stage.meter.byLabel("connections_dropped_total")).toEqual({ "tls-client-refused": 1 });
  });

  test("refusals do not fill the log", async () => {
    const stage = await stageFor();
    await Promise.all(Array.from({ length: 130 }, () => client(stage).catch(() => undefined)));
    const told = stage.log.filter(({ level, fields }) => level === "info" && fields.code === "tls-client-refused");
    expect(stage.meter.byLabel("connections_dropped_total")).toEqual({ "tls-client-refused": 130 });
    expect(told.length).toBeLessThan(125);
    expect(told.length).toBeGreaterThanOrEqual(100);
  });
});

describe("a new certificate", () => {
  test("is shown to new connections while the old ones go on, under load", async () => {
    const stage = await tlsStage(pem);
    const renewed = await authority.issue();
    const serial = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber;
    const before = await Promise.all(Array.from({ length: 10 }, () => client(stage)));
    let over = false;
    const storm = (async () => {
      const seen = new Set<string>();
      while (!over) seen.add(serial(await client(stage)));
      return seen;
    })();
    await pause(100);
    stage.renew(renewed);
    await pause(100);
    over = true;
    const seen = await storm;
    const after = await client(stage);
    expect(serial(after)).not.toBe(serial(before[0] ?? expect.unreachable()));
    expect([...seen].every((one) => [serial(after), serial(before[0] ?? after)].includes(one))).toBe(true);
    for (const socket of before) {
      socket.write("still here");
      expect(String((await once(socket, "data"))[0])).toBe("still here");
    }
    expect(stage.meter.total("connections_dropped_total")).toBe(0);
  });
});

test("streams keep the promises of the port: pause, back pressure, the end of both sides", async () => {
  const stage = await tlsStage(pem);
  const socket = await client(stage);
  const stream = stage.streams[0] ?? expect.unreachable();
  let echo = "";
  socket.on("data", (bytes: Buffer) => {
    echo = bytes.length < 100 ? String(bytes) : "";
  });
  stream.pause();
  socket.write("held");
  await pause(50);
  expect(echo).toBe("");
  stream.resume();
  await until("it came back", () => echo === "held");
  socket.pause();
  const block = new Uint8Array(1 << 20);
  for (let wrote = 0; stream.bufferedBytes < 4 << 20 && wrote < 64; wrote++) stream.write(block);
  expect(stream.bufferedBytes).toBeGreaterThan(1 << 20);
  socket.resume();
  await until("everything was taken", () => stream.bufferedBytes === 0);
  stream.end();
  await gone(socket);
});

test("a mock miner at a TLS server that is full is turned away before its handshake", async () => {
  const pool = await serverOver(TLS)({ limits: { connections: 1 } });
  await pool.miner();
  await expect(MockMiner.reach(pool.address, { transport: TLS })).rejects.toThrow();
});

/** Tries again until it works: a place is given back a moment after its connection closed. */
async function retry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let i = 0; i < 50; i++) {
    try {
      return await attempt();
    } catch {
      await pause(20);
    }
  }
  return await attempt();
}
