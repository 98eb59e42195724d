/** The listeners beside TCP, from what the operator wrote to what they take. */
import { join } from "node:path";
import type { CertificatePaths } from "../pool/transports/certificate-files.ts";
import { absolute, type HostPort, parseHostPort, type Settings } from "./settings.ts";

/** The TLS listener. */
export interface TlsSettings {
  readonly listen: HostPort;
  readonly noise: boolean;
}

/** The QUIC listener. */
export interface QuicSettings {
  readonly listen: HostPort;
  readonly noise: boolean;
  readonly streamsPerConnection: number;
  readonly idleTimeoutMs: number;
  readonly keepAliveMs: number;
}

/** The certificate of TLS and QUIC. */
export interface CertificateSettings {
  /** Absolute. */
  readonly paths: CertificatePaths;
  /** Whether it is ours to make at the first start. */
  readonly selfSigned: boolean;
}

/** The TLS listener; `undefined` when there is none. Throws `Fault("config-listen-address")`. */
export function tlsOf({ config: { tls } }: Pick<Settings, "config">): TlsSettings | undefined {
  if (tls.listen_addr === undefined) return undefined;
  return { listen: parseHostPort(tls.listen_addr), noise: tls.noise };
}

/** The QUIC listener; `undefined` when there is none. Throws `Fault("config-listen-address")`. */
export function quicOf({ config: { quic } }: Pick<Settings, "config">): QuicSettings | undefined {
  if (quic.listen_addr === undefined) return undefined;
  return {
    listen: parseHostPort(quic.listen_addr),
    noise: quic.noise,
    streamsPerConnection: quic.streams_per_connection,
    idleTimeoutMs: quic.idle_timeout_s * 1000,
    keepAliveMs: quic.keep_alive_s * 1000,
  };
}

/** The certificate, whether a listener needs it or not. */
export function certificateOf({
  config: { tls },
  folder,
  dataDir,
}: Pick<Settings, "config" | "folder" | "dataDir">): CertificateSettings {
  const { certificate_file: chain, key_file: key, client_ca_file: ca } = tls;
  const clientCa = ca === undefined ? undefined : absolute(ca, folder);
  if (chain === undefined || key === undefined) {
    return {
      paths: { chain: join(dataDir, "tls-cert.pem"), key: join(dataDir, "tls-key.pem"), clientCa },
      selfSigned: true,
    };
  }
  return { paths: { chain: absolute(chain, folder), key: absolute(key, folder), clientCa }, selfSigned: false };
}
