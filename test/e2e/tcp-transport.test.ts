/** The TCP transport over real loopback sockets: what the port promises to sessions. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, describe, expect, test } from "vitest";
import type { Stream, StreamListener } from "../../src/pool/transport.ts";
import { TcpTransport } from "../../src/pool/transports/tcp.ts";

const never = new AbortController().signal;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A stream's callbacks with what they saw. */
class Recorder implements StreamListener {
  readonly chunks: Uint8Array[] = [];
  drains = 0;
  closes: (Error | undefined)[] = [];
  readonly #waiting: { ready: () => boolean; resolve: () => void }[] = [];

  onData(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.#wake();
  }

  onDrain(): void {
    this.drains += 1;
    this.#wake();
  }

  onClose(cause: Error | undefined): void {
    this.closes.push(cause);
    this.#wake();
  }

  get text(): string {
    return this.chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
  }

  until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ ready, resolve }));
  }

  #wake(): void {
    for (const { ready, resolve } of this.#waiting) if (ready()) resolve();
  }
}

/** A started transport and one connected pair. */
async function pair(): Promise<{ transport: TcpTransport; stream: Stream; seen: Recorder; socket: Socket }> {
  const transport = new TcpTransport({}, { host: "127.0.0.1", port: 0 });
  await transport.start(never);
  cleanups.push(() => transport.stop());
  const seen = new Recorder();
  const accepted = new Promise<Stream>((resolve) => {
    transport.onStream((stream) => {
      stream.attach(seen);
      resolve(stream);
    });
  });
  const socket = client(transport);
  return { transport, stream: await accepted, seen, socket };
}

function client(transport: TcpTransport): Socket {
  const socket = connect(Number(transport.address?.split(":").at(-1)), "127.0.0.1");
  socket.on("error", () => undefined);
  cleanups.push(() => socket.destroy());
  return socket;
}

describe("TcpTransport", () => {
  test("says where it listens and who comes", async () => {
    const { transport, stream, socket } = await pair();
    expect(transport.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(stream.remoteAddress).toBe("127.0.0.1");
    if (socket.connecting) await once(socket, "connect");
    expect(stream.remotePort).toBe(socket.localPort);
  });

  test("carries bytes both ways", async () => {
    const { stream, seen, socket } = await pair();
    socket.write("hello");
    await seen.until(() => seen.text === "hello");
    expect(stream.write(new TextEncoder().encode("welcome"))).toBe(true);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toBe("welcome");
  });

  test("a paused stream reads nothing until it is resumed", async () => {
    const { stream, seen, socket } = await pair();
    stream.pause();
    socket.write("held");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen.text).toBe("");
    stream.resume();
    await seen.until(() => seen.text === "held");
  });

  test("a peer that does not read is felt: write says so, bufferedBytes grows, drain comes when it reads", async () => {
    const { stream, seen, socket } = await pair();
    socket.pause();
    const block = new Uint8Array(1 << 20);
    let wrote = 0;
    while (stream.write(block) || stream.bufferedBytes === 0) wrote += block.length;
    while (stream.bufferedBytes < 4 << 20 && wrote < 1 << 28) {
      stream.write(block);
      wrote += block.length;
    }
    expect(stream.bufferedBytes).toBeGreaterThan(1 << 20);
    expect(seen.drains).toBe(0);
    socket.resume();
    await seen.until(() => seen.drains > 0);
    expect(stream.bufferedBytes).toBe(0);
  });

  test("end sends what is left, and the peer's last bytes are still read", async () => {
    const { stream, seen, socket } = await pair();
    let received = 0;
    socket.on("data", (chunk) => {
      received += chunk.length;
    });
    stream.write(new Uint8Array(3 << 20));
    stream.end();
    await once(socket, "end");
    expect(received).toBe(3 << 20);
    await seen.until(() => seen.closes.length > 0);
    expect(seen.closes).toEqual([undefined]);
  });

  test("destroy closes at once; writing to a closed stream does nothing", async () => {
    const { stream, seen, socket } = await pair();
    stream.destroy();
    await seen.until(() => seen.closes.length > 0);
    await once(socket, "close");
    expect(stream.write(Uint8Array.of(1))).toBe(true);
    stream.resume();
    stream.end();
    expect(seen.closes).toEqual([undefined]);
  });

  test("a reset is reported as the cause of the close", async () => {
    const { seen, socket } = await pair();
    if (socket.connecting) await once(socket, "connect");
    socket.resetAndDestroy();
    await seen.until(() => seen.closes.length > 0);
    expect(seen.closes[0]).toMatchObject({ code: "ECONNRESET" });
  });

  test("refuse takes no new connection and leaves the open ones alone; stop closes them and frees the port", async () => {
    const { transport, seen, socket } = await pair();
    transport.refuse();
    const late = client(transport);
    const [error] = await once(late, "error");
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    socket.write("still here");
    await seen.until(() => seen.text === "still here");
    await transport.stop();
    expect(seen.closes).toHaveLength(1);
    const port = Number(transport.address?.split(":").at(-1));
    const successor = new TcpTransport({}, { host: "127.0.0.1", port });
    await successor.start(never);
    await successor.stop();
  });

  test("a busy port is a fault that names the address", async () => {
    const { transport } = await pair();
    const port = Number(transport.address?.split(":").at(-1));
    const second = new TcpTransport({}, { host: "127.0.0.1", port });
    await expect(second.start(never)).rejects.toMatchObject({
      code: "listen-failed",
      data: { address: `127.0.0.1:${port}`, reason: "EADDRINUSE" },
    });
    await second.stop();
  });

  test.runIf(Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1")))(
    "IPv6 addresses are in brackets where a port follows",
    async () => {
      const transport = new TcpTransport({}, { host: "::1", port: 0 });
      await transport.start(never);
      cleanups.push(() => transport.stop());
      expect(transport.address).toMatch(/^\[::1\]:\d+$/);
      const accepted = new Promise<Stream>((resolve) => {
        transport.onStream((stream) => {
          stream.attach(new Recorder());
          resolve(stream);
        });
      });
      const socket = connect(Number(transport.address?.split(":").at(-1)), "::1");
      cleanups.push(() => socket.destroy());
      expect((await accepted).remoteAddress).toBe("::1");
    },
  );

  test("a stream that nobody wants is closed", async () => {
    const transport = new TcpTransport({}, { host: "127.0.0.1", port: 0 });
    await transport.start(never);
    cleanups.push(() => transport.stop());
    await once(client(transport), "close");
  });
});
