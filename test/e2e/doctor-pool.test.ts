/** Each cause of "pool connection failing" on real sockets: `doctor` finds it and says what to do. */
import { createServer, type Server, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkPool } from "../../src/app/commands/doctor-pool.ts";
import { fromHex } from "../../src/kernel/bytes.ts";
import { encodeAuthorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { startServer } from "../support/server.ts";

/** The test server's authority, and somebody else's: x coordinates of BIP340's test vectors 0 and 1. */
const KEY = encodeAuthorityPublicKey(fromHex("f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"));
const OTHER = encodeAuthorityPublicKey(fromHex("dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"));

async function pool(onSocket: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${port}`;
}

describe("pool_url", () => {
  test("a pool that speaks SV2 and has the right key is in order", async () => {
    const { address } = await startServer();
    for (const scheme of ["stratum2+tcp", "stratum+tcp", "tcp"]) {
      const findings = await checkPool(`${scheme}://${address}/${KEY}`);
      expect(findings.map(({ result }) => result)).toEqual(["ok", "ok", "ok"]);
      expect(findings[2]?.detail).toBe("it speaks Stratum V2, and its key is the one of the URL");
    }
  });

  test("without a key in the URL it says that anybody may answer", async () => {
    const { address } = await startServer();
    const last = (await checkPool(`stratum2+tcp://${address}`)).at(-1);
    expect(last).toMatchObject({ result: "warning", detail: expect.stringContaining("key was not checked") });
  });

  test("another authority than the URL's", async () => {
    const { address } = await startServer();
    const last = (await checkPool(`stratum2+tcp://${address}/${OTHER}`)).at(-1);
    expect(last).toMatchObject({ result: "failed", detail: expect.stringContaining("not signed by the expected") });
    expect(last?.fix).toContain("authority key that the pool publishes");
  });

  test("a pool of Stratum V1, which answers JSON", async () => {
    const address = await pool((socket) => {
      let text = "";
      socket.on("data", (bytes) => {
        text += bytes.toString("latin1");
        const isJson = text.startsWith("{") && text.includes("\n");
        if (isJson) socket.write('{"id":1,"result":[[["mining.notify","1"]],"08000002",4],"error":null}\n');
        else if (text.length >= 64) socket.destroy();
      });
    });
    const last = (await checkPool(`stratum+tcp://${address}`)).at(-1);
    expect(last).toMatchObject({ result: "failed", detail: "the pool speaks Stratum V1 only" });
  });

  test("something else that listens", async () => {
    const address = await pool((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const last = (await checkPool(`stratum2+tcp://${address}`)).at(-1);
    expect(last).toMatchObject({ result: "failed", detail: expect.stringContaining("28 bytes of something else") });
    expect(last?.fix).toContain("Check the port");
  });

  test("nothing listens", async () => {
    const address = await pool(() => undefined);
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    expect(address).not.toContain(`:${port}`);
    const last = (await checkPool(`stratum2+tcp://127.0.0.1:${port}`)).at(-1);
    expect(last).toMatchObject({ result: "failed", detail: expect.stringContaining("ECONNREFUSED") });
    expect(last?.fix).toContain("firewalls");
  });

  test("a name that does not resolve, and a text that is no URL", async () => {
    const [dns] = await checkPool("stratum2+tcp://pool.invalid:3333");
    expect(dns).toMatchObject({ result: "failed", fix: expect.stringContaining("DNS") });
    const [url] = await checkPool("https://pool.example.com");
    expect(url).toMatchObject({ result: "failed", fix: expect.stringContaining("stratum2+tcp://HOST:PORT") });
  });
});
