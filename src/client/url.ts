/**
 * Addresses of SV2 servers as text: `stratum2+tcp://host:port/authority-key` (sv2-spec 4.7), and of our own kind for the other
 * transports `stratum2+tls://` and `stratum2+quic://`, with `?noise=off` and `?cert-sha256=HEX` (docs/transports.md).
 */
import { fromHex, toHex } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { decodeAuthorityPublicKey, encodeAuthorityPublicKey } from "../sv2/noise/authority-key.ts";

/** What carries an SV2 connection. */
export const TRANSPORT_NAMES = ["tcp", "tls", "quic"] as const;

/** One of them. */
export type TransportName = (typeof TRANSPORT_NAMES)[number];

/** Where a server listens, on what, and who vouches for it. */
export interface ServerAddress {
  readonly transport: TransportName;
  /** Host name or IP address, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether the Noise handshake runs inside the transport; on TCP always. */
  readonly noise: boolean;
  /** x-only key (32 bytes); without it the server's Noise certificate cannot be checked. */
  readonly authorityPublicKey?: Uint8Array;
  /**
   * SHA-256 of the server's TLS certificate, DER (32 bytes), which must be exactly that one. Left out, it is checked against the
   * system's authorities, but not where an authority key inside vouches for the server already.
   */
  readonly certSha256?: Uint8Array;
}

const URL_FORM = "stratum2+tcp://host:port/authority-key";

const URL =
  /^(?:stratum2\+(tcp|tls|quic)|tcp):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^\s/:[\]@?#]+)):(\d{1,5})(?:\/([^/?#]*))?(?:\?([^#]*))?$/;

const HEX_32 = /^[0-9a-fA-F]{64}$/;

/** The text of an address; what is left out has its default. */
export function printServerUrl(server: ServerAddress): string {
  const { transport, host, port, noise, authorityPublicKey: key, certSha256 } = server;
  const path = key === undefined ? "" : `/${encodeAuthorityPublicKey(key)}`;
  const query = [
    ...(noise ? [] : ["noise=off"]),
    ...(certSha256 === undefined ? [] : [`cert-sha256=${toHex(certSha256)}`]),
  ].join("&");
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return `stratum2+${transport}://${authority}${path}${query === "" ? "" : `?${query}`}`;
}

/** Reads such a text; `tcp://` is taken for `stratum2+tcp://`. Throws `Fault("sv2-url-invalid")`, or `authority-key-invalid` when only the key is wrong. */
export function parseServerUrl(text: string): ServerAddress {
  const invalid = (why: string): Fault =>
    new Fault("sv2-url-invalid", { expected: URL_FORM, found: text.slice(0, 200), why });
  const match = URL.exec(text);
  const host = match?.[2] ?? match?.[3];
  const port = Number(match?.[4]);
  if (match === null || host === undefined) throw invalid("its form");
  if (!(port >= 1 && port <= 65535)) throw invalid("the port");
  const transport = (match[1] ?? "tcp") as TransportName;
  const options = readQuery(match[6] ?? "", invalid);
  if (transport === "tcp" && (!options.noise || options.certSha256 !== undefined)) {
    throw invalid("on TCP there is Noise always, and no TLS certificate");
  }
  const key = match[5];
  return key === undefined || key === ""
    ? { transport, host, port, ...options }
    : { transport, host, port, ...options, authorityPublicKey: decodeAuthorityPublicKey(key) };
}

function readQuery(query: string, invalid: (why: string) => Fault): Pick<ServerAddress, "noise" | "certSha256"> {
  let noise = true;
  let certSha256: Uint8Array | undefined;
  for (const part of query === "" ? [] : query.split("&")) {
    const at = part.indexOf("=");
    const [name, value] = [part.slice(0, at), part.slice(at + 1)];
    if (name === "noise" && (value === "on" || value === "off")) noise = value === "on";
    else if (name === "cert-sha256" && HEX_32.test(value)) certSha256 = fromHex(value);
    else throw invalid("behind the question mark may be noise=off and cert-sha256=64 hex digits");
  }
  return certSha256 === undefined ? { noise } : { noise, certSha256 };
}
