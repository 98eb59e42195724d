/** The WebSocket client against a real server on loopback: the `ws` package's own, driven byte by byte where it matters. */
import { createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { connectWebSocket, type WebSocketLimits } from "../../src/daemon/websocket.ts";

const LIMITS: WebSocketLimits = { headers: { authorization: "Basic dTpw" }, maxBytes: 1000, handshakeMs: 500 };
const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

async function server(): Promise<{ url: string; server: WebSocketServer }> {
  const made = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  toClose.push(() => {
    for (const client of made.clients) client.terminate();
    made.close();
  });
  await new Promise((resolve) => made.once("listening", resolve));
  const address = made.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return { url: `ws://127.0.0.1:${address.port}/`, server: made };
}

/** Connects and collects what is told, until the end. */
function connect(url: string, onOpen: (socket: ReturnType<typeof connectWebSocket>) => void = () => {}) {
  const told: string[] = [];
  const ended = new Promise<string>((resolve) => {
    const socket = connectWebSocket(url, LIMITS, {
      onOpen: () => {
        told.push("open");
        onOpen(socket);
      },
      onMessage: (text) => void told.push(text),
      onPong: () => void told.push("pong"),
      onClose: (reason) => {
        told.push("close");
        resolve(reason);
      },
    });
    toClose.push(() => socket.close());
  });
  return { told, ended };
}

describe("connectWebSocket", () => {
  test("sends text, hears text and pongs, and says that the daemon closed", async () => {
    const { url, server: at } = await server();
    at.on("connection", (peer, request) => {
      expect(request.headers.authorization).toBe("Basic dTpw");
      peer.on("ping", () => setImmediate(() => peer.close(1001)));
      peer.on("message", (data) => peer.send(`echo ${String(data)}`));
    });
    const { told, ended } = connect(url, (socket) => {
      socket.send("a");
      setTimeout(() => socket.ping(), 20);
    });
    expect(await ended).toBe("the daemon closed the connection (1001)");
    expect(told).toEqual(["open", "echo a", "pong", "close"]);
  });

  test.each([
    ["a message of more than the bytes allowed", "x".repeat(1001), "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"],
    ["a binary message", new Uint8Array([1, 2, 3]), "it sent binary data"],
  ])("ends at %s without passing it on", async (_name, message, reason) => {
    const { url, server: at } = await server();
    at.on("connection", (peer) => peer.send(message));
    const { told, ended } = connect(url);
    expect(await ended).toBe(reason);
    expect(told).toEqual(["open", "close"]);
  });

  test("passes a message of exactly the bytes allowed", async () => {
    const { url, server: at } = await server();
    at.on("connection", (peer) => {
      peer.send("x".repeat(1000));
      peer.close();
    });
    const { told, ended } = connect(url);
    await ended;
    expect(told[1]).toHaveLength(1000);
  });

  test("tells once that nothing listens, that nobody shakes hands, that it is no WebSocket, that the URL is none", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    toClose.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    await new Promise((resolve) => silent.once("listening", resolve));
    const address = silent.address();
    if (typeof address !== "object" || address === null) throw new Error("no port");
    expect(await connect(`ws://127.0.0.1:${address.port}/`).ended).toBe("Opening handshake has timed out");
    expect(await connect("ws://127.0.0.1:1/").ended).toBe("ECONNREFUSED");
    expect(await connect("ftp://x").ended).toBe("the address is not a usable ws:// URL");
    const page = createServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).listen(
      0,
      "127.0.0.1",
    );
    toClose.push(() => page.close());
    await new Promise((resolve) => page.once("listening", resolve));
    const port = page.address();
    if (typeof port !== "object" || port === null) throw new Error("no port");
    expect(await connect(`ws://127.0.0.1:${port.port}/`).ended).toBe("Unexpected server response: 200");
  });

  test("close ends it at once", async () => {
    const { url } = await server();
    const { told, ended } = connect(url, (socket) => socket.close());
    expect(await ended).toBe("closed");
    expect(told).toEqual(["open", "close"]);
  });
});
