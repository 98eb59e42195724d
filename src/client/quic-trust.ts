/** Whether the server at the other end of a QUIC handshake is the one that an address means; the rule is that of `ServerAddress`. */
import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { equal, toHex } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import type { ServerAddress } from "./url.ts";

/** Whether the chain is to be verified against authorities: nothing in the address vouches for the server. */
export function needsAuthorities(server: ServerAddress): boolean {
  return server.certSha256 === undefined && !(server.noise && server.authorityPublicKey !== undefined);
}

/** What quiche calls a handshake that failed at the certificate, among other things. */
const TLS_FAILED = /TlsFail/;

/** The fault behind a failed handshake where the chain was verified, if that is what failed. */
export function untrusted(server: ServerAddress, error: unknown): Fault | undefined {
  if (!needsAuthorities(server) || !(error instanceof Error) || !TLS_FAILED.test(error.message)) return undefined;
  const { host, port } = server;
  const reason = "no authority that is trusted vouches for it";
  return new Fault("server-certificate", { host, port, reason }, { cause: error });
}

/**
 * Judges the chain (DER, the server's own certificate first), whose signatures were verified during the handshake where
 * `needsAuthorities`. Throws `Fault("server-certificate")` when the server is not the one.
 */
export function judgeChain(server: ServerAddress, chain: readonly Uint8Array[]): void {
  const [own] = chain;
  const { host, port, certSha256 } = server;
  if (certSha256 !== undefined) {
    const found = createHash("sha256")
      .update(own ?? new Uint8Array(0))
      .digest();
    if (equal(found, certSha256)) return;
    const reason = "it is another one than the address names";
    throw new Fault("server-certificate", { host, port, reason, sha256: toHex(found) });
  }
  if (!needsAuthorities(server)) return;
  const certificate = own === undefined ? undefined : new X509Certificate(own);
  const named = isIP(host) === 0 ? certificate?.checkHost(host) : certificate?.checkIP(host);
  if (named === undefined) throw new Fault("server-certificate", { host, port, reason: "it is for other names" });
}
