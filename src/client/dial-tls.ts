/**
 * A stream over TLS 1.3 with the protocol `sv2` (docs/transports.md). Who vouches for the server decides how its certificate is
 * checked: a fingerprint in the address wants exactly that certificate; an authority key vouches for the server inside, in the
 * Noise handshake, so that its certificate need not be checked; else the authorities that Node.js trusts have to know it,
 * under the name that was dialled.
 */
import { isIP } from "node:net";
import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { equal, fromHex, toHex } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import type { ClientIdentitySource } from "./identity.ts";
import { CONNECT_TIMEOUT_MS, type Dial } from "./link.ts";
import { linkOver } from "./socket-link.ts";
import { certificateWords, noSv2Words } from "./tls-words.ts";
import type { ServerAddress } from "./url.ts";

const ALPN_SV2 = "sv2";

/** From dialling to the end of the handshake, ms. */
const HANDSHAKE_TIMEOUT_MS = 2 * CONNECT_TIMEOUT_MS;

/** What dialling works with. */
export interface DialTlsDeps {
  readonly clock: Clock;
  /** Our own certificate, for servers that want one; asked before each connection. */
  readonly identity?: ClientIdentitySource;
}

/** Options of `dialTls`. */
export interface DialTlsOptions {
  /** Authorities (PEM) in place of those that Node.js trusts. */
  readonly ca?: string;
}

/**
 * `Dial` over TLS. Rejects besides `Fault("server-unreachable")` with `server-certificate` for one that must not be trusted and
 * `server-no-sv2` for a server that speaks something else there, and with what `identity` rejects with.
 */
export function dialTls({ clock, identity }: DialTlsDeps, options: DialTlsOptions = {}): Dial {
  return async (server, listener, signal) => {
    const { host, port } = server;
    const checked = trust(server) === "authorities";
    const own = await identity?.();
    const socket = connect({
      host,
      port,
      // Addresses are no server names (RFC 6066 §3).
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      // Sent only to a server that asks for it.
      ...(own === undefined ? {} : { cert: own.chain, key: own.key }),
      ALPNProtocols: [ALPN_SV2],
      minVersion: "TLSv1.3",
      maxVersion: "TLSv1.3",
      // Where this is false the certificate is pinned below, or the Noise handshake inside says who the server is.
      rejectUnauthorized: checked,
    });
    socket.setNoDelay(true);
    // The socket's own timeout begins anew with every byte, so a server that sends one now and then would hold us.
    const deadline = clock.after(HANDSHAKE_TIMEOUT_MS, () => {
      socket.destroy(new Error(`no TLS handshake within ${HANDSHAKE_TIMEOUT_MS} ms`));
    });
    try {
      return await linkOver(
        socket,
        {
          server,
          openedBy: "secureConnect",
          check: () => check(server, socket),
          explain: (error) => explain(server, error, checked),
        },
        listener,
        signal,
      );
    } finally {
      deadline.cancel();
    }
  };
}

function trust({ noise, authorityPublicKey, certSha256 }: ServerAddress): "pin" | "noise" | "authorities" {
  if (certSha256 !== undefined) return "pin";
  return noise && authorityPublicKey !== undefined ? "noise" : "authorities";
}

function check(server: ServerAddress, socket: TLSSocket): Fault | undefined {
  const { host, port, certSha256 } = server;
  if (socket.alpnProtocol !== ALPN_SV2) {
    return new Fault("server-no-sv2", { host, port, reason: "it speaks TLS, but chose no protocol" });
  }
  if (certSha256 === undefined) return undefined;
  const found = fingerprintOf(socket.getPeerCertificate());
  return equal(found, certSha256)
    ? undefined
    : new Fault("server-certificate", {
        host,
        port,
        reason: "it is another one than the address names",
        sha256: toHex(found),
      });
}

function explain({ host, port }: ServerAddress, error: Error, checked: boolean): Fault | undefined {
  const code = "code" in error ? String(error.code) : "";
  const noSv2 = noSv2Words(code);
  if (noSv2 !== undefined) return new Fault("server-no-sv2", { host, port, reason: noSv2 }, { cause: error });
  const reason = checked ? certificateWords(code) : undefined;
  return reason === undefined ? undefined : new Fault("server-certificate", { host, port, reason }, { cause: error });
}

/** SHA-256 of a certificate, DER (32 bytes). */
function fingerprintOf({ fingerprint256 }: PeerCertificate): Uint8Array {
  return fromHex(fingerprint256.replaceAll(":", "").toLowerCase());
}
