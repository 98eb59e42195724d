/** The RPC client over real sockets on loopback against servers that answer well, badly, slowly or not at all. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import type { Credentials } from "../../src/daemon/credentials.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { RpcClient } from "../../src/daemon/rpc.ts";
import { Fault } from "../../src/kernel/fault.ts";

const opened: { server: Server; sockets: Set<Socket>; clients: RpcClient[] }[] = [];

afterEach(async () => {
  for (const { server, sockets, clients } of opened.splice(0)) {
    for (const client of clients) client.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Listens on a free port of loopback. */
async function listen(server: Server) {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const clients: RpcClient[] = [];
  opened.push({ server, sockets, clients });
  const client = (options: { credentials?: Credentials; scheme?: string; timeoutMs?: number } = {}) => {
    const { credentials = { kind: "none" }, scheme = "http", timeoutMs = 5_000 } = options;
    const url = `${scheme}://127.0.0.1:${port}`;
    const made = new RpcClient(
      { clock: systemClock, files: diskFiles, http: nodeHttpPost },
      { name: "node", url, credentials, timeoutMs },
    );
    clients.push(made);
    return made;
  };
  return { client, sockets, connections: () => connections };
}

const http = (answer: RequestListener) => listen(createHttpServer(answer));
const raw = (onSocket: (socket: Socket) => void) => listen(createTcpServer(onSocket));

/** Answers every call with its own method. */
const echo: RequestListener = (request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    const { id, method } = JSON.parse(body) as { id: number; method: string };
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result: method }));
  });
};

const call = (client: RpcClient, method = "ping", maxBytes = 1_000_000) =>
  client.call(method, [], z.string(), { maxBytes });
const codeOf = async (client: RpcClient): Promise<string> => {
  const error = await call(client).catch((thrown: unknown) => thrown);
  if (error instanceof Fault) return error.code;
  throw new Error(`not a fault: ${String(error)}`);
};

describe("a good server", () => {
  test("is asked over one connection that is kept", async () => {
    const { client, connections } = await http(echo);
    const rpc = client();
    for (const method of ["a", "b", "c"]) expect(await call(rpc, method)).toBe(method);
    expect(connections()).toBe(1);
  });

  test("answers several calls at a time", async () => {
    const { client } = await http(echo);
    const rpc = client();
    const methods = Array.from({ length: 40 }, (_, i) => `m${i}`);
    expect(await Promise.all(methods.map((method) => call(rpc, method)))).toEqual(methods);
  });

  test("that closes an idle connection in the moment it is used again costs no call", async () => {
    let requests = 0;
    const { client, connections } = await raw((socket) => {
      socket.on("data", (bytes) => {
        requests++;
        if (requests === 2) return socket.destroy();
        const { id } = JSON.parse(/\{.*\}$/s.exec(bytes.toString())?.[0] ?? "{}") as { id: number };
        const text = JSON.stringify({ result: "ok", id });
        return socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      });
    });
    const rpc = client();
    expect(await call(rpc)).toBe("ok");
    expect(await call(rpc)).toBe("ok");
    expect([requests, connections()]).toEqual([3, 2]);
  });

  test("tells its clock", async () => {
    const { client } = await http((request, response) => {
      response.setHeader("date", new Date(Date.now() - 3_600_000).toUTCString());
      echo(request, response);
    });
    const rpc = client();
    await call(rpc);
    expect(rpc.clockOffsetMs).toBeGreaterThan(-3_602_000);
    expect(rpc.clockOffsetMs).toBeLessThan(-3_598_000);
  });

  test("gets the cookie of the file, and the new one after a restart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cookie-"));
    const path = join(folder, ".cookie");
    try {
      let wanted = "__cookie__:one";
      const { client } = await http((request, response) => {
        if (request.headers.authorization === `Basic ${btoa(wanted)}`) return echo(request, response);
        return response.writeHead(401).end();
      });
      const rpc = client({ credentials: { kind: "cookie", path } });
      expect(await codeOf(rpc)).toBe("node-cookie");
      writeFileSync(path, wanted);
      expect(await call(rpc)).toBe("ping");
      wanted = "__cookie__:two";
      expect(await codeOf(rpc)).toBe("node-unauthorized");
      writeFileSync(path, wanted);
      expect(await call(rpc)).toBe("ping");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a bad server", () => {
  test("that sends more than the bound is cut off", async () => {
    let sent = 0;
    const { client, sockets } = await http((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && sent < 1 << 30) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536, 0x20))) return void response.once("drain", more);
        }
      };
      more();
    });
    expect(await codeOf(client())).toBe("node-answer-too-big");
    expect(sent).toBeLessThan(64 << 20);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sockets.size).toBe(0);
  });

  test("that never answers, or stops in the middle, is left at the deadline", async () => {
    const silent = await raw((socket) => socket.resume());
    expect(await codeOf(silent.client({ timeoutMs: 100 }))).toBe("node-timeout");
    const half = await raw((socket) => {
      socket.resume().write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"result":');
    });
    expect(await codeOf(half.client({ timeoutMs: 200 }))).toBe("node-timeout");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([silent.sockets.size, half.sockets.size]).toEqual([0, 0]);
  });

  test("that hangs up before or in an answer is told", async () => {
    const before = await raw((socket) => socket.destroy());
    expect(await codeOf(before.client())).toBe("node-disconnected");
    const ended = await raw((socket) => socket.on("data", () => socket.end()));
    expect(await codeOf(ended.client())).toBe("node-disconnected");
    const within = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"result":');
      setTimeout(() => socket.destroy(), 20);
    });
    expect(await codeOf(within.client())).toBe("node-disconnected");
  });

  test("is told apart by what it speaks", async () => {
    const ssh = await raw((socket) => socket.write("SSH-2.0-OpenSSH_9.6\r\n"));
    expect(await codeOf(ssh.client())).toBe("node-not-http");
    const web = await http((_request, response) => response.end("<!doctype html><title>hi</title>"));
    expect(await codeOf(web.client())).toBe("node-web-page");
    expect(await codeOf(web.client({ scheme: "https" }))).toBe("node-wants-http");
    // The alert with which OpenSSL answers plain text: fatal, protocol version.
    const tls = await raw((socket) => socket.once("data", () => socket.end(Uint8Array.of(0x15, 3, 1, 0, 2, 2, 70))));
    expect(await codeOf(tls.client())).toBe("node-wants-https");
    const elsewhere = await http((_request, response) => response.writeHead(302, { location: "http://x/" }).end());
    expect(await codeOf(elsewhere.client())).toBe("node-http-status");
  });

  test("that is not there is told", async () => {
    const gone = await raw(() => undefined);
    const rpc = gone.client();
    for (const { server } of opened) await new Promise((resolve) => server.close(resolve));
    opened.length = 0;
    expect(await codeOf(rpc)).toBe("node-refused");
    rpc.close();
  });
});

test("a call that is given up closes its connection", async () => {
  const { client, sockets } = await raw((socket) => socket.resume());
  const stop = new AbortController();
  const failed = client().call("wait", [], z.unknown(), { signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 50);
  await expect(failed).rejects.toThrow("enough");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(sockets.size).toBe(0);
});
