/** Our client over TLS: which servers it trusts in each of the three ways of an address, and what it says of the others. */
import { once } from "node:events";
import { createServer as createTcpServer, type Server } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { dialTls } from "../../src/client/dial-tls.ts";
import type { Link } from "../../src/client/link.ts";
import type { ServerAddress } from "../../src/client/url.ts";
import { type Fault, describe as words } from "../../src/kernel/fault.ts";
import { pinOf, selfSigned, TestAuthority, type TestPem } from "../support/certificates.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { tlsStage } from "../support/tls-stage.ts";
import { pause, until } from "../support/until.ts";

const never = new AbortController().signal;
const AUTHORITY_KEY = new Uint8Array(32).fill(7);

let authority: TestAuthority;
let good: TestPem;
beforeAll(async () => {
  authority = await TestAuthority.make();
  good = await authority.issue();
});

/** Dials, has its bytes come back, and hangs up; rejects with the fault. */
async function talk(server: ServerAddress, own?: TestPem): Promise<void> {
  let seen = "";
  let closed: string | undefined;
  const identity = own === undefined ? {} : { identity: async () => own };
  const link = await dialTls({ clock: systemClock, ...identity }, { ca: authority.pem })(
    server,
    {
      onData: (bytes) => {
        seen += new TextDecoder().decode(bytes);
      },
      onClose: (reason) => {
        closed = reason;
      },
    },
    never,
  );
  link.write(new TextEncoder().encode("hello"));
  await until("it came back", () => seen === "hello" || closed !== undefined);
  link.end();
  await until("it is closed", () => closed !== undefined);
  link.write(new Uint8Array(1));
  expect(seen).toBe("hello");
}

/** A listener that is none of ours. */
async function listen(server: Server): Promise<ServerAddress> {
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { transport: "tls", host: "127.0.0.1", port, noise: false };
}

function foreign(options: TlsOptions): Promise<ServerAddress> {
  return listen(createServer({ cert: good.chain, key: good.key, ...options }, (socket) => void socket.resume()));
}

describe("an address with neither pin nor authority key, or with Noise off", () => {
  test("trusts a certificate of a known authority, by name or by address", async () => {
    const stage = await tlsStage(good);
    for (const host of ["127.0.0.1", "localhost"]) await talk(stage.server({ host }));
    await talk(stage.server({ noise: true }));
  });

  test.each<[string, () => Promise<TestPem>, string]>([
    ["vouches for itself", () => selfSigned(), "self-signed"],
    ["is of an unknown authority", async () => (await TestAuthority.make("another")).issue(), "not one of those"],
    ["has ended", () => authority.issue({ days: [-9, -1] }), "it has ended"],
    ["is not in force yet", () => authority.issue({ days: [1, 9] }), "not in force yet"],
    ["is for other names", () => authority.issue({ names: [{ type: "dns", value: "pool.example" }] }), "other names"],
    ["is a client's", () => authority.issue({ usage: ["client"] }), "another purpose"],
  ])("refuses a certificate that %s, in words", async (_, make, reason) => {
    const stage = await tlsStage(await make());
    for (const server of [stage.server(), stage.server({ authorityPublicKey: AUTHORITY_KEY })]) {
      const fault: Fault = await talk(server).then(
        () => expect.unreachable(),
        (error: Fault) => error,
      );
      expect(fault).toMatchObject({ code: "server-certificate", data: { reason: expect.stringContaining(reason) } });
      expect(fault.help).toContain("cert-sha256");
    }
  });
});

describe("an address with a fingerprint", () => {
  test("trusts exactly that certificate, whoever made it and whatever it says", async () => {
    for (const pem of [
      await selfSigned({ days: [-9, -1], names: [{ type: "dns", value: "pool.example" }] }),
      await authority.issue({ days: [1, 9] }),
    ]) {
      const stage = await tlsStage(pem);
      await talk(stage.server({ certSha256: pinOf(pem) }));
      await talk(stage.server({ certSha256: pinOf(pem), noise: true, authorityPublicKey: AUTHORITY_KEY }));
    }
  });

  test("refuses any other, also a good one, and an authority key does not help it", async () => {
    const stage = await tlsStage(good);
    const certSha256 = pinOf(await authority.issue());
    for (const more of [{}, { noise: true, authorityPublicKey: AUTHORITY_KEY }]) {
      await expect(talk(stage.server({ certSha256, ...more }))).rejects.toMatchObject({
        code: "server-certificate",
        message: expect.stringContaining("another one than the address names"),
      });
    }
  });
});

test("an address with an authority key leaves the certificate to the Noise handshake inside", async () => {
  const stage = await tlsStage(await selfSigned({ names: [{ type: "dns", value: "pool.example" }] }));
  await talk(stage.server({ noise: true, authorityPublicKey: AUTHORITY_KEY }));
});

describe("a server that is none of ours", () => {
  const refused = (server: ServerAddress): Promise<void> =>
    expect(talk(server)).rejects.toMatchObject({ code: "server-no-sv2" });

  test("speaks TLS 1.2 at most", async () => {
    await refused(await foreign({ maxVersion: "TLSv1.2", ALPNProtocols: ["sv2"] }));
  });

  test("chooses no protocol, or has another one", async () => {
    await refused(await foreign({}));
    await refused(await foreign({ ALPNProtocols: ["http/1.1"] }));
  });

  test("speaks no TLS", async () => {
    await refused(await listen(createTcpServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))));
  });

  test("hangs up, or is not there", async () => {
    const closing = await listen(createTcpServer((socket) => void socket.destroy()));
    await expect(talk(closing)).rejects.toMatchObject({ code: "server-unreachable" });
    const gone = createTcpServer();
    const server = await listen(gone);
    gone.close();
    await once(gone, "close");
    const fault: unknown = await talk(server).catch((error: unknown) => error);
    expect(words(fault)).toContain("ECONNREFUSED");
  });

  test("wants a client certificate: ours is shown, and one of another authority does not help", async () => {
    const stage = await tlsStage({ ...good, clientCa: authority.pem });
    await talk(stage.server(), await authority.issue({ usage: ["client"] }));
    const before = stage.streams.length;
    await expect(talk(stage.server(), await (await TestAuthority.make("another")).issue())).rejects.toThrow();
    expect(stage.streams).toHaveLength(before);
  });

  test("wants a client certificate that we have not", async () => {
    const stage = await tlsStage({ ...good, clientCa: authority.pem });
    await expect(talk(stage.server())).rejects.toThrow();
    expect(stage.streams).toEqual([]);
  });

  test("drips its handshake: given up at the deadline, however often a byte comes", async () => {
    const clock = new FakeClock();
    const server = await listen(
      createTcpServer((socket) => {
        socket.on("error", () => undefined);
        const timer = setInterval(() => socket.write(Uint8Array.of(22)), 20);
        socket.on("close", () => clearInterval(timer));
      }),
    );
    const dialled = dialTls({ clock })(server, { onData: () => undefined, onClose: () => undefined }, never);
    const ended = expect(dialled).rejects.toMatchObject({
      code: "server-unreachable",
      data: { reason: expect.stringContaining("no TLS handshake within 10000 ms") },
    });
    await pause(100);
    clock.advance(10_000);
    await ended;
    expect(clock.pending).toBe(0);
  });
});

test("a signal ends the attempt, before it and during it", async () => {
  const silent = await listen(createTcpServer((socket) => void socket.on("error", () => undefined)));
  const stop = new AbortController();
  const dial = (): Promise<Link> =>
    dialTls({ clock: systemClock })(silent, { onData: () => undefined, onClose: () => undefined }, stop.signal);
  const dialled = dial();
  stop.abort(new Error("stopped"));
  await expect(dialled).rejects.toThrow("stopped");
  await expect(dial()).rejects.toThrow("stopped");
});
