/** Whether the server at the other end of a QUIC handshake is the one that an address means; the rule is that of `ServerAddress`. */
import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { equal } from "../kernel/bytes.ts";
import type { ServerAddress } from "./url.ts";

/** Whether the chain is to be verified against authorities: nothing in the address vouches for the server. */
export function needsAuthorities(server: ServerAddress): boolean {
  return server.certSha256 === undefined && !(server.noise && server.authorityPublicKey !== undefined);
}

/**
 * Judges the chain (DER, the server's own certificate first), whose signatures were verified during the handshake where
 * `needsAuthorities`. Throws an `Error` that says why the server is not the one.
 */
export function judgeChain(server: ServerAddress, chain: readonly Uint8Array[]): void {
  const [own] = chain;
  const { host, certSha256 } = server;
  if (certSha256 !== undefined) {
    if (own !== undefined && equal(createHash("sha256").update(own).digest(), certSha256)) return;
    throw new Error("the server's certificate is not the one whose fingerprint its address has");
  }
  if (!needsAuthorities(server)) return;
  const certificate = own === undefined ? undefined : new X509Certificate(own);
  const named = isIP(host) === 0 ? certificate?.checkHost(host) : certificate?.checkIP(host);
  if (named === undefined) throw new Error(`the server's certificate is not for ${host}`);
}
