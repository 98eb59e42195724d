/** Each cause of "pool connection failing" on real sockets: `doctor` finds it and says what to do. */
import { createServer, type Server, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Finding } from "../../src/app/commands/doctor-chains.ts";
import { checkPool, type PoolCheckOptions } from "../../src/app/commands/doctor-pool.ts";
import { fromHex } from "../../src/kernel/bytes.ts";
import { allowListAuthoriser } from "../../src/pool/authoriser.ts";
import { encodeAuthorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { parsePoolUrl } from "../../src/upstream/pool-url.ts";
import type { Fields } from "../support/messages.ts";
import { startServer } from "../support/server.ts";
import { replaceBy, sniff } from "../support/sniffer.ts";

/** The test server's authority, and somebody else's: x coordinates of BIP340's test vectors 0 and 1. */
const KEY = encodeAuthorityPublicKey(fromHex("f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"));
const OTHER = encodeAuthorityPublicKey(fromHex("dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"));

const OPTIONS: PoolCheckOptions = {
  rollableBytes: 8,
  workerNames: true,
  connectTimeoutMs: 5000,
  idleTimeoutMs: 60_000,
  versionRollingMask: 0x1fffe000,
};

function check(url: string, changes: Partial<PoolCheckOptions> = {}): Promise<Finding[]> {
  const pool = { name: "main", url, address: parsePoolUrl(url), userIdentity: "account.farm" };
  return checkPool(pool, { ...OPTIONS, ...changes });
}

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

describe("a pool", () => {
  test("a pool that speaks SV2 and has the right key is in order", async () => {
    const { address } = await startServer();
    for (const scheme of ["stratum2+tcp", "stratum+tcp", "tcp"]) {
      const findings = await check(`${scheme}://${address}/${KEY}`);
      expect(findings.map(({ result }) => result)).toEqual(["ok", "ok", "ok", "ok", "ok"]);
      expect(findings.map(({ detail }) => detail)).toEqual([
        "127.0.0.1 is an address",
        `${address} takes connections`,
        "it speaks Stratum V2, and its key is the one of the URL",
        expect.stringMatching(
          /^it opens a channel for "account\.farm": 16 bytes of extranonce, shares from difficulty .*; workers are named to it$/,
        ),
        expect.stringMatching(/^its first job for block \d+ came \d+ ms after we dialled$/),
      ]);
    }
  });

  test("without a key in the URL it says that anybody may answer", async () => {
    const { address } = await startServer();
    const findings = await check(`stratum2+tcp://${address}`);
    expect(findings[2]).toMatchObject({ result: "warning", detail: expect.stringContaining("key was not checked") });
    expect(findings.at(-1)?.result).toBe("ok");
  });

  test("another authority than the URL's", async () => {
    const { address } = await startServer();
    const last = (await check(`stratum2+tcp://${address}/${OTHER}`)).at(-1);
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
    const last = (await check(`stratum+tcp://${address}`)).at(-1);
    expect(last).toMatchObject({
      result: "failed",
      detail: expect.stringContaining("the pool speaks Stratum V1 only"),
    });
    expect(last?.fix).toContain("its Stratum V2 address");
  });

  test("something else that listens", async () => {
    const address = await pool((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const last = (await check(`stratum2+tcp://${address}`)).at(-1);
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
    const last = (await check(`stratum2+tcp://127.0.0.1:${port}`)).at(-1);
    expect(last).toMatchObject({ result: "failed", detail: expect.stringContaining("ECONNREFUSED") });
    expect(last?.fix).toContain("firewalls");
  });

  test("a name that does not resolve", async () => {
    const [dns] = await check("stratum2+tcp://pool.invalid:3333");
    expect(dns).toMatchObject({ result: "failed", fix: expect.stringContaining("DNS") });
  });

  test("a pool that refuses the connection, and why", async () => {
    const server = await startServer();
    const refusal: Fields<"SetupConnectionError"> = { flags: 4, errorCode: "unsupported-feature-flags" };
    const middle = await sniff(server, {
      direction: "toDownstream",
      name: "SetupConnectionSuccess",
      action: replaceBy("SetupConnectionError", refusal),
    });
    const findings = await check(`stratum2+tcp://${middle.address}/${KEY}`);
    expect(findings.map(({ result }) => result)).toEqual(["ok", "ok", "ok", "failed"]);
    expect(findings.at(-1)?.detail).toContain("unsupported-feature-flags");
    expect(findings.at(-1)?.fix).toContain("version_rolling_mask");
  });

  test("a pool that does not know the user", async () => {
    const { address } = await startServer({ authoriser: allowListAuthoriser(["somebody.*"]) });
    const findings = await check(`stratum2+tcp://${address}/${KEY}`);
    expect(findings.map(({ result }) => result)).toEqual(["ok", "ok", "ok", "failed"]);
    expect(findings.at(-1)?.detail).toContain("unknown-user");
    expect(findings.at(-1)?.fix).toContain("`user` in [upstream]");
  });

  test("a pool that leaves too few bytes of extranonce", async () => {
    const { address } = await startServer();
    const findings = await check(`stratum2+tcp://${address}/${KEY}`, { rollableBytes: 14 });
    expect(findings.map(({ result }) => result)).toEqual(["ok", "ok", "ok", "failed"]);
    expect(findings.at(-1)?.fix).toContain("extranonce_bytes");
  });

  test("a pool that opens a channel and has no job", async () => {
    const { address } = await startServer({ template: null });
    const findings = await check(`stratum2+tcp://${address}/${KEY}`, { connectTimeoutMs: 500 });
    expect(findings.map(({ result }) => result)).toEqual(["ok", "ok", "ok", "ok", "failed"]);
    expect(findings.at(-1)?.detail).toContain("stage waiting");
    expect(findings.at(-1)?.fix).toContain("its own node is away");
  });

  test("a pool that does not track workers says so", async () => {
    const { address } = await startServer();
    const findings = await check(`stratum2+tcp://${address}/${KEY}`, { workerNames: false });
    expect(findings[3]?.detail).toMatch(/it tracks no workers$/);
  });
});
