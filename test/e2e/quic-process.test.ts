/** QUIC in its own process: a stream is the same stream, and whatever becomes of the process costs QUIC's peers a reconnect and the server nothing. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import type { Fault } from "../../src/kernel/fault.ts";
import type { Stream } from "../../src/pool/transport.ts";
import { type Certificate, type CertificateSource, readCertificate } from "../../src/pool/transports/certificate.ts";
import { QuicProcess, type QuicProcessOptions } from "../../src/pool/transports/quic-process.ts";
import { pinOf, selfSigned } from "../support/certificates.ts";
import {
  at,
  CERTIFICATE,
  dialer,
  hear,
  hears,
  later,
  openStream,
  quicWorld,
  Recorder,
  rawClient,
} from "../support/quic-world.ts";
import { recordingLog } from "../support/recording-log.ts";
import { ROOT } from "../support/sources.ts";
import { pause, until } from "../support/until.ts";

const SCRIPT = pathToFileURL(join(ROOT, "dist/src/app/quic-process.js"));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const never = new AbortController().signal;

async function start(options: Partial<QuicProcessOptions> & { readonly echo?: boolean } = {}) {
  const log = recordingLog();
  const streams: { stream: Stream; seen: Recorder }[] = [];
  let onChange = (): void => undefined;
  const world = {
    certificate: readCertificate(CERTIFICATE),
    renew(certificate: Certificate) {
      world.certificate = certificate;
      onChange();
    },
  };
  const certificates: CertificateSource = {
    current: () => world.certificate,
    onChange(listener) {
      onChange = () => listener(world.certificate);
      return () => undefined;
    },
  };
  const { echo = true, ...rest } = options;
  const transport = new QuicProcess(
    { clock: systemClock, log, certificates },
    { host: "127.0.0.1", port: 0, script: SCRIPT, ...rest },
  );
  transport.onStream((stream) => {
    const seen = new Recorder();
    streams.push({ stream, seen });
    stream.attach({
      onData(chunk) {
        seen.onData(chunk);
        if (echo) stream.write(chunk);
      },
      onDrain: () => seen.onDrain(),
      onClose: (cause) => seen.onClose(cause),
    });
  });
  later(() => transport.stop());
  await transport.start(never);
  const port = Number(transport.address?.split(":").at(-1));
  return Object.assign(world, { transport, streams, log, port });
}

describe("a stream through the process", () => {
  test("carries bytes both ways, ends in order, and is reset", async () => {
    const world = await start();
    const dial = dialer();
    const one = await hear(dial, at(world.port));
    const much = new Uint8Array(200_000).fill(5);
    one.link.write(much);
    one.link.end();
    await until("all came back", () => one.closes.length === 1);
    expect(Buffer.concat(one.chunks).equals(much)).toBe(true);
    await until("the server knows", () => world.streams[0]?.seen.closes.length === 1);
    expect(world.streams[0]?.seen.closes).toEqual([undefined]);
    expect(world.streams[0]?.stream.remoteAddress).toBe("127.0.0.1");
    const two = await hear(dial, at(world.port));
    two.link.write(bytes("x"));
    await hears(two, "x");
    world.streams[1]?.stream.destroy();
    await until("the client knows", () => two.closes.length === 1);
    expect(two.closes[0]).toContain("reset");
  });

  test("holds its writer while the client does not read, and its client while it is not read", async () => {
    const world = await start({ echo: false });
    const client = await rawClient(world.port);
    const { stream, seen } = openStream(client);
    stream.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    const ours = world.streams[0];
    if (ours === undefined) throw new Error("it came");
    stream.pause();
    for (let i = 0; i < 30; i++) ours.stream.write(new Uint8Array(64 * 1024));
    await pause(300);
    expect(ours.stream.bufferedBytes).toBeGreaterThan(1_400_000);
    expect(ours.seen.drains).toBe(0);
    stream.resume();
    await until("all arrived", () => seen.bytes.length === 30 * 64 * 1024);
    await until("the server knows", () => ours.seen.drains === 1 && ours.stream.bufferedBytes === 0);
    ours.stream.pause();
    await pause(100);
    stream.write(new Uint8Array(1_000_000));
    await pause(300);
    expect(stream.bufferedBytes).toBeGreaterThan(900_000);
    expect(ours.seen.bytes.length).toBe(1);
    ours.stream.resume();
    await until("all arrived", () => ours.seen.bytes.length === 1_000_001);
  });
});

describe("the process", () => {
  test.each([
    ["is killed", "SIGKILL", {}],
    ["hangs", "SIGSTOP", { answerMs: 1500 }],
  ] as const)("that %s is started anew at the same port, and its streams are closed", async (_how, signal, options) => {
    const world = await start(options);
    const all = await Promise.all(Array.from({ length: 20 }, () => hear(dialer(), at(world.port))));
    for (const { link } of all) link.write(bytes("x"));
    await until("all came", () => world.streams.length === 20);
    const { pid } = world.transport;
    if (pid === undefined) throw new Error("it runs");
    process.kill(pid, signal);
    await until("all are closed", () => world.streams.every(({ seen }) => seen.closes.length === 1));
    expect(world.streams[0]?.seen.closes[0]?.message).toContain("the QUIC process is gone");
    await until("it is back", () => world.log.lines.some(({ message }) => message.includes("QUIC is served again")));
    expect(world.transport.pid).not.toBe(pid);
    // The new process knows nothing of the old connections and says so to the first packet of each.
    for (const { link } of all) link.write(bytes("still there?"));
    await until("the clients know", () => all.every(({ closes }) => closes.length === 1));
    const again = await hear(dialer(), at(world.port));
    again.link.write(bytes("again"));
    await hears(again, "again");
  });

  test("that grows beyond its memory is started anew", async () => {
    const world = await start({ maxBytes: 1 << 20 });
    await until("it is told", () => world.log.lines.some(({ message }) => /has grown to \d+ MiB/.test(message)));
  });

  test("says why it cannot serve", async () => {
    const world = await quicWorld();
    const taken = await start({ port: world.port }).catch((error: Fault) => error);
    expect((taken as Fault).code).toBe("listen-failed");
    const lost = await start({ script: new URL("file:///nowhere/quic-process.js") }).catch((error: Fault) => error);
    expect((lost as Fault).code).toBe("quic-missing");
  });

  test("takes a new certificate, and says when it cannot", async () => {
    const world = await start();
    world.renew({ ...world.certificate, key: "nonsense" });
    await until("it says so", () => world.log.lines.some(({ message }) => message.includes("former certificate")));
    const renewed = await selfSigned();
    world.renew(readCertificate(renewed));
    const heard = await hear(dialer(), at(world.port, { certSha256: pinOf(renewed) }));
    heard.link.write(bytes("hello"));
    await hears(heard, "hello");
  });

  test("brings the last bytes when it is stopped, and is gone then", async () => {
    const world = await start({ echo: false });
    const heard = await hear(dialer(), at(world.port));
    heard.link.write(bytes("x"));
    await until("it came", () => world.streams.length === 1);
    const { pid } = world.transport;
    world.transport.refuse();
    world.streams[0]?.stream.write(bytes("goodbye"));
    world.streams[0]?.stream.end();
    await world.transport.stop();
    await until("the client knows", () => heard.closes.length === 1);
    expect(Buffer.concat(heard.chunks).toString()).toBe("goodbye");
    expect(() => process.kill(pid ?? 0, 0)).toThrow();
    expect(world.streams[0]?.seen.closes).toEqual([undefined]);
  });
});
