/** A QUIC listener on loopback, and clients of it, for tests of the transport alone. */
import { afterEach } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { dialQuic, type QuicDialOptions } from "../../src/client/dial-quic.ts";
import type { Dial, Link } from "../../src/client/link.ts";
import type { ServerAddress } from "../../src/client/url.ts";
import type { Stream, StreamListener } from "../../src/pool/transport.ts";
import { type QuicOptions, QuicTransport } from "../../src/pool/transports/quic.ts";
import { openClient } from "../../src/quic/client-socket.ts";
import { clientConfig, type QuicCertificate } from "../../src/quic/config.ts";
import type { QuicConnection } from "../../src/quic/connection.ts";
import { loadQuiche } from "../../src/quic/quiche.ts";
import type { QuicStream } from "../../src/quic/stream.ts";
import { type OpenUdp, openUdp, type UdpSocket } from "../../src/quic/udp.ts";
import { pinOf, selfSigned } from "./certificates.ts";
import { until } from "./until.ts";

const never = new AbortController().signal;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Runs `cleanup` when the test is over. */
export function later(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** The server's certificate. */
export const CERTIFICATE: QuicCertificate = await selfSigned();

/** Everything that a stream tells. */
export class Recorder implements StreamListener {
  readonly chunks: Uint8Array[] = [];
  drains = 0;
  readonly closes: (Error | undefined)[] = [];

  onData(bytes: Uint8Array): void {
    this.chunks.push(bytes);
  }

  onDrain(): void {
    this.drains += 1;
  }

  onClose(cause: Error | undefined): void {
    this.closes.push(cause);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** A listener and the streams that came. */
export interface QuicWorld {
  readonly transport: QuicTransport;
  readonly port: number;
  readonly streams: { readonly stream: Stream; readonly seen: Recorder }[];
  certificate: QuicCertificate;
  /** From now on nothing leaves, as if the process had been killed; the port is free. */
  crash(): Promise<void>;
}

/** Starts a listener whose streams are recorded; `echo` sends back what comes. */
export async function quicWorld(options: Partial<QuicOptions> & { readonly echo?: boolean } = {}): Promise<QuicWorld> {
  const streams: QuicWorld["streams"] = [];
  const world: Pick<QuicWorld, "certificate"> = { certificate: CERTIFICATE };
  let socket: UdpSocket | undefined;
  let crashed = false;
  const udp: OpenUdp = async (...how) => {
    const opened = await openUdp(...how);
    socket = opened;
    return { ...opened, send: (...datagram) => crashed || opened.send(...datagram) };
  };
  const transport = new QuicTransport(
    { clock: systemClock, udp, random: systemRandom(), quiche: loadQuiche, certificate: () => world.certificate },
    { host: "127.0.0.1", port: 0, ...options },
  );
  transport.onStream((stream) => {
    const seen = new Recorder();
    streams.push({ stream, seen });
    stream.attach({
      onData(bytes) {
        seen.onData(bytes);
        if (options.echo === true) stream.write(bytes);
      },
      onDrain: () => seen.onDrain(),
      onClose: (cause) => seen.onClose(cause),
    });
  });
  await transport.start(never);
  later(() => transport.stop());
  const port = Number(transport.address?.split(":").at(-1));
  return Object.assign(world, {
    transport,
    port,
    streams,
    async crash() {
      crashed = true;
      await socket?.close();
    },
  });
}

/** What a link heard. */
export interface Heard {
  readonly link: Link;
  readonly chunks: Uint8Array[];
  readonly closes: string[];
}

/** A `Dial` of its own: nothing is shared with another one. */
export function dialer(options: QuicDialOptions = {}, authorities: readonly string[] = []): Dial {
  return dialQuic(
    { clock: systemClock, random: systemRandom(), udp: openUdp, quiche: loadQuiche, authorities: () => authorities },
    options,
  );
}

/** The address of a listener whose certificate is the test's. */
export function at(port: number, more: Partial<ServerAddress> = {}): ServerAddress {
  return { transport: "quic", host: "127.0.0.1", port, noise: false, certSha256: pinOf(CERTIFICATE), ...more };
}

/** Dials and records. */
export async function hear(
  dial: Dial,
  server: ServerAddress,
  signal: AbortSignal = new AbortController().signal,
): Promise<Heard> {
  const chunks: Uint8Array[] = [];
  const closes: string[] = [];
  const link = await dial(
    server,
    { onData: (bytes) => void chunks.push(bytes), onClose: (reason) => void closes.push(reason) },
    signal,
  );
  later(() => link.destroy());
  return { link, chunks, closes };
}

/** What a client without a dialler may do differently. */
export interface RawClientOptions {
  readonly keepAliveMs?: number;
  readonly idleTimeoutMs?: number;
  readonly handshakeTimeoutMs?: number;
  /** Says nothing more after so many datagrams. */
  readonly muteAfter?: number;
}

/** A client's connection and how it ended. */
export interface RawClient {
  readonly connection: QuicConnection;
  readonly closes: readonly (Error | undefined)[];
  /** Sends a datagram from the connection's own socket, past the connection. */
  sendRaw(datagram: Uint8Array): void;
}

/** A client's connection without a dialler, whose streams can be left unread. */
export async function rawClient(port: number, options: RawClientOptions = {}): Promise<RawClient> {
  const quiche = await loadQuiche();
  const closes: (Error | undefined)[] = [];
  const { muteAfter = Number.POSITIVE_INFINITY } = options;
  const remote = { host: "127.0.0.1", port };
  let sent = 0;
  let sendRaw = (_datagram: Uint8Array): void => undefined;
  const connection = await openClient(
    {
      quiche,
      clock: systemClock,
      random: systemRandom(),
      async udp(...how) {
        const socket = await openUdp(...how);
        sendRaw = (datagram) => socket.send(datagram, remote);
        return {
          ...socket,
          send(...datagram) {
            sent += 1;
            if (sent <= muteAfter) socket.send(...datagram);
          },
        };
      },
      config: clientConfig(quiche, undefined, options.idleTimeoutMs ?? 30_000),
      verify: () => undefined,
      onClosed: (cause) => void closes.push(cause),
    },
    {
      remote,
      serverName: undefined,
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? 5000,
      keepAliveMs: options.keepAliveMs ?? 10_000,
    },
  );
  later(() => connection.close(0));
  return { connection, closes, sendRaw: (datagram) => sendRaw(datagram) };
}

/** Opens a stream that must be there, and records it. */
export function openStream({ connection }: RawClient): { readonly stream: QuicStream; readonly seen: Recorder } {
  const stream = connection.openStream();
  if (stream === undefined) throw new Error("the server allows no more streams");
  const seen = new Recorder();
  stream.attach(seen);
  return { stream, seen };
}

/** The text that was heard once it is `text`. */
export async function hears({ chunks }: { readonly chunks: readonly Uint8Array[] }, text: string): Promise<void> {
  await until(`${text} is heard`, () => Buffer.concat(chunks).toString().includes(text));
}
