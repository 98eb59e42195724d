/**
 * The transports that the session tests run over, as one table: how the server listens and how a scripted client reaches it.
 * What a session promises, it promises on every row.
 */
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { pathToFileURL } from "node:url";
import { systemRandom } from "../../src/app/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import type { Log } from "../../src/kernel/log.ts";
import type { Door } from "../../src/pool/door.ts";
import type { Transport } from "../../src/pool/transport.ts";
import { type CertificatePem, readCertificate } from "../../src/pool/transports/certificate.ts";
import { QuicTransport } from "../../src/pool/transports/quic.ts";
import { QuicProcess } from "../../src/pool/transports/quic-process.ts";
import { TcpTransport } from "../../src/pool/transports/tcp.ts";
import { TlsTransport } from "../../src/pool/transports/tls.ts";
import { loadQuiche } from "../../src/quic/quiche.ts";
import { openUdp } from "../../src/quic/udp.ts";
import { selfSigned } from "./certificates.ts";
import { QuicDuplex } from "./quic-duplex.ts";
import { ROOT } from "./sources.ts";

/** A client's end of a stream. */
export type Wire = Duplex & {
  readonly localPort?: number | undefined;
  /** Vanishes without a goodbye, as a crashed device does. */
  resetAndDestroy(): unknown;
};

/** One row. */
export interface TestTransport {
  readonly name: string;
  /** Whether Noise runs inside. */
  readonly noise: boolean;
  /** The server's side on a free loopback port, to be started. */
  listen(deps: { readonly door: Door; readonly clock: Clock; readonly log: Log }): Promise<Transport>;
  /** A client's side, open for bytes. Rejects when the server closes before. */
  reach(address: string): Promise<Wire>;
}

const ANYWHERE = { host: "127.0.0.1", port: 0 };

/** A self-signed certificate that all tests of this process share. */
const certificate = selfSigned();

/** A TLS listener's source of one certificate for ever. */
export function fixedCertificate(pem: CertificatePem) {
  const read = readCertificate(pem);
  return { current: () => read, onChange: () => () => undefined };
}

/** `host:port` taken apart. */
export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

/** Stratum V2's own transport. */
export const TCP: TestTransport = {
  name: "TCP",
  noise: true,
  listen: async () => new TcpTransport({}, ANYWHERE),
  async reach(address) {
    const socket = connectTcp({ ...hostAndPort(address), noDelay: true, allowHalfOpen: true });
    await opened(socket, "connect");
    return socket;
  },
};

function overTls(noise: boolean): TestTransport {
  return {
    name: noise ? "TLS" : "TLS without Noise",
    noise,
    async listen(deps) {
      return new TlsTransport({ ...deps, certificates: fixedCertificate(await certificate) }, { ...ANYWHERE, noise });
    },
    async reach(address) {
      const raw = connectTcp({ ...hostAndPort(address), noDelay: true, allowHalfOpen: true });
      const socket = connectTls({ socket: raw, ALPNProtocols: ["sv2"], rejectUnauthorized: false });
      await opened(socket, "secureConnect");
      return Object.assign(socket, { resetAndDestroy: () => raw.resetAndDestroy() });
    },
  };
}

/** TLS with Noise inside, the default. */
export const TLS = overTls(true);

/** TLS with plain frames inside. */
export const PLAIN_TLS = overTls(false);

const reachQuic = async (address: string): Promise<Wire> => {
  const { host, port } = hostAndPort(address);
  return await QuicDuplex.connect(host, port);
};

/** QUIC as operators have it: in a process of its own, with Noise inside each stream. */
export const QUIC: TestTransport = {
  name: "QUIC",
  noise: true,
  async listen(deps) {
    const script = pathToFileURL(join(ROOT, "dist/src/app/quic-process.js"));
    const { handshakeTimeoutMs } = deps.door;
    const certificates = fixedCertificate(await certificate);
    return new QuicProcess({ ...deps, certificates }, { ...ANYWHERE, script, handshakeTimeoutMs });
  },
  reach: reachQuic,
};

/** QUIC with plain frames, in this process. */
export const PLAIN_QUIC: TestTransport = {
  name: "QUIC without Noise",
  noise: false,
  async listen({ clock }) {
    const pem = await certificate;
    const deps = { clock, random: systemRandom(), quiche: loadQuiche, udp: openUdp, certificate: () => pem };
    return new QuicTransport(deps, { ...ANYWHERE, noise: false });
  },
  reach: reachQuic,
};

/** Every transport as it is by default, for `describe.each`. */
export const TRANSPORTS: readonly TestTransport[] = [TCP, TLS, QUIC];

/** Those on which the operator may leave Noise out. */
export const PLAIN_TRANSPORTS: readonly TestTransport[] = [PLAIN_TLS, PLAIN_QUIC];

function opened(socket: Duplex, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the server closed the connection first")));
  });
}
