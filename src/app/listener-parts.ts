/** How miners reach the server: the door, the listeners and their certificate. A chapter of the container. */
import { diskFiles } from "../daemon/files.ts";
import { Door } from "../pool/door.ts";
import type { ServerLimits } from "../pool/server-options.ts";
import type { Transport } from "../pool/transport.ts";
import { CertificateFiles, readFileText } from "../pool/transports/certificate-files.ts";
import { QuicProcess } from "../pool/transports/quic-process.ts";
import { TcpTransport } from "../pool/transports/tcp.ts";
import { TlsTransport } from "../pool/transports/tls.ts";
import type { LedgerTools } from "./ledger-parts.ts";
import { certificateOf, quicOf, tlsOf } from "./listener-settings.ts";
import { QUIC_PROCESS } from "./parts.ts";
import { makeSelfSigned, ownHosts } from "./self-signed.ts";
import { TOKENS } from "./tokens.ts";

/** Registers everything between a miner's connection and its session. */
export function registerListeners({ settings, part, get, log }: LedgerTools, limits: ServerLimits): void {
  const { listen } = settings;
  const [tls, quic, certificate] = [tlsOf(settings), quicOf(settings), certificateOf(settings)];
  part(TOKENS.door, () => new Door({ clock: get(TOKENS.clock), meter: get(TOKENS.meter) }, limits));
  part(TOKENS.certificates, () => {
    if (tls === undefined && quic === undefined) return undefined;
    const [clock, random] = [get(TOKENS.clock), get(TOKENS.random)];
    const { paths } = certificate;
    const make = async (): Promise<void> => {
      const hosts = ownHosts([
        listen.host,
        ...[tls, quic].flatMap((one) => (one === undefined ? [] : [one.listen.host])),
      ]);
      const made = await makeSelfSigned({ clock, random, files: diskFiles }, { paths, hosts });
      if (made)
        log("tls").info(`made a self-signed certificate: ${paths.chain}. Keep a copy of it and of ${paths.key}`);
    };
    return new CertificateFiles(
      { clock, log: log("tls"), read: readFileText, ...(certificate.selfSigned ? { make } : {}) },
      { paths },
    );
  });
  part(TOKENS.transports, () => {
    const [door, clock, certificates] = [get(TOKENS.door), get(TOKENS.clock), get(TOKENS.certificates)];
    const all: Transport[] = [new TcpTransport({ clock, log: log("tcp") }, listen)];
    if (tls !== undefined && certificates !== undefined) {
      all.push(new TlsTransport({ door, certificates, clock, log: log("tls") }, { ...tls.listen, noise: tls.noise }));
    }
    if (quic !== undefined && certificates !== undefined) {
      const { listen: address, ...options } = quic;
      const { handshakeTimeoutMs, handshakesPerSecond, connections, connectionsPerAddress, networks } = limits;
      const shared = { handshakeTimeoutMs, handshakesPerSecond, connections, connectionsPerAddress };
      all.push(
        new QuicProcess(
          { clock, log: log("quic"), certificates },
          { ...address, ...options, ...shared, ...(networks === undefined ? {} : { networks }), script: QUIC_PROCESS },
        ),
      );
    }
    return all;
  });
}
