/** Who a QUIC client takes for its server, whom a server lets in, and what is said when the pieces for it are not there. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { dialQuic } from "../../src/client/dial-quic.ts";
import { Fault } from "../../src/kernel/fault.ts";
import { QuicTransport } from "../../src/pool/transports/quic.ts";
import { loadQuiche } from "../../src/quic/quiche.ts";
import { openUdp } from "../../src/quic/udp.ts";
import { pinOf, selfSigned } from "../support/certificates.ts";
import { at, CERTIFICATE, dialer, hear, hears, later, quicWorld } from "../support/quic-world.ts";
import { until } from "../support/until.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const deps = { clock: systemClock, random: systemRandom(), udp: openUdp };

describe("a client", () => {
  test("takes the server whose certificate has the fingerprint in its address, and no other", async () => {
    const world = await quicWorld({ echo: true });
    const heard = await hear(dialer(), at(world.port));
    heard.link.write(bytes("hello"));
    await hears(heard, "hello");
    const wrong = createHash("sha256").update("another certificate").digest();
    const error = await failed(hear(dialer(), at(world.port, { certSha256: wrong })));
    expect(error).toMatchObject({
      code: "server-certificate",
      data: { reason: "it is another one than the address names" },
    });
    await until("the server is told", () => world.transport.connections <= 1);
  });

  test("checks chain and name where nothing else vouches for the server", async () => {
    const world = await quicWorld({ echo: true });
    const { certSha256: _, ...plain } = at(world.port);
    const trusting = dialer({}, [CERTIFICATE.chain]);
    const byAddress = await hear(trusting, plain);
    byAddress.link.write(bytes("hello"));
    await hears(byAddress, "hello");
    const byName = await hear(trusting, { ...plain, host: "localhost" });
    byName.link.write(bytes("hello"));
    await hears(byName, "hello");
    const other = await selfSigned();
    const stranger = await failed(hear(dialer({}, [other.chain]), plain));
    expect(stranger).toMatchObject({
      code: "server-certificate",
      data: { reason: "no authority that is trusted vouches for it" },
    });
    world.certificate = await selfSigned({ names: [{ type: "dns", value: "pool.example.com" }] });
    world.transport.renew();
    const misnamed = await failed(hear(dialer({}, [world.certificate.chain]), plain));
    expect(misnamed).toMatchObject({ code: "server-certificate", data: { reason: "it is for other names" } });
  });

  test("leaves it to Noise where the address has an authority key", async () => {
    const world = await quicWorld({ echo: true });
    const { certSha256: _, ...plain } = at(world.port);
    const heard = await hear(dialer(), { ...plain, noise: true, authorityPublicKey: new Uint8Array(32) });
    heard.link.write(bytes("hello"));
    await hears(heard, "hello");
  });

  test("says so when the library is not there", async () => {
    const dial = dialQuic({
      ...deps,
      quiche: () => Promise.reject(new Error("no such package")),
      authorities: () => [],
    });
    expect(((await failed(hear(dial, at(1)))) as Fault).code).toBe("transport-unavailable");
  });

  test("gives up a server that does not answer, and one whose name is unknown, in time; and at once when told to", async () => {
    const startMs = performance.now();
    const nobody = await failed(hear(dialer(), at(9)));
    expect((nobody as Fault).code).toBe("server-unreachable");
    expect(performance.now() - startMs).toBeLessThan(6000);
    const nowhere = await failed(hear(dialer(), at(9, { host: "no-such-host.invalid" })));
    expect((nowhere as Fault).code).toBe("server-unreachable");
    const stop = new AbortController();
    const stopped = failed(hear(dialer(), at(9), stop.signal));
    stop.abort(new Error("told to"));
    expect(((await stopped) as Error).message).toBe("told to");
  }, 15_000);
});

describe("a server", () => {
  test("lets in only who shows a certificate of its clients' authority, where it has one", async () => {
    const client = await selfSigned();
    const world = await quicWorld({ echo: true });
    world.certificate = { ...CERTIFICATE, clientCa: client.chain };
    world.transport.renew();
    const dial = dialQuic({ ...deps, quiche: loadQuiche, authorities: () => [], identity: async () => client });
    const heard = await hear(dial, at(world.port));
    heard.link.write(bytes("hello"));
    await hears(heard, "hello");
    const stranger = await selfSigned();
    for (const identity of [undefined, stranger]) {
      const other = dialQuic({
        ...deps,
        quiche: loadQuiche,
        authorities: () => [],
        ...(identity && { identity: async () => identity }),
      });
      const refused = await hear(other, at(world.port)).catch((error: unknown) => error);
      // In TLS 1.3 the client is through with its handshake before the server has seen its certificate.
      if (!(refused instanceof Fault)) {
        const { closes } = refused as { closes: string[] };
        await until("it is closed", () => closes.length === 1);
      }
    }
    expect(world.streams.length).toBe(1);
  });

  test("shows a renewed certificate to newcomers, keeps who is there, and keeps the former one when the new one is broken", async () => {
    const world = await quicWorld({ echo: true });
    const old = await hear(dialer(), at(world.port));
    old.link.write(bytes("before"));
    await hears(old, "before");
    const renewed = await selfSigned();
    world.certificate = renewed;
    world.transport.renew();
    const fresh = await hear(dialer(), at(world.port, { certSha256: pinOf(renewed) }));
    fresh.link.write(bytes("hello"));
    await hears(fresh, "hello");
    old.link.write(bytes("after"));
    await hears(old, "after");
    world.certificate = { ...renewed, key: "nonsense" };
    expect(() => world.transport.renew()).toThrow(expect.objectContaining({ code: "quic-certificate-invalid" }));
    const still = await hear(dialer(), at(world.port, { certSha256: pinOf(renewed) }));
    still.link.write(bytes("still"));
    await hears(still, "still");
  });

  test("says at the start what is missing or in its way", async () => {
    const start = (quiche: typeof loadQuiche, port: number): Promise<unknown> => {
      const options = { host: "127.0.0.1", port };
      const transport = new QuicTransport({ ...deps, quiche, certificate: () => CERTIFICATE }, options);
      later(() => transport.stop());
      return failed(transport.start(new AbortController().signal));
    };
    const missing = await start(() => Promise.reject(new Error("no such package")), 0);
    expect((missing as Fault).code).toBe("quic-missing");
    const world = await quicWorld();
    expect(((await start(loadQuiche, world.port)) as Fault).code).toBe("listen-failed");
  });
});
